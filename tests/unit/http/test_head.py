"""The bytes of a request's head."""

import pytest

from fast_priority.errors import MalformedRequest
from fast_priority.http.head import TargetPath, request_head
from fast_priority.http.message import Fields

HOST = b"api.example:8000"


def test_a_head_is_its_line_the_targets_host_and_the_fields() -> None:
    """Nothing is added besides Host, and fields keep their order, repetition, spelling and bytes."""
    fields = [(b"x-a", b"1"), (b"X-B", b"\xff\t Zo\xc3\xab"), (b"x-a", b""), (b"cookie", b"a=1; b=2")]
    assert request_head("PURGE", b"/a%2Fb?q=&&", HOST, fields) == (
        b"PURGE /a%2Fb?q=&& HTTP/1.1\r\nHost: api.example:8000\r\n"
        b"x-a: 1\r\nX-B: \xff\t Zo\xc3\xab\r\nx-a: \r\ncookie: a=1; b=2\r\n\r\n"
    )


@pytest.mark.parametrize("control", [*range(0x09), *range(0x0A, 0x20), 0x7F])
def test_controls_are_refused(control: int) -> None:
    """No control but the tab gets into a head, be it in a value, a name, the target or the method."""
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
    """The base path and the request's are joined with one slash; all that is ASCII stays as it is written."""
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
    """A target that some server takes for one above the base path is refused, whoever asks for it to be sent."""
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
    """A target that no server takes for one above the base path is sent as it is written."""
    assert TargetPath("/api").below(raw) == (raw if raw == b"*" else b"/api" + raw)
