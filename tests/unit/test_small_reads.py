"""Reads are small while a head is read, and large once a body flows."""

import asyncio

from fast_priority.small_reads import SmallReads


class Inner:
    """A protocol that remembers what it was given."""

    def __init__(self) -> None:
        self.in_head = True
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


def test_little_is_read_of_what_may_be_a_head() -> None:
    """Of much that comes together with a head, only the beginning is read."""
    inner = Inner()
    assert fill(SmallReads(inner), b"x" * 1_000_000) == 8192
    assert inner.received == [b"x" * 8192]


def test_much_is_read_of_a_body() -> None:
    """Once a body flows, reads are as large as a server's usual ones."""
    inner = Inner()
    inner.in_head = False
    assert fill(SmallReads(inner), b"x" * 1_000_000) == 256 * 1024


def test_what_was_read_stays() -> None:
    """What a protocol was given does not change when the next bytes come, of this client or of another."""
    first, second = Inner(), Inner()
    fill(SmallReads(first), b"of the first")
    fill(SmallReads(second), b"of the second")
    assert (first.received, second.received) == ([b"of the first"], [b"of the second"])
