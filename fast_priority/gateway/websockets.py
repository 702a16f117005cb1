"""WebSockets: a handshake at the target and, if the target accepts, a tunnel between it and the client.

A handshake waits in its queue like every request, and a worker holds a slot for it until the target has answered with a
101, or with a whole response that declines. The tunnel takes no slot, because it may last for days. The gateway does
not read what passes: messages, pings and close codes are bytes to it, and go no faster than the other side reads them.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from starlette.types import Scope, Send

from fast_priority.errors import TooManyTunnels, WebSocketsNotCarried
from fast_priority.gateway.response import ClientResponse
from fast_priority.http.cors import NO_ORIGINS, AllowedOrigins
from fast_priority.http.forwarding import onward_response_fields
from fast_priority.http.head import response_head
from fast_priority.http.limits import LEAST_BYTES_PER_SECOND
from fast_priority.http.message import Fields
from fast_priority.http.problem import problem_reply
from fast_priority.support.byte_stream import ByteStream, pump
from fast_priority.support.outage_log import OutageLog
from fast_priority.support.rate_timeout import RateTimeout
from fast_priority.support.slow_readers import SlowReaders
from fast_priority.target import Accepted, Declined, Target, ask_for_websocket

logger = logging.getLogger(__name__)

_DRAIN_SECONDS = 5.0


class WebSocketProxy:
    """The WebSockets of one gateway, open and being opened: at most `most` of both together.

    A client that reads fewer than 500 bytes a second of what waits for it, for `client_timeout_seconds`, is reset, and
    so is a target that reads nothing for its timeout.
    """

    def __init__(self, target: Target, most: int, client_timeout_seconds: float) -> None:
        self._target = target
        self._most = most
        self._client_timeout_seconds = client_timeout_seconds
        self._slow_readers = SlowReaders(min(target.policy.timeout_seconds, client_timeout_seconds))
        self._count = 0
        self._slow = OutageLog("broke off a WebSocket: one side did not read", logger)

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """Take the place of one WebSocket while the block lasts. Raises TooManyTunnels if there is none."""
        if self._count >= self._most:
            raise TooManyTunnels(f"{self._most} are open or being opened")
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1

    async def shake_hands(
        self, raw_target: bytes, fields: Fields, response: ClientResponse, most_response_bytes: int = 0
    ) -> Accepted | None:
        """Ask the target for a WebSocket, once. Return what it accepted; None if the client has its refusal.

        `most_response_bytes` bounds the body of a response that declines; 0 is no limit. Raises GatewayError.
        """
        response.record.note_slot()
        answer = await ask_for_websocket(self._target, raw_target, fields, most_response_bytes=most_response_bytes)
        response.record.note_head()
        if isinstance(answer, Declined):
            await _relay(answer, response)
            return None
        return answer

    async def join(self, accepted: Accepted, response: ClientResponse) -> None:
        """Send the client the 101, and carry the tunnel until it ends."""
        loop, over, target = asyncio.get_running_loop(), asyncio.Event(), accepted.stream

        def end_soon() -> None:
            loop.call_later(_DRAIN_SECONDS, over.set)

        try:
            client = response.hand_over(end_soon)
        except ConnectionResetError:
            target.reset()
            return
        client.writer.write(_switching_head(accepted.fields, response) + accepted.begun)
        has_ended_well = False
        try:
            has_ended_well = await self._carry(client, target, over)
        finally:
            if not has_ended_well:
                client.reset()
                target.reset()
        await asyncio.gather(client.close(), target.close())

    async def _carry(self, client: ByteStream, target: ByteStream, over: asyncio.Event) -> bool:
        """Carry both directions. Return False if one side broke off; True if both ended, or the server shuts down."""
        slow, timeout_seconds = asyncio.Event(), self._target.policy.timeout_seconds
        for_client = RateTimeout(self._client_timeout_seconds, LEAST_BYTES_PER_SECOND)
        for_target = RateTimeout(timeout_seconds, 1 / timeout_seconds)  # with each byte it has the whole time again
        client.time_out_reader(self._slow_readers, for_client, slow.set)
        target.time_out_reader(self._slow_readers, for_target, slow.set)
        both = asyncio.gather(pump(client, target), pump(target, client))
        events = [asyncio.ensure_future(event.wait()) for event in (client.was_reset, target.was_reset, slow, over)]
        ends: list[asyncio.Future[Any]] = [both, *events]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if slow.is_set():
                self._slow.failure("the limits are FAST_PRIORITY_CLIENT_TIMEOUT and FAST_PRIORITY_TIMEOUT")
            return both.exception() is None if both.done() else over.is_set() and not slow.is_set()
        finally:
            for end in ends:
                end.cancel()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await both


async def _relay(answer: Declined, response: ClientResponse) -> None:
    """Send the client the response with which the target has declined."""
    is_whole = False
    try:
        await response.stream(answer)
        is_whole = True
    finally:
        answer.end(is_whole=is_whole)


def _switching_head(fields: Fields, response: ClientResponse) -> bytes:
    own: Fields = [(b"connection", b"Upgrade"), (b"upgrade", b"websocket")]
    onward = onward_response_fields(fields, "1.1", response.name)
    return response_head(HTTPStatus.SWITCHING_PROTOCOLS, [*own, *onward, *response.own_fields(fields)])


async def decline_websocket(scope: Scope, send: Send, origins: AllowedOrigins = NO_ORIGINS) -> None:
    """Answer a WebSocket with 501 that another server has taken over: only its messages are left, not its bytes."""
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": 1000})
        return
    error = WebSocketsNotCarried("start the gateway with run-fast-priority")
    reply = problem_reply(error, origins.fields_for(scope["headers"]))
    await send({"type": "websocket.http.response.start", "status": reply.status, "headers": reply.fields})
    await send({"type": "websocket.http.response.body", "body": reply.body})
