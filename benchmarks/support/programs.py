"""Starts what is measured: programs that are not ours, and what shows why a part did not start."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from fast_priority.stack import stop

_LOG_TAIL_BYTES = 3000


@contextmanager
def running_program(command: list[str], log: IO[bytes]) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program while the block lasts; it and all that it started are ended then."""
    # A session of its own: Ctrl-C reaches this process only, which then stops the parts in their order.
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        yield process
    finally:
        stop(process)


@contextmanager
def tail_shown_on_failure(log: IO[bytes]) -> Iterator[None]:
    """Show on stderr what processes wrote to `log` last, when the block raises."""
    try:
        yield
    except Exception:
        with contextlib.suppress(OSError):
            log.seek(max(log.seek(0, 2) - _LOG_TAIL_BYTES, 0))
            sys.stderr.write(log.read().decode(errors="replace"))
        raise
