"""Heads as bytes."""

import pytest

from fast_priority.errors import MalformedRequest
from fast_priority.http.head import head, request_head, response_head
from fast_priority.http.message import Fields

HOST = b"api.example:8000"


def test_the_head_of_a_request() -> None:
    """Nothing is added besides Host, and fields keep their order, repetition, spelling and bytes."""
    fields = [(b"x-a", b"1"), (b"X-B", b"\xff\t Zo\xc3\xab"), (b"x-a", b""), (b"cookie", b"a=1; b=2")]
    assert request_head("PURGE", b"/a%2Fb?q=&&", HOST, fields) == (
        b"PURGE /a%2Fb?q=&& HTTP/1.1\r\nHost: api.example:8000\r\n"
        b"x-a: 1\r\nX-B: \xff\t Zo\xc3\xab\r\nx-a: \r\ncookie: a=1; b=2\r\n\r\n"
    )


@pytest.mark.parametrize("name", [b"host", b"Host", b"HOST"])
@pytest.mark.parametrize("value", [b"a.example:99", b""])
def test_a_host_in_the_fields(name: bytes, value: bytes) -> None:
    """A Host in the fields takes the place of the target's own, and stands first, once."""
    fields = [(b"x-a", b"1"), (name, value), (b"x-b", b"2")]
    assert request_head("GET", b"/", HOST, fields) == (
        b"GET / HTTP/1.1\r\nHost: " + value + b"\r\nx-a: 1\r\nx-b: 2\r\n\r\n"
    )


@pytest.mark.parametrize("control", [*range(0x09), *range(0x0A, 0x20), 0x7F])
def test_controls_are_refused(control: int) -> None:
    """No control but the tab gets into a head: not in a value, a name, the target or the method."""
    octet = bytes([control])
    fields: list[Fields] = [[(b"x-a", b"1" + octet + b"2")], [(b"x" + octet + b"a", b"1")]]
    for one in fields:
        with pytest.raises(MalformedRequest):
            request_head("GET", b"/", HOST, one)
    for method, target in ((f"GE{chr(control)}T", b"/"), ("GET", b"/a" + octet + b"b")):
        with pytest.raises(MalformedRequest):
            request_head(method, target, HOST, [])


@pytest.mark.parametrize(
    ("method", "target"),
    [("GE T", b"/"), ("GET", b"/a b"), ("GET", b"/a\tb"), ("GET", b""), ("", b"/"), ("GET", b"/ "), ("GÄT", b"/")],
)
def test_a_request_line_has_three_words(method: str, target: bytes) -> None:
    """A method or a target that is empty or has a blank is refused, and so is a method that is not ASCII."""
    with pytest.raises(MalformedRequest):
        request_head(method, target, HOST, [])


def test_names_are_ascii() -> None:
    """A name with other bytes than ASCII is refused; a value may have them."""
    with pytest.raises(MalformedRequest):
        request_head("GET", b"/", HOST, [(b"x-\xc3\xa4", b"1")])


@pytest.mark.parametrize(
    ("status", "line"),
    [(200, b"HTTP/1.1 200 OK"), (404, b"HTTP/1.1 404 Not Found"), (101, b"HTTP/1.1 101 Switching Protocols"),
     (299, b"HTTP/1.1 299 "), (599, b"HTTP/1.1 599 ")],
)  # fmt: skip
def test_the_head_of_a_response(status: int, line: bytes) -> None:
    """A response has the phrase of its status, or an empty one, and its fields in order, with names in lower case."""
    fields = [(b"Set-Cookie", b"a=1"), (b"x-a", b"\xff\t"), (b"set-cookie", b"")]
    assert response_head(status, fields) == line + b"\r\nset-cookie: a=1\r\nx-a: \xff\t\r\nset-cookie: \r\n\r\n"


def test_any_head() -> None:
    """A head has its start line and its fields as they are."""
    assert head(b"GET / HTTP/1.0", [(b"X-A", b"1")]) == b"GET / HTTP/1.0\r\nX-A: 1\r\n\r\n"
    assert head(b"GET / HTTP/1.0", []) == b"GET / HTTP/1.0\r\n\r\n"


@pytest.mark.parametrize("control", [b"\r\n", b"\n", b"\r", b"\x00", b"\x7f"])
def test_controls_in_a_field_that_differs_in_each_message(control: bytes) -> None:
    """What is not memoized is checked as well: no name of a request can begin a line of its own."""
    fields: Fields = [(b"via", b"1.1 a"), (b"x-request-id", b"1" + control + b"x-b: 2")]
    with pytest.raises(MalformedRequest):
        request_head("GET", b"/", HOST, fields)


def test_fields_that_differ_in_each_message() -> None:
    """They stand at the end of a head, as all others do at their place."""
    own: Fields = [(b"server-timing", b"target;dur=1.0"), (b"x-request-id", b"1")]
    lines = b"via: 1.1 a\r\nserver-timing: target;dur=1.0\r\nx-request-id: 1\r\n\r\n"
    assert request_head("GET", b"/", HOST, [(b"via", b"1.1 a"), *own]) == (
        b"GET / HTTP/1.1\r\nHost: api.example:8000\r\n" + lines
    )
    assert response_head(200, [(b"via", b"1.1 a"), *own]) == b"HTTP/1.1 200 OK\r\n" + lines
