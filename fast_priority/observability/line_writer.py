"""Writes lines to a stream without ever waiting for who reads it: a thread waits.

A pipe whose reader has stopped takes no more, and a write to it would hold up the whole process. Up to 10,000 lines
wait for the thread; more are dropped and counted.
"""

import atexit
import logging
import queue
import threading
from typing import Protocol

from fast_priority.support.outage_log import OutageLog

logger = logging.getLogger(__name__)

_MOST_LINES = 10_000
_LAST_SECONDS = 1.0  # for the lines that wait when the process ends


class Stream(Protocol):
    """What lines are written to."""

    def write(self, text: str, /) -> object:
        """Write a text."""
        ...

    def flush(self) -> object:
        """Write what is buffered."""
        ...


class LineWriter:
    """Writes lines to one stream, in order. Its thread begins with the first line, and ends with `close`."""

    def __init__(self, stream: Stream, what: str) -> None:
        self._stream = stream
        self._lines: queue.Queue[str | None] = queue.Queue(_MOST_LINES)
        self._thread: threading.Thread | None = None
        self._is_broken = False
        self._dropped = OutageLog(f"dropped lines of {what}", logger)
        self._broken = f"{what} ends: its lines cannot be written"

    def write(self, line: str) -> None:
        """Write a line soon, or drop it if too many wait, or if the stream takes no more."""
        if self._is_broken:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="lines", daemon=True)
            self._thread.start()
            atexit.register(self.close)
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._dropped.failure(f"who reads them is too slow, and {_MOST_LINES} wait")

    def close(self) -> None:
        """Write what waits, for up to a second, and end."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        atexit.unregister(self.close)
        try:
            self._lines.put(None, timeout=_LAST_SECONDS)
        except queue.Full:
            return
        thread.join(_LAST_SECONDS)

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            if self._is_broken:
                continue
            try:
                # One line a write: what several processes write to one pipe does not mix.
                self._stream.write(f"{line}\n")
                self._stream.flush()
            except (OSError, ValueError) as error:  # nobody reads any more, the disk is full, or it is closed
                self._is_broken = True
                logger.warning("%s: %s", self._broken, error)
