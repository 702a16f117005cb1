"""Troubles told once when they begin, now and then while they last, and once when they are over."""

import logging

import pytest

from fast_priority.support.outage_log import OutageLog


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def trouble(clock: Clock) -> OutageLog:
    return OutageLog("cannot read", logging.getLogger("test"), clock)


def test_the_first_is_told(trouble: OutageLog, caplog: pytest.LogCaptureFixture) -> None:
    """The log says what the trouble is, and why, when it begins."""
    trouble.failure("refused")
    assert caplog.messages == ["cannot read: refused"]


def test_a_flood_is_one_line(trouble: OutageLog, caplog: pytest.LogCaptureFixture) -> None:
    """What goes wrong a thousand times in a moment is told once."""
    for _ in range(1000):
        trouble.failure("refused")
    assert len(caplog.messages) == 1


def test_a_long_one_is_told_again_with_a_count(
    trouble: OutageLog, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """OutageLog that lasts is told again after a while, with how often it was met in between."""
    for clock.seconds in range(40):
        trouble.failure("refused")
    assert caplog.messages == ["cannot read: refused", "cannot read: refused (and 29 times before)"]


def test_its_end_is_told(trouble: OutageLog, caplog: pytest.LogCaptureFixture) -> None:
    """The log says when it is over, once, and only if it had begun."""
    trouble.recovered()
    trouble.failure("refused")
    trouble.recovered()
    trouble.recovered()
    assert caplog.messages == ["cannot read: refused", "cannot read: over"]


def test_it_can_begin_anew(trouble: OutageLog, caplog: pytest.LogCaptureFixture) -> None:
    """After its end, the next one is told at once."""
    for _ in range(2):
        trouble.failure("refused")
        trouble.recovered()
    assert caplog.messages == ["cannot read: refused", "cannot read: over"] * 2
