"""OutageLog: a line when an outage begins, some while it lasts, and one when it is over."""

import logging

import pytest

from fast_priority.support.outage_log import OutageLog
from tests.unit.fake_clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def outage(clock: FakeClock) -> OutageLog:
    return OutageLog("cannot read", logging.getLogger("test"), clock)


def test_the_first_failure_is_logged(outage: OutageLog, caplog: pytest.LogCaptureFixture) -> None:
    """The first failure is logged, with its reason."""
    outage.failure("refused")
    assert caplog.messages == ["cannot read: refused"]


def test_a_flood_is_one_line(outage: OutageLog, caplog: pytest.LogCaptureFixture) -> None:
    """A thousand failures at the same time are one line."""
    for _ in range(1000):
        outage.failure("refused")
    assert len(caplog.messages) == 1


def test_a_long_outage_is_logged_again_with_a_count(
    outage: OutageLog, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """An outage that lasts is logged again after 30 s, with the number of failures in between."""
    for clock.seconds in range(40):
        outage.failure("refused")
    assert caplog.messages == ["cannot read: refused", "cannot read: refused (and 29 more in 30 s)"]


def test_its_end_is_logged(outage: OutageLog, caplog: pytest.LogCaptureFixture) -> None:
    """The end of an outage is logged once, at info, and only if there was one."""
    caplog.set_level(logging.INFO)
    outage.recovered()
    outage.failure("refused")
    outage.recovered()
    outage.recovered()
    assert caplog.messages == ["cannot read: refused", "cannot read: over, after 1 failure"]
    assert caplog.records[-1].levelno == logging.INFO


def test_its_end_has_the_number_of_all_failures(
    outage: OutageLog, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The line at the end counts all failures since the beginning, logged or not."""
    caplog.set_level(logging.INFO)
    for clock.seconds in range(70):
        outage.failure("refused")
    outage.recovered()
    assert caplog.messages[-1] == "cannot read: over, after 70 failures"


def test_another_outage(outage: OutageLog, caplog: pytest.LogCaptureFixture) -> None:
    """After the end of an outage, the next one is logged at once, with a count of its own."""
    caplog.set_level(logging.INFO)
    for _ in range(2):
        outage.failure("refused")
        outage.recovered()
    assert caplog.messages == ["cannot read: refused", "cannot read: over, after 1 failure"] * 2
