"""How much of a client's bytes is read, and parsed, at once."""

import pytest

from fast_priority.http.limits import MOST_WHOLE_BYTES
from fast_priority.server.read_size import ReadSize, declared_body_bytes

LITTLE = 8 * 1024
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def in_body(declared_bytes: int | None, come_bytes: int = 0) -> ReadSize:
    """Return what a connection reads in the midst of a body."""
    size = ReadSize()
    size.begin_body(declared_bytes)
    size.count_body(come_bytes)
    return size


@pytest.mark.parametrize(
    ("fields", "declared"),
    [
        ([], 0),
        ([(b"host", b"x"), (b"content-length", b"0")], 0),
        ([(b"content-length", b"70000"), (b"host", b"x")], 70_000),
        ([(b"transfer-encoding", b"chunked")], None),
        ([(b"content-length", b"5"), (b"transfer-encoding", b"chunked")], None),
    ],
)
def test_the_fields_say_how_long_a_body_is(fields: list[tuple[bytes, bytes]], declared: int | None) -> None:
    """Without a field there is no body; one in chunks has no length beforehand."""
    assert declared_body_bytes(fields) == declared


@pytest.mark.parametrize(
    ("size", "most_bytes"),
    [
        (ReadSize(), LITTLE),
        (in_body(100), 100 + LITTLE),
        (in_body(30_000, 29_999), 1 + LITTLE),
        (in_body(30_000, 30_000), LITTLE),
        (in_body(10_000_000), 256 * 1024),
        (in_body(10_000_000, 9_999_000), 1000 + LITTLE),
        (in_body(None), 16 * 1024),
        (in_body(None, 10_000_000), 16 * 1024),
        (in_body(5, 10), LITTLE),
    ],
)
def test_no_more_is_read_than_the_rest_of_the_body_and_a_little(size: ReadSize, most_bytes: int) -> None:
    """8 KiB over what is left of a body whose length is known, and 16 KiB where it is not."""
    assert size.most_bytes == most_bytes


def test_little_is_read_once_the_body_is_whole() -> None:
    """Behind a body comes a head."""
    size = in_body(None)
    size.end_body()
    assert size.most_bytes == LITTLE


def test_little_is_read_of_a_body_that_is_held() -> None:
    """While only its first piece is wanted, reads are as small as those of a head; the next request's are not."""
    size = in_body(10_000_000)
    size.holds_body = True
    assert size.most_bytes == LITTLE
    size.begin_body(10_000_000)
    assert size.most_bytes > LITTLE


@pytest.mark.parametrize(
    ("declared_bytes", "is_large"), [(0, False), (MOST_WHOLE_BYTES, False), (MOST_WHOLE_BYTES + 1, True), (None, True)]
)
def test_what_is_large(declared_bytes: int | None, is_large: bool) -> None:
    """A body of more than is carried in one piece, or of unknown length, is large."""
    assert in_body(declared_bytes).body_is_large is is_large
