"""Notices: each is logged once, and shown as long as it goes on."""

import logging

import pytest

from fast_priority.support.notices import Notices

logger = logging.getLogger("test.notices")
MOST = 32


@pytest.fixture
def now() -> list[float]:
    """The time in seconds, which a test sets."""
    return [1000.0]


@pytest.fixture
def notices(now: list[float]) -> Notices:
    return Notices(logger, "Worker one: ", clock=lambda: now[0])


def test_what_is_forgotten_is_news_again(notices: Notices, caplog: pytest.LogCaptureFixture) -> None:
    """A notice that was forgotten is not shown, and is logged again when it comes back."""
    notices.note("rain", "it rains")
    notices.forget("rain")
    assert notices.recent() == []
    notices.note("rain", "it rains")
    assert caplog.messages == ["Worker one: it rains"] * 2


def test_each_is_logged_once(notices: Notices, caplog: pytest.LogCaptureFixture) -> None:
    """However often it is noted, and whatever its text is then, a notice is logged once."""
    for key in ("a", "b", "a", "a", "b"):
        notices.note(key, f"about {key}")
    notices.note("a", "about a, with another number")
    assert caplog.messages == ["Worker one: about a", "Worker one: about b"]


def test_it_is_shown_as_long_as_it_goes_on(notices: Notices, now: list[float]) -> None:
    """A notice is shown with its last text until it was not noted for 10 minutes."""
    notices.note("a", "first")
    notices.note("b", "about b")
    now[0] += 599
    notices.note("a", "last")
    assert notices.recent() == ["last", "about b"]
    now[0] += 2
    assert notices.recent() == ["last"]
    now[0] += 599
    assert notices.recent() == []


def test_one_that_comes_again_is_not_logged_again(
    notices: Notices, now: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """A notice that was not shown for some time is shown again, without a new line in the log."""
    notices.note("a", "about a")
    now[0] += 100_000
    notices.note("a", "about a")
    assert (notices.recent(), len(caplog.messages)) == (["about a"], 1)


def test_their_number_is_bounded(notices: Notices, now: list[float], caplog: pytest.LogCaptureFixture) -> None:
    """With 32 notices of the last hour there is no other; after an hour a new one takes the place of the oldest."""
    for number in range(1000):
        notices.note(str(number), f"about {number}")
    assert (len(notices.recent()), len(caplog.messages)) == (MOST, MOST)
    now[0] += 3601
    notices.note("0", "about 0")
    notices.note("new", "about new")
    assert notices.recent() == ["about new", "about 0"]
    assert caplog.messages[MOST:] == ["Worker one: about new"]
