"""Delays SIGTERM and SIGINT while a process is between two states in which it could not end in order."""

import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

TO_END = (signal.SIGTERM, signal.SIGINT)
"""The signals that ask a process to end."""


def held_back() -> AbstractContextManager[None]:
    """Return a context manager: while its block lasts, these signals wait for this thread; then they are delivered."""
    return _masked(signal.SIG_BLOCK)


def let_through() -> AbstractContextManager[None]:
    """Return a context manager that delivers these signals while its block lasts, inside a block of `held_back`."""
    return _masked(signal.SIG_UNBLOCK)


@contextmanager
def _masked(how: int) -> Iterator[None]:
    before = signal.pthread_sigmask(how, TO_END)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
