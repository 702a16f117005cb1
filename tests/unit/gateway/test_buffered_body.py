"""What is held whole for clients of HTTP/1.0 is bounded, each and all together."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from fast_priority.errors import ResponseBodyTooLarge
from fast_priority.gateway import buffered_body as whole_body
from fast_priority.gateway.buffered_body import BufferedBody


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(whole_body, "MOST_BUFFERED_BODY_BYTES", 200_000)
    monkeypatch.setattr(whole_body, "MOST_BUFFERED_BODIES_BYTES", 500_000)
    yield
    assert BufferedBody._of_all_bytes == 0


def test_what_was_added_comes_back_in_pieces() -> None:
    """Byte for byte, in pieces of 64 KiB."""
    data = bytes(range(256)) * 600
    with BufferedBody() as body:
        body.add(data[:100_000])
        body.add(memoryview(data)[100_000:])
        pieces = list(body.pieces())
        assert (b"".join(pieces), len(body)) == (data, len(data))
        assert max(map(len, pieces)) == 65536


def test_one_body_is_bounded() -> None:
    """A body over the limit is refused, and its buffered bytes are dropped."""
    with BufferedBody() as body:
        body.add(b"x" * 200_000)
        with pytest.raises(ResponseBodyTooLarge, match=r"HTTP/1\.1"):
            body.add(b"x")


def test_all_together_are_bounded() -> None:
    """However many clients take theirs slowly: one more is refused, until another has ended."""
    with BufferedBody() as last:
        with ExitStack() as bodies:
            for _ in range(2):
                bodies.enter_context(BufferedBody()).add(b"x" * 200_000)
            last.add(b"x" * 100_000)
            with pytest.raises(ResponseBodyTooLarge, match="too many"):
                last.add(b"x")
        last.add(b"x")


def test_a_body_that_fails_is_let_go() -> None:
    """Whatever ends it."""

    def hold_and_fail() -> None:
        with BufferedBody() as body:
            body.add(b"x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        hold_and_fail()
