"""WebSockets: a handshake at the target, and, if it agrees, a tunnel between it and the client.

A handshake waits in its queue as every request does, and a worker holds a slot for it until the target has answered:
with a 101, or with a whole response that declines. The tunnel itself takes no slot, for it may last for days. Nothing
in it is read: messages, pings and close codes pass as bytes, both ways, no faster than the other side takes them.
"""

import asyncio
import contextlib
import logging
import math
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from fast_priority.broker.producer import Permit
from fast_priority.errors import GatewayError, TooManyTunnels, WebSocketsNotCarried, without_traces
from fast_priority.gateway.response import ClientResponse
from fast_priority.http.asgi import Scope, Send
from fast_priority.http.client_patience import LEAST_BYTES_PER_SECOND
from fast_priority.http.forwarding import onward_response_fields
from fast_priority.http.message import Fields
from fast_priority.http.problem import problem_reply
from fast_priority.protocol.retry import Attempt, error_of_both, is_retryable
from fast_priority.support.byte_stream import ByteStream, pump
from fast_priority.support.outage_log import OutageLog
from fast_priority.support.unsent import Unsent
from fast_priority.target import Accepted, Declined, Target, ask_for_websocket

logger = logging.getLogger(__name__)

_DRAIN_SECONDS = 5.0

Permits = Callable[[Attempt], Awaitable[Permit | None]]
"""Returns the permit for an attempt; None if the client has been answered in another way."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """A client's request for a WebSocket.

    `permits` is None for one that skips the queue. `most_response_bytes` bounds the body of a response that declines;
    0 is no limit.
    """

    raw_target: bytes
    fields: Fields
    permits: Permits | None
    most_response_bytes: int = 0


class WebSocketProxy:
    """The WebSockets of one gateway: those that are open, and those that are asked for.

    Of both together there are at most `most`. A client that takes fewer than 500 bytes a second of what waits for it,
    for `client_patience_seconds`, is reset, and so is a target that takes nothing for its timeout.
    """

    def __init__(self, target: Target, most: int, client_patience_seconds: float) -> None:
        self._target = target
        self._most = most
        self._client_patience_seconds = client_patience_seconds
        self._count = 0
        self._repeated = OutageLog("a handshake failed, and is queued again, in front", logger)
        self._slow = OutageLog("broke off a WebSocket, one side of which took nothing", logger)

    async def serve(self, handshake: Handshake, reply: ClientResponse) -> None:
        """Answer one as the target does, and be the tunnel to its end. Raises GatewayError, TooManyTunnels at once."""
        with self._take_place():
            accepted = await self._shake_hands(handshake, reply)
            if accepted is not None:
                await self._join(accepted, reply)

    @contextlib.contextmanager
    def _take_place(self) -> Iterator[None]:
        if self._count >= self._most:
            raise TooManyTunnels(f"{self._most} are open or asked for")
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1

    async def _shake_hands(self, handshake: Handshake, reply: ClientResponse) -> Accepted | None:
        """Return what the target agreed to; None if the client has its response.

        An attempt that failed before any of its response was sent on is followed by a second one, as for GET.
        """
        try:
            return await self._attempt(1, handshake, reply)
        except GatewayError as error:
            if reply.has_begun or not is_retryable(error, is_idempotent=True, body_was_read=False):
                raise
            self._repeated.failure(error)
            first_error = error
        without_traces(first_error)
        try:
            return await self._attempt(2, handshake, reply)
        except GatewayError as error:
            raise error_of_both(first_error, error) from None

    async def _attempt(self, number: Attempt, handshake: Handshake, reply: ClientResponse) -> Accepted | None:
        if handshake.permits is None:
            return await self._ask_target(handshake, reply)
        permit = await handshake.permits(number)
        if permit is None:
            return None
        async with permit:
            return await self._ask_target(handshake, reply)

    async def _ask_target(self, handshake: Handshake, reply: ClientResponse) -> Accepted | None:
        answer = await ask_for_websocket(
            self._target,
            handshake.raw_target,
            handshake.fields,
            most_response_bytes=handshake.most_response_bytes,
        )
        if isinstance(answer, Declined):
            await _relay(answer, reply)
            return None
        return answer

    async def _join(self, accepted: Accepted, reply: ClientResponse) -> None:
        """Send the client the 101, and be the tunnel until it ends."""
        loop, over, target = asyncio.get_running_loop(), asyncio.Event(), accepted.stream

        def end_soon() -> None:
            loop.call_later(_DRAIN_SECONDS, over.set)

        try:
            client = reply.hand_over(end_soon)
        except ConnectionResetError:
            target.reset()
            return
        client.writer.write(_switching_head(accepted.fields, reply.name) + accepted.begun)
        has_ended_well = False
        try:
            has_ended_well = await self._carry(client, target, over)
        finally:
            if not has_ended_well:
                client.reset()
                target.reset()
        await asyncio.gather(client.close(), target.close())

    async def _carry(self, client: ByteStream, target: ByteStream, over: asyncio.Event) -> bool:
        """Carry both directions. Return False if either side broke off, True if both ended, or when it has to end."""
        slow, patience_seconds = asyncio.Event(), self._client_patience_seconds
        least_bytes = math.ceil(LEAST_BYTES_PER_SECOND * patience_seconds)
        to_client = Unsent(lambda: client.unsent_bytes, patience_seconds, least_bytes, slow.set)
        to_target = Unsent(lambda: target.unsent_bytes, self._target.policy.timeout_seconds, 1, slow.set)
        both = asyncio.gather(pump(client, target, to_target), pump(target, client, to_client))
        events = [asyncio.ensure_future(event.wait()) for event in (client.was_reset, target.was_reset, slow, over)]
        ends: list[asyncio.Future[Any]] = [both, *events]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if slow.is_set():
                self._slow.failure("its limit is FAST_PRIORITY_CLIENT_TIMEOUT or FAST_PRIORITY_TIMEOUT")
            return both.exception() is None if both.done() else over.is_set() and not slow.is_set()
        finally:
            to_client.close()
            to_target.close()
            for end in ends:
                end.cancel()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await both


async def _relay(answer: Declined, reply: ClientResponse) -> None:
    """Send the client the response by which the target declined."""
    is_whole = False
    try:
        await reply.stream(answer)
        is_whole = True
    finally:
        answer.end(is_whole=is_whole)


def _switching_head(fields: Fields, name: bytes) -> bytes:
    own: Fields = [(b"connection", b"Upgrade"), (b"upgrade", b"websocket")]
    onward = onward_response_fields(fields, "1.1", name)
    lines = [b"HTTP/1.1 101 Switching Protocols", *(name + b": " + value for name, value in [*own, *onward])]
    return b"\r\n".join(lines) + b"\r\n\r\n"


async def decline_websocket(scope: Scope, send: Send) -> None:
    """Answer a WebSocket that another server has opened, of which only messages are left, with 501."""
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": 1000})
        return
    reply = problem_reply(WebSocketsNotCarried("start the gateway with run-fast-priority"))
    await send({"type": "websocket.http.response.start", "status": reply.status, "headers": reply.fields})
    await send({"type": "websocket.http.response.body", "body": reply.body})
