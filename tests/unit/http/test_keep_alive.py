"""How long a connection to the target may be idle, as its response says."""

import pytest

from fast_priority.http.keep_alive import MOST_IDLE_SECONDS, USUAL_IDLE_SECONDS, idle_seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"timeout=5", 4.0),
        (b"timeout=5, max=100", 4.0),
        (b"max=100,timeout=2", 1.0),
        (b"Timeout = 3", 2.0),
        (b'timeout="10"', 9.0),
        (b"timeout=2.9", 1.0),
        (b"timeout=5, timeout=3", 2.0),
    ],
)
def test_a_promise_is_used_less_a_second(value: bytes, seconds: float) -> None:
    """A connection is idle for a second less than the target promises; of two promises the smaller counts."""
    assert idle_seconds([(b"Content-Length", b"2"), (b"Keep-Alive", value)]) == seconds


@pytest.mark.parametrize("value", [b"timeout=0", b"timeout=1", b"timeout=00", b"max=0", b"timeout=60, max=0"])
def test_what_is_over_soon_is_not_kept(value: bytes) -> None:
    """A connection that the target closes within a second, or that takes no more requests, is not kept at all."""
    assert idle_seconds([(b"keep-alive", value)]) == 0.0


@pytest.mark.parametrize("value", [b"timeout=60", b"timeout=86400", b"timeout=" + b"9" * 5000])
def test_a_long_promise_has_a_bound(value: bytes) -> None:
    """However much is promised, a connection is not idle for longer than what stands in between remembers it."""
    assert idle_seconds([(b"Keep-Alive", value)]) == MOST_IDLE_SECONDS


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"timeout",
        b"timeout=",
        b"timeout=-1",
        b"timeout=five",
        b"timeout=5s",
        b"xtimeout=9",
        b"300",
        b"max=1",
        b"\xff",
    ],
)
def test_what_cannot_be_read_is_ignored(value: bytes) -> None:
    """A field without a time that can be read means as much as no field."""
    assert idle_seconds([(b"Keep-Alive", value)]) == idle_seconds([]) == USUAL_IDLE_SECONDS


def test_all_fields_are_read() -> None:
    """The smallest of all promises counts, in whatever field line it stands."""
    assert idle_seconds([(b"Keep-Alive", b"timeout=30"), (b"KEEP-ALIVE", b"timeout=7")]) == 6.0
