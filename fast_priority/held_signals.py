"""SIGTERM and SIGINT wait while a process is between two states that it could not be ended in cleanly."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

TO_END = (signal.SIGTERM, signal.SIGINT)
"""The signals that ask a process to end."""


@contextmanager
def held_back() -> Iterator[None]:
    """Let what asks this thread to end wait while the block lasts; it is delivered after it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, TO_END)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def let_through() -> Iterator[None]:
    """Deliver what asks this thread to end, in the midst of `held_back`, while the block lasts."""
    before = signal.pthread_sigmask(signal.SIG_UNBLOCK, TO_END)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
