"""Request targets: the forms that a client may send, and what is sent to the target."""

import pytest

from fast_priority.errors import MalformedRequest
from fast_priority.http.request_target import RequestTarget, TargetPath, read_request_target


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


@pytest.mark.parametrize(
    ("base", "raw", "sent"),
    [
        ("/", b"/x", b"/x"),
        ("", b"/x", b"/x"),
        ("/", b"//x//y", b"//x//y"),
        ("/api", b"/x?", b"/api/x?"),
        ("/api/", b"/x", b"/api/x"),
        ("/api", b"x", b"/api/x"),
        ("/a%2Fb", b"/", b"/a%2Fb/"),
        ("/api", b"*", b"*"),
        ("/", b"/\xc3\xa4\xff?\x80%zz", b"/%C3%A4%FF?%80%zz"),
        ("/ä", b"/x", b"/%C3%A4/x"),
    ],
)
def test_a_target_is_below_the_base_path(base: str, raw: bytes, sent: bytes) -> None:
    """The base path and the request's path are joined with one slash; ASCII stays as it is written."""
    assert TargetPath(base).below(raw) == sent


CLIMBING = [
    b"/..", b"/../", b"/../secret", b"/x/../../secret", b"/%2e%2e/secret", b"/.%2E/secret", b"/..%2fsecret",
    b"/x/..%2f..%2fsecret", b"/x%2f..%2f..%2fsecret", b"/..;/secret", b"/..;a=1/secret", b"/..%3b/secret",
    b"/..\\secret", b"/..%5csecret", b"/x\\..\\..\\secret", b"/x%5cy/../../secret", b"//../secret", b"/x//../../secret",
    b"/./../secret", b"/..%00/secret", b"/%c0%ae%c0%ae/secret", b"/..%c0%afsecret", b"/%u002e./secret", b"../secret",
    b"..", b"/../secret?a=1", b"/x/%2e%2e/%2e%2e/y/z", b"/%2e%2e%2f", b"/..%3fx", b"/" + b"a/../" * 12_000,
]  # fmt: skip


@pytest.mark.parametrize("raw", CLIMBING)
def test_what_climbs_above_the_base_path_is_refused(raw: bytes) -> None:
    """A target that some servers read as one above the base path is refused, by gateway and worker."""
    for ask in (TargetPath("/api").below, TargetPath("/api/v1/").check):
        with pytest.raises(MalformedRequest):
            ask(raw)


@pytest.mark.parametrize("raw", CLIMBING)
def test_nothing_is_above_a_base_url_without_a_path(raw: bytes) -> None:
    """Without a base path, dot segments go on unchanged."""
    assert TargetPath("/").below(raw) == b"/" + raw.removeprefix(b"/")


@pytest.mark.parametrize(
    "raw",
    [b"/", b"/x/..", b"/x/../y", b"/x/y/../../z", b"/...", b"/..x", b"/x..", b"/a..b/", b"/x?../..", b"/x?a=/../../y",
     b"/%252e%252e/x", b"/;/x", b"/a%2fb/../c", b"/a;v=1/..;/b", b"//x/../y", b"/.well-known/x", b"/caf%C3%A9", b"*"],
)  # fmt: skip
def test_what_stays_below_the_base_path_is_sent(raw: bytes) -> None:
    """A target that no server reads as one above the base path is sent as it is written."""
    assert TargetPath("/api").below(raw) == (raw if raw == b"*" else b"/api" + raw)
