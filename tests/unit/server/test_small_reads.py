"""How many of a client's bytes are read at once."""

import asyncio

import pytest

from fast_priority.http.limits import MOST_WHOLE_BODY_BYTES
from fast_priority.server.small_reads import BodyReads, SmallReads, declared_body_bytes

LITTLE = 8 * 1024


class Inner:
    """A protocol that remembers what it received."""

    def __init__(self, most_read_bytes: int = LITTLE) -> None:
        self.most_read_bytes = most_read_bytes
        self.received: list[bytes] = []

    def connection_made(self, transport: asyncio.Transport) -> None: ...

    def connection_lost(self, exc: Exception | None) -> None: ...

    def data_received(self, data: bytes) -> None:
        self.received.append(data)

    def eof_received(self) -> None: ...

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...


def fill(reads: SmallReads, data: bytes) -> int:
    """Do what a transport does with bytes that have come; return how many it could read at once."""
    buffer = reads.get_buffer(-1)
    size = min(len(buffer), len(data))
    buffer[:size] = data[:size]
    reads.buffer_updated(size)
    return size


def in_body(declared_bytes: int | None, come_bytes: int = 0) -> BodyReads:
    """Return the reads of a body of which so many bytes have come."""
    reads = BodyReads()
    reads.begin(declared_bytes)
    reads.count(come_bytes)
    return reads


@pytest.mark.parametrize("most_bytes", [1, LITTLE, 256 * 1024])
def test_the_protocol_limits_each_read(most_bytes: int) -> None:
    """One read brings as many bytes as the protocol wants at that moment, however many have come."""
    inner = Inner(most_bytes)
    reads = SmallReads(inner)
    assert fill(reads, b"x" * 1_000_000) == most_bytes
    inner.most_read_bytes = 100
    assert fill(reads, b"y" * 1_000_000) == 100
    assert inner.received == [b"x" * most_bytes, b"y" * 100]


def test_received_bytes_stay_as_they_are() -> None:
    """Bytes that a protocol received do not change when the next ones come, for this client or for another."""
    first, second = Inner(), Inner()
    fill(SmallReads(first), b"of the first")
    fill(SmallReads(second), b"of the second")
    assert (first.received, second.received) == ([b"of the first"], [b"of the second"])


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
def test_the_length_of_a_body(fields: list[tuple[bytes, bytes]], declared: int | None) -> None:
    """Without a field there is no body; a body in chunks has no length beforehand."""
    assert declared_body_bytes(fields) == declared


@pytest.mark.parametrize(
    ("reads", "most_bytes"),
    [
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
def test_reads_of_a_body(reads: BodyReads, most_bytes: int) -> None:
    """A read brings 8 KiB more than what is left of a body of known length, and 16 KiB of one in chunks."""
    assert reads.most_bytes == most_bytes


def test_reads_of_a_held_body() -> None:
    """While only the first piece of a body is wanted, a read brings 8 KiB; the next body has larger reads."""
    reads = in_body(10_000_000)
    reads.is_held = True
    assert reads.most_bytes == LITTLE
    reads.begin(10_000_000)
    assert reads.most_bytes > LITTLE


@pytest.mark.parametrize(
    ("declared_bytes", "is_large"),
    [(0, False), (MOST_WHOLE_BODY_BYTES, False), (MOST_WHOLE_BODY_BYTES + 1, True), (None, True)],
)
def test_large_bodies(declared_bytes: int | None, is_large: bool) -> None:
    """A body that is too large to travel in one piece, or of unknown length, is large."""
    assert in_body(declared_bytes).is_large is is_large
