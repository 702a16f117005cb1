"""Of a client's bytes no more is read at once than its protocol wants."""

import asyncio

import pytest

from fast_priority.server.small_reads import SmallReads


class Inner:
    """A protocol that remembers what it was given."""

    def __init__(self, most_read_bytes: int = 8192) -> None:
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
    """Do what a transport does with bytes that have come; give how many it could read at once."""
    buffer = reads.get_buffer(-1)
    size = min(len(buffer), len(data))
    buffer[:size] = data[:size]
    reads.buffer_updated(size)
    return size


@pytest.mark.parametrize("most_bytes", [1, 8192, 256 * 1024])
def test_no_more_is_read_than_is_wanted(most_bytes: int) -> None:
    """Of much that has come, one read brings as much as the protocol wants, and each read asks it again."""
    inner = Inner(most_bytes)
    reads = SmallReads(inner)
    assert fill(reads, b"x" * 1_000_000) == most_bytes
    inner.most_read_bytes = 100
    assert fill(reads, b"y" * 1_000_000) == 100
    assert inner.received == [b"x" * most_bytes, b"y" * 100]


def test_what_was_read_stays() -> None:
    """What a protocol was given does not change when the next bytes come, of this client or of another."""
    first, second = Inner(), Inner()
    fill(SmallReads(first), b"of the first")
    fill(SmallReads(second), b"of the second")
    assert (first.received, second.received) == ([b"of the first"], [b"of the second"])
