"""How a request's target is joined to the path of the base URL, and which targets are refused."""

import pytest

from fast_priority.errors import MalformedRequest
from fast_priority.target.base_url import BaseUrlPath


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
    assert BaseUrlPath(base).below(raw) == sent


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
    for ask in (BaseUrlPath("/api").below, BaseUrlPath("/api/v1/").check):
        with pytest.raises(MalformedRequest):
            ask(raw)


@pytest.mark.parametrize("raw", CLIMBING)
def test_nothing_is_above_a_base_url_without_a_path(raw: bytes) -> None:
    """Without a base path, dot segments go on unchanged."""
    assert BaseUrlPath("/").below(raw) == b"/" + raw.removeprefix(b"/")


@pytest.mark.parametrize(
    "raw",
    [b"/", b"/x/..", b"/x/../y", b"/x/y/../../z", b"/...", b"/..x", b"/x..", b"/a..b/", b"/x?../..", b"/x?a=/../../y",
     b"/%252e%252e/x", b"/;/x", b"/a%2fb/../c", b"/a;v=1/..;/b", b"//x/../y", b"/.well-known/x", b"/caf%C3%A9", b"*"],
)  # fmt: skip
def test_what_stays_below_the_base_path_is_sent(raw: bytes) -> None:
    """A target that no server reads as one above the base path is sent as it is written."""
    assert BaseUrlPath("/api").below(raw) == (raw if raw == b"*" else b"/api" + raw)
