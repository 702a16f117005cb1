"""SIGTERM and SIGINT wait while a process is between two states that it could not be ended in cleanly."""

import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

TO_END = (signal.SIGTERM, signal.SIGINT)
"""The signals that ask a process to end."""


def held_back() -> AbstractContextManager[None]:
    """Let what asks this thread to end wait while the block lasts; it is delivered after it."""
    return _masked(signal.SIG_BLOCK)


def let_through() -> AbstractContextManager[None]:
    """Deliver what asks this thread to end, in the midst of `held_back`, while the block lasts."""
    return _masked(signal.SIG_UNBLOCK)


@contextmanager
def _masked(how: int) -> Iterator[None]:
    before = signal.pthread_sigmask(how, TO_END)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
