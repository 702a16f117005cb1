"""Notices that a peer has closed its connection while this process does not read from it.

Neither asyncio nor uvloop polls a socket that is not read, so its end is not noticed. Here the sockets of paused
connections are registered on an epoll object of their own, and the event loop watches that object like any other file.
It waits for the end only, not for data. Only Linux has this; elsewhere the end is noticed when reading goes on.
"""

import asyncio
import contextlib
import select
import sys
from collections.abc import Callable
from weakref import WeakKeyDictionary


class PeerCloseWatcher:
    """Watches the connections of one event loop that are not read."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._watched: dict[int, tuple[Callable[[], None], bool]] = {}
        if sys.platform == "linux":
            self._epoll = select.epoll()
            loop.add_reader(self._epoll.fileno(), self._report)

    def watch(self, fd: int, on_close: Callable[[], None], *, resets_only: bool = False) -> None:
        """Call `on_close` once when the peer has closed its side of the connection; or only when it has reset it.

        Call `unwatch` before the file is closed: the system gives its number to the next connection.
        """
        if sys.platform == "linux":
            self.unwatch(fd)
            self._epoll.register(fd, select.EPOLLERR if resets_only else select.EPOLLERR | select.EPOLLRDHUP)
            self._watched[fd] = on_close, resets_only

    def unwatch(self, fd: int) -> None:
        """Do not watch this file any more; if it is not watched, do nothing."""
        if self._watched.pop(fd, None) is not None:
            with contextlib.suppress(OSError, ValueError):  # it is closed, and epoll has forgotten it
                self._epoll.unregister(fd)

    def _report(self) -> None:
        for fd, events in self._epoll.poll(0):
            on_close, resets_only = self._watched.get(fd, (None, False))
            self.unwatch(fd)
            # epoll always reports that both sides are closed, but there may be something left to read.
            if on_close is not None and (events & select.EPOLLERR or not resets_only):
                on_close()


_of_loop: "WeakKeyDictionary[asyncio.AbstractEventLoop, PeerCloseWatcher]" = WeakKeyDictionary()


def close_watcher_of(loop: asyncio.AbstractEventLoop) -> PeerCloseWatcher:
    """Return the watcher of this event loop, which is made at the first call."""
    found = _of_loop.get(loop)
    if found is None:
        found = _of_loop[loop] = PeerCloseWatcher(loop)
    return found
