"""A body that comes by way of Redis is as long as its request said, or is none."""

import pytest

from fast_priority.errors import RequestLost
from fast_priority.http.message import Request, TargetPolicy
from fast_priority.protocol.frames import Chunk, End, ForwardCall, Part
from fast_priority.slots.forward import GatewayChannel


@pytest.mark.parametrize("said", [b"abc", b"abcdefgh"])
async def test_a_body_of_another_length_breaks_off(said: bytes) -> None:
    """What is longer or shorter than its Content-Length is never sent as whole, and no byte over it is sent."""

    async def say(part: Part) -> None:
        return

    line = GatewayChannel("worker", say)
    line.conversation.hear(Chunk(0, memoryview(said)))
    line.conversation.hear(End(1))
    request = Request("POST", b"/", [(b"content-length", b"5")], None)
    sent = 0

    async def send() -> None:
        nonlocal sent
        async for piece in line.request_body(ForwardCall(request, TargetPolicy("http://api", 1, 1, 0))):
            sent += len(piece)

    with pytest.raises(RequestLost):
        await send()
    assert sent <= 5
