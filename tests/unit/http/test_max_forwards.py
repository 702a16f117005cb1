"""Max-Forwards: a TRACE or an OPTIONS ends here, or goes on with one less."""

import pytest

from fast_priority.http.max_forwards import answer_as_last, counted_down, ends_here
from fast_priority.http.message import Fields

DATE = b"Tue, 24 Nov 2026 12:00:00 GMT"


def limit(value: bytes) -> Fields:
    return [(b"accept", b"*/*"), (b"Max-Forwards", value), (b"x-last", b"1")]


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE"])
@pytest.mark.parametrize("value", [b"0", b"000"])
def test_zero_ends_here(method: str, value: bytes) -> None:
    """At 0 the gateway answers the request itself."""
    assert ends_here(method, limit(value))


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE"])
@pytest.mark.parametrize(
    ("value", "onward"),
    [(b"1", b"0"), (b"10", b"9"), (b"007", b"6"), (b"999999999", b"999999998"), (b"9" * 5000, b"999999999")],
)
def test_one_less_goes_on(method: str, value: bytes, onward: bytes) -> None:
    """Above 0 the request goes on with one less, or with the most there is, and its other fields as they were."""
    assert not ends_here(method, limit(value))
    assert counted_down(method, limit(value)) == [(b"accept", b"*/*"), (b"Max-Forwards", onward), (b"x-last", b"1")]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "PROPFIND"])
@pytest.mark.parametrize("value", [b"0", b"5"])
def test_other_methods(method: str, value: bytes) -> None:
    """On any other method the field means nothing and goes on as it is."""
    assert not ends_here(method, limit(value))
    assert counted_down(method, limit(value)) == limit(value)


@pytest.mark.parametrize("value", [b"", b"-1", b"+1", b"1.0", b"0, 5", b"many", b"\xb2", b"0x0"])
def test_not_a_number(value: bytes) -> None:
    """A value that is not a whole number has no meaning and goes on as it is."""
    assert not ends_here("TRACE", limit(value))
    assert counted_down("TRACE", limit(value)) == limit(value)


def test_repeated() -> None:
    """Two such fields have no meaning and go on as they are."""
    fields = [(b"max-forwards", b"0"), (b"max-forwards", b"0")]
    assert not ends_here("TRACE", fields)
    assert counted_down("TRACE", fields) == fields


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE"])
def test_without_the_field(method: str) -> None:
    """A request without the field goes on as it is."""
    assert not ends_here(method, [])
    assert counted_down(method, []) == []


def test_options_is_answered_without_a_body() -> None:
    """OPTIONS is answered 200, with the date and no body."""
    reply = answer_as_last("OPTIONS", b"/a", limit(b"0"), "1.1", DATE)
    assert (reply.status, reply.fields, reply.body) == (200, [(b"date", DATE)], b"")


def test_trace_is_answered_with_the_request() -> None:
    """TRACE is answered with the head as it was received, as message/http."""
    reply = answer_as_last("TRACE", b"/a?b=%20", [(b"host", b"x"), (b"max-forwards", b"0")], "1.0", DATE)
    assert (reply.status, dict(reply.fields)[b"content-type"]) == (200, b"message/http")
    assert reply.body == b"TRACE /a?b=%20 HTTP/1.0\r\nhost: x\r\nmax-forwards: 0\r\n\r\n"


@pytest.mark.parametrize(
    "name",
    [b"Authorization", b"Proxy-Authorization", b"Cookie", b"X-Api-Key", b"X-Auth-Token", b"X-CSRF-Token", b"X-Secret"],
)
def test_trace_shows_no_secret(name: bytes) -> None:
    """Fields that may be credentials are left out of the response to TRACE."""
    reply = answer_as_last("TRACE", b"/", [(b"host", b"x"), (name, b"hush")], "1.1", DATE)
    assert reply.body == b"TRACE / HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE"])
def test_unread_body_ends_the_connection(method: str) -> None:
    """A request with a body, which is not read, is the last on its connection."""
    reply = answer_as_last(method, b"/", [(b"content-length", b"3")], "1.1", DATE)
    assert (b"connection", b"close") in reply.fields
