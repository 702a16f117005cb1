"""Processes that end with the one that has started them, also when that one is killed and can end nothing itself.

Linux sends a signal for it (prctl(2), PR_SET_PDEATHSIG). It does so when the thread ends that has started the process,
so only a process with one thread asks for it. Other systems have no such signal: there a process looks for itself.
"""

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_LOOK_SECONDS = 1.0
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def ending_with_this_process() -> Callable[[], None] | None:
    """Return the `preexec_fn` of a program that gets SIGTERM when this process ends; None where there is no such thing.

    A program that is executed keeps the signal. This process must have one thread only, else None is returned.
    """
    if _libc is None or threading.active_count() > 1:
        return None
    parent_pid = os.getpid()

    def ask() -> None:
        # Until the program is executed, a handler of this process would take the signal, and the program never end.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _ask_for_signal(parent_pid)

    return ask


def end_with_parent(parent_pid: int) -> None:
    """Let this process, which `parent_pid` has just forked, get SIGTERM when that one ends; at once if it has ended."""
    if _libc is not None:
        _ask_for_signal(parent_pid)
    else:
        threading.Thread(target=_look, args=(parent_pid,), daemon=True).start()


def _ask_for_signal(parent_pid: int) -> None:
    assert _libc is not None  # noqa: S101 - the callers have looked
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent_pid:  # it has ended before
        os.kill(os.getpid(), signal.SIGTERM)


def _look(parent_pid: int) -> None:
    while os.getppid() == parent_pid:
        time.sleep(_LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
