"""How much time has passed, by the clock that counts the most."""

import pytest

from fast_priority.support import elapsed
from fast_priority.support.elapsed import Moment


@pytest.mark.parametrize(
    ("monotonic", "boot", "wall", "counted"),
    [(1, 1, 1, 1), (1, 9, 1, 9), (1, 1, 9, 9), (2, 2, -3600, 2), (9, 1, 1, 9)],
    ids=["they agree", "suspended", "set forward", "set back", "monotonic"],
)
def test_the_largest_counts(
    monkeypatch: pytest.MonkeyPatch, monotonic: float, boot: float, wall: float, counted: float
) -> None:
    """Time passes by the clock that went furthest, also while the machine was suspended or its clock was set."""
    began = Moment(100.0, 200.0, 300.0)
    monkeypatch.setattr("fast_priority.support.elapsed.time.monotonic", lambda: began.monotonic + monotonic)
    monkeypatch.setattr("fast_priority.support.elapsed.time.clock_gettime", lambda _: began.boot + boot)
    monkeypatch.setattr("fast_priority.support.elapsed.time.time", lambda: began.wall + wall)
    monkeypatch.setattr(elapsed, "_BOOT_CLOCK", 7)
    assert began.elapsed_seconds() == counted


def test_without_a_boot_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without a boot clock has the other two."""
    monkeypatch.setattr(elapsed, "_BOOT_CLOCK", None)
    assert 0 <= Moment.now().elapsed_seconds() < 60
