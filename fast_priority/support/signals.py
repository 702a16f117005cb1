"""Stop signals (SIGTERM and SIGINT): blocked while a process could not end cleanly, and delivered where it can.

A process blocks them while it is between two states, for instance while it registers itself or starts its children; a
signal that comes meanwhile is delivered afterwards.
"""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
"""The signals that ask a process to end."""


def stop_signals_blocked() -> AbstractContextManager[None]:
    """Block stop signals in this thread inside the block. Those that come meanwhile are delivered after it."""
    return _masked(signal.SIG_BLOCK)


def stop_signals_delivered() -> AbstractContextManager[None]:
    """Deliver stop signals in this thread inside the block, which stands in one of `stop_signals_blocked`."""
    return _masked(signal.SIG_UNBLOCK)


def reset_stop_signals() -> None:
    """Let stop signals end this process. It was forked with its parent's handlers, and with stop signals blocked."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


def on_stop_signal(callback: Callable[[], None]) -> None:
    """Call back on the running event loop at each stop signal. To be called in the main thread."""
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, callback)


@contextmanager
def _masked(how: int) -> Iterator[None]:
    before = signal.pthread_sigmask(how, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
