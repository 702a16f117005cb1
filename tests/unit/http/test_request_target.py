"""Request targets: the forms that a client may send."""

import pytest

from fast_priority.errors import MalformedRequest
from fast_priority.http.request_target import RequestTarget, read_request_target


@pytest.mark.parametrize("written", [b"/", b"/a%2Fb?", b"//evil/x", b"/a?b=http://x/?c", b"/?"])
def test_a_path_stays_as_it_is(written: bytes) -> None:
    """A path with its query is kept byte for byte, also an empty query."""
    assert read_request_target(b"GET", written) == RequestTarget(written)


@pytest.mark.parametrize(
    ("method", "written", "raw"),
    [
        (b"GET", b"http://evil/x", b"/x"),
        (b"GET", b"HTTPS://evil:8443//x?y=/", b"//x?y=/"),
        (b"GET", b"http://evil", b"/"),
        (b"GET", b"http://evil?q", b"/?q"),
        (b"OPTIONS", b"http://evil", b"*"),
        (b"OPTIONS", b"http://evil/", b"/"),
    ],
)
def test_a_url_is_a_path_here(method: bytes, written: bytes, raw: bytes) -> None:
    """Of a whole URL, the path and the query are used; no request goes to its host."""
    assert read_request_target(method, written).raw == raw


def test_the_host_of_a_url() -> None:
    """The host in the request line replaces the field (RFC 9112, section 3.2.2)."""
    target = read_request_target(b"GET", b"http://a:81/x")
    assert target.with_its_host([(b"host", b"b"), (b"x", b"y")]) == [(b"host", b"a:81"), (b"x", b"y")]
    assert read_request_target(b"GET", b"/x").with_its_host([(b"host", b"b")]) == [(b"host", b"b")]


def test_the_server_as_a_whole_can_be_asked() -> None:
    """OPTIONS * names no path."""
    assert read_request_target(b"OPTIONS", b"*") == RequestTarget(b"*")


@pytest.mark.parametrize(
    ("method", "written"),
    [
        (b"GET", b"*"),
        (b"CONNECT", b"host:80"),
        (b"GET", b"/a#b"),
        (b"GET", b"ftp://host/a"),
        (b"GET", b"http:///a"),
        (b"GET", b"http://user:password@host/"),
        (b"GET", b""),
    ],
)
def test_anything_else_is_refused(method: bytes, written: bytes) -> None:
    """A target that names no resource is refused."""
    with pytest.raises(MalformedRequest):
        read_request_target(method, written)
