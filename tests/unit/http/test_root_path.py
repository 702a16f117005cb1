"""Paths below a prefix, as they are decoded and as they were sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fast_priority.http.root_path import path_below, raw_path_below, request_target

SEGMENTS = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="/%"), max_size=5), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("path", "root_path", "below"),
    [
        ("/a", "", "/a"),
        ("/gw/a", "/gw", "/a"),
        ("/gw", "/gw", "/"),
        ("/gw/", "/gw", "/"),
        ("/gw/gw/a", "/gw", "/gw/a"),
        ("/gw//a", "/gw", "//a"),
        ("/gwx/a", "/gw", "/gwx/a"),
        ("/a/gw", "/gw", "/a/gw"),
        ("/GW/a", "/gw", "/GW/a"),
        ("/gw//a", "/gw/", "/a"),
        ("/gw/a", "/gw/", "/a"),
        ("/a", "/", "/a"),
        ("gw/a", "gw", "/a"),
        ("*", "", "*"),
        ("*", "/gw", "*"),
    ],
)
def test_decoded_paths(path: str, root_path: str, below: str) -> None:
    """A prefix of whole segments is removed once; any other path stays as it is."""
    assert path_below(path, root_path) == below


@pytest.mark.parametrize(
    ("raw_path", "path", "root_path", "below"),
    [
        (b"/a%2Fb", "/a/b", "", b"/a%2Fb"),
        (b"/gw/a%2fb%20", "/gw/a/b ", "/gw", b"/a%2fb%20"),
        (b"/%67%57/a", "/gW/a", "/gW", b"/a"),
        (b"/gw%2Fa%2Fb", "/gw/a/b", "/gw", b"/a%2Fb"),
        (b"/gw", "/gw", "/gw", b"/"),
        (b"/g%20w/a", "/g%20w/a", "/g%20w", b"/a"),  # uvicorn with the prefix as it stands in a URL
        (b"/g%20w/a", "/g w/a", "/g w", b"/a"),
        (b"/%C3%A9/%c3%a9", "/é/é", "/é", b"/%c3%a9"),
        (b"/a%2Fb", "/gw/a/b", "/gw", b"/a%2Fb"),  # a server that leaves the prefix out here only
        (b"/a%2Fb", "/a/b", "/gw", b"/a%2Fb"),  # and one that does in both
        (b"/gwx/a", "/gwx/a", "/gw", b"/gwx/a"),
        (None, "/gw/a b/é?%", "/gw", b"/a%20b/%C3%A9%3F%25"),
        (b"/gw/old", "/gw/new one", "/gw", b"/new%20one"),  # somebody has rewritten the one and not the other
        (b"/%", "/%", "", b"/%"),
        (b"/gw/%+1%zz", "/gw/%+1%zz", "/gw", b"/%+1%zz"),
    ],
)
def test_paths_as_sent(raw_path: bytes | None, path: str, root_path: str, below: bytes) -> None:
    """The rest keeps its percent-encoding, however the prefix is encoded; a missing raw path is made from the path."""
    assert raw_path_below(raw_path, path, root_path) == below


@given(SEGMENTS, SEGMENTS)
def test_whatever_the_prefix_is(prefix: list[str], rest: list[str]) -> None:
    """The rest behind a prefix stays as it was, for every prefix and every rest."""
    root_path, below = "/" + "/".join(prefix), "/" + "/".join(rest)
    if root_path.endswith("/"):
        root_path += "x"
    path = root_path + below
    assert path_below(path, root_path) == below
    assert raw_path_below(None, path, root_path) == raw_path_below(None, below, "")


@pytest.mark.parametrize(
    ("raw_path", "query", "raw_target", "written"),
    [
        (b"/a", b"", None, b"/a"),
        (b"/a", b"b=1", None, b"/a?b=1"),
        (b"/a", b"", b"/gw/a?", b"/a?"),
        (b"/a", b"", b"/gw/a", b"/a"),
        (b"/a", b"new", b"/a?old", b"/a?new"),
        (b"/a", b"", b"/a?old", b"/a"),
    ],
)
def test_the_target_of_a_request(raw_path: bytes, query: bytes, raw_target: bytes | None, written: bytes) -> None:
    """The query is that of the scope; an empty one is kept if the client has sent it."""
    assert request_target(raw_path, query, raw_target) == written
