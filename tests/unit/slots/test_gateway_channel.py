"""A worker's channel to a gateway: the body that comes through it has the declared length."""

import pytest

from fast_priority.errors import RequestLost
from fast_priority.http.message import Request, TargetPolicy
from fast_priority.protocol.frames import Chunk, Credit, End, ForwardCall, Go, Part
from fast_priority.slots.gateway_channel import GatewayChannel


class Channel:
    """A channel, what it has published, and how much of a body was read from it."""

    def __init__(self, *received: Part) -> None:
        self.published: list[Part] = []
        self.read_bytes = 0
        self._channel = GatewayChannel("worker", self._publish)
        for part in received:
            self._channel.receive(part)

    async def read(self, declared: int) -> None:
        fields = [(b"content-length", b"%d" % declared)]
        call = ForwardCall(Request("POST", b"/", fields, None), TargetPolicy("http://api", 1, 1, 0), 2)
        async for piece in self._channel.request_body(call):
            self.read_bytes += len(piece)

    async def _publish(self, part: Part) -> None:
        self.published.append(part)


@pytest.mark.parametrize("body", [b"abc", b"abcdefgh"])
async def test_a_body_of_another_length_fails(body: bytes) -> None:
    """A body that is longer or shorter than its Content-Length is never whole, and no byte over it is read."""
    channel = Channel(Chunk(0, memoryview(body)), End(1))
    with pytest.raises(RequestLost):
        await channel.read(5)
    assert channel.read_bytes <= 5


async def test_credit_is_granted_as_chunks_are_taken() -> None:
    """The worker grants credit for a window of chunks, names its mailbox, and grants more as it takes them."""
    channel = Channel(*(Chunk(number, memoryview(b"a")) for number in range(3)), End(3))
    await channel.read(3)
    assert channel.published == [Credit(2, "worker"), Credit(3, "worker"), Credit(4, "worker"), Credit(5, "worker")]


async def test_a_part_that_is_no_body_fails() -> None:
    """A gateway that sends anything else inside a body has lost the request."""
    with pytest.raises(RequestLost, match="sent Go inside a request body"):
        await Channel(Go()).read(5)
