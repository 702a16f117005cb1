"""Keep-Alive: how long a connection to the target may be idle."""

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
def test_a_second_less_than_stated(value: bytes, seconds: float) -> None:
    """A connection may be idle for a second less than the target states; of two times the smaller counts."""
    assert idle_seconds([(b"Content-Length", b"2"), (b"Keep-Alive", value)]) == seconds


@pytest.mark.parametrize("value", [b"timeout=0", b"timeout=1", b"timeout=00", b"max=0", b"timeout=60, max=0"])
def test_connections_that_end_soon(value: bytes) -> None:
    """A connection that the target closes within a second, or on which it takes no more requests, is not kept."""
    assert idle_seconds([(b"keep-alive", value)]) == 0.0


@pytest.mark.parametrize("value", [b"timeout=60", b"timeout=86400", b"timeout=" + b"9" * 5000])
def test_a_long_time_is_bounded(value: bytes) -> None:
    """No connection is idle for longer than load balancers and firewalls keep it."""
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
    """A field without a readable time counts like no field."""
    assert idle_seconds([(b"Keep-Alive", value)]) == idle_seconds([]) == USUAL_IDLE_SECONDS


def test_all_fields_are_read() -> None:
    """The smallest of all times counts, in whichever field line it is."""
    assert idle_seconds([(b"Keep-Alive", b"timeout=30"), (b"KEEP-ALIVE", b"timeout=7")]) == 6.0
