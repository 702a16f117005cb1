"""A process looks itself whether its parent lives, where the system sends no signal for it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from fast_priority.support import parent_death


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The signals that would be sent: process and number."""
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    return sent


def test_it_ends_when_it_has_another_parent(monkeypatch: pytest.MonkeyPatch, sent: list[tuple[int, int]]) -> None:
    """The look ends with SIGTERM to this process as soon as its parent is another one, and not before."""
    parents = iter([7, 7, 1])
    looked: list[float] = []
    monkeypatch.setattr(os, "getppid", lambda: next(parents))
    monkeypatch.setattr(time, "sleep", looked.append)
    parent_death._look(7)
    assert (len(looked), sent) == (2, [(os.getpid(), signal.SIGTERM)])


@pytest.fixture
def not_asked_for() -> Iterator[None]:
    """The tests' own process does not end with its parent."""
    yield
    assert parent_death._libc is not None
    parent_death._libc.prctl(1, 0, 0, 0, 0)


@pytest.mark.skipif(parent_death._libc is None, reason="only Linux has the signal")
@pytest.mark.usefixtures("not_asked_for")
@pytest.mark.parametrize("is_alive", [True, False])
def test_a_parent_that_ended_before_counts(is_alive: bool, sent: list[tuple[int, int]]) -> None:
    """If the parent has ended before the system was asked for the signal, the process gets it at once."""
    parent_death.end_with_parent(os.getppid() if is_alive else 1_000_000_000)
    assert sent == ([] if is_alive else [(os.getpid(), signal.SIGTERM)])


@pytest.mark.skipif(parent_death._libc is None, reason="only Linux has the signal")
def test_no_handler_of_the_parent_takes_the_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the parent is killed between the fork and the program's start, its own handler does not take the signal."""
    taken = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        monkeypatch.setattr(threading, "active_count", lambda: 1)
        monkeypatch.setattr(os, "getppid", lambda: 1)
        asks = parent_death.ending_with_this_process()
        assert asks is not None
        ended = subprocess.run([sys.executable, "-c", ""], preexec_fn=asks, check=False)
    finally:
        signal.signal(signal.SIGTERM, taken)
    assert ended.returncode == -signal.SIGTERM
