"""A request that skips the queues is sent a second time if it may be, and if its whole body is still here."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.types import Message

from fast_priority.errors import GatewayError, TargetClosed, TargetRefused
from fast_priority.gateway.handler import Gateway
from fast_priority.http.message import Bytes
from fast_priority.http.trusted_proxies import TrustedProxies
from fast_priority.http.via import Deployment
from fast_priority.scheduling.rules import Listing, Rules


class Target:
    """Fails once, after it has read so many pieces of the body; then it reads all of it, and answers 204."""

    policy = SimpleNamespace(max_body_bytes=0, base_url="http://target")

    def __init__(self, error: GatewayError, takes_pieces: int) -> None:
        self._error: GatewayError | None = error
        self._takes_pieces = takes_pieces
        self.bodies: list[bytes] = []

    @asynccontextmanager
    async def exchange(self, method: str, raw_target: bytes, fields: Any, body: Any, **__: Any) -> AsyncIterator[Any]:
        pieces = body if not isinstance(body, bytes) else _of(body)
        if self._error is not None:
            error, self._error = self._error, None
            for _piece in range(self._takes_pieces):
                await anext(pieces)
            raise error
        self.bodies.append(b"".join([bytes(piece) async for piece in pieces]))
        yield SimpleNamespace(status=204, fields=[], http_version="1.1", head_at=1.0, whole_if_quick=_nothing)

    def check(self, raw_target: bytes) -> None:
        """Take every path."""

    def gateway(self) -> Gateway:
        rules = Rules.of(Listing.UNLISTED, (), (), ("direct",), ignore_outer_slashes=True)
        queues: Any = None
        target: Any = self
        return Gateway(rules, TrustedProxies.of(()), queues, target, 6, lambda _: 1, 30.0, Deployment())


async def _nothing() -> bytes:
    return b""


async def _of(*pieces: bytes) -> AsyncIterator[Bytes]:
    for piece in pieces:
        yield piece


async def status_of(target: Target, method: str, *messages: tuple[bytes, bool], length: int | None = None) -> int:
    """Return the status of the response to a request with this body."""
    framing = (b"transfer-encoding", b"chunked") if length is None else (b"content-length", b"%d" % length)
    scope = {
        "type": "http", "method": method, "http_version": "1.1", "scheme": "http", "client": ("192.0.2.7", 1),
        "path": "/direct", "raw_path": b"/direct", "query_string": b"", "headers": [(b"host", b"x"), framing],
    }  # fmt: skip
    coming, sent = iter(messages), []

    async def receive() -> Message:
        data, more = next(coming, (None, False))
        if data is None:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": data, "more_body": more}

    async def send(message: Message) -> None:
        sent.append(message)

    await target.gateway()(scope, receive, send)
    status: int = sent[0]["status"]
    return status


BODY = ((b"first", True), (b"last", False))


async def test_a_body_that_was_not_sent_goes_with_the_second_attempt() -> None:
    """A first piece that the gateway has read and not sent is sent with the second attempt."""
    target = Target(TargetRefused(), takes_pieces=0)
    assert await status_of(target, "PUT", *BODY) == 204
    assert target.bodies == [b"firstlast"]


async def test_a_small_body_goes_with_the_second_attempt() -> None:
    """It is held as a whole, so it can be sent again."""
    target = Target(TargetClosed(), takes_pieces=1)
    assert await status_of(target, "PUT", (b"ab", True), (b"c", False), length=3) == 204
    assert target.bodies == [b"abc"]


@pytest.mark.parametrize("takes_pieces", [1, 2])
async def test_a_body_that_was_handed_on_is_not_there_again(takes_pieces: int) -> None:
    """The target has read a part of it: a second attempt would send only the rest."""
    target = Target(TargetClosed(), takes_pieces)
    assert await status_of(target, "PUT", *BODY) == 502
    assert target.bodies == []


async def test_another_method_is_not_tried_again() -> None:
    """Even if no part of its body has been sent."""
    target = Target(TargetRefused(), takes_pieces=0)
    assert await status_of(target, "POST", *BODY) == 502
