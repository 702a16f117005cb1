"""WebSockets: a handshake at the target, and, if it agrees, a tunnel between it and the client.

Nothing in the tunnel is read: messages, pings and close codes pass as bytes, both ways, no faster than the other side
takes them. A WebSocket does not wait in a queue and takes no slot, for it may last for days.
"""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from http import HTTPStatus
from typing import Any

from fast_priority.asgi import Scope, Send
from fast_priority.byte_stream import ByteStream, pump
from fast_priority.client_connection import ClientConnection
from fast_priority.deployment import Deployment
from fast_priority.errors import GatewayError, WebSocketsNotCarried
from fast_priority.fields import check_request_framing
from fast_priority.forwarding import Hop, onward_request_fields, onward_response_fields
from fast_priority.handshake import Accepted, Declined, ask_for_websocket
from fast_priority.message import Fields, TargetPolicy
from fast_priority.problem import answer_problem, problem_reply
from fast_priority.trouble import Trouble
from fast_priority.trusted_proxies import TrustedProxies

logger = logging.getLogger(__name__)

_DRAIN_SECONDS = 5.0
_WITHOUT_BODY = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


class Tunnels:
    """Answers every request for a WebSocket as the target would."""

    def __init__(self, policy: TargetPolicy, trusted: TrustedProxies, deployment: Deployment) -> None:
        self._policy = policy
        self._trusted = trusted
        self._deployment = deployment
        self._failures: dict[str, Trouble] = {}

    async def serve(self, scope: Scope, send: Send, connection: ClientConnection) -> None:
        """Serve one, to its end."""
        try:
            asking = ask_for_websocket(self._policy, connection.raw_target, self._onward_fields(scope))
            answer = await _unless_set(connection.left, asking)
        except GatewayError as error:
            kind = self._failures.setdefault(error.slug, Trouble(f"no WebSocket, {error.slug}", logger))
            kind.met(error.detail)
            await answer_problem(send, error)
            return
        if isinstance(answer, Declined):
            await _relay(answer, send, connection, self._deployment.name)
        elif answer is not None:
            await _join(answer, connection, self._deployment.name)

    def _onward_fields(self, scope: Scope) -> Fields:
        """Give the fields that the target should see. Raises MalformedRequest and LoopDetected."""
        fields: Fields = list(scope["headers"])
        check_request_framing(scope["method"], fields, http_version=scope["http_version"])
        return onward_request_fields(fields, Hop.of(scope), self._trusted, self._deployment.names)


async def _unless_set(
    left: asyncio.Event, asking: Coroutine[Any, Any, Accepted | Declined]
) -> Accepted | Declined | None:
    """Give the answer; None if the client leaves before there is one."""
    asked, leaving = asyncio.ensure_future(asking), asyncio.ensure_future(left.wait())
    try:
        await asyncio.wait([asked, leaving], return_when=asyncio.FIRST_COMPLETED)
        return await asked if asked.done() else None
    finally:
        asked.cancel()
        leaving.cancel()


async def _relay(answer: Declined, send: Send, connection: ClientConnection, name: bytes) -> None:
    """Give the client the response by which the target declined."""
    fields = onward_response_fields(answer.fields, answer.http_version, name)
    try:
        await send({"type": "http.response.start", "status": answer.status, "headers": fields})
        if answer.status in _WITHOUT_BODY:
            connection.announce_no_body()
        async for chunk in answer.chunks():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    except BaseException:
        answer.stream.reset()
        raise
    await answer.stream.close()


async def _join(answer: Accepted, connection: ClientConnection, name: bytes) -> None:
    """Tell the client that the target agreed, and be the tunnel until it ends."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    target = answer.stream

    def end_soon() -> None:
        loop.call_later(_DRAIN_SECONDS, over.set)

    try:
        client = connection.take_over(end_soon)
    except ConnectionResetError:
        target.reset()
        return
    client.writer.write(_switching_head(answer.fields, name) + answer.begun)
    has_ended_well = False
    try:
        has_ended_well = await _carry(client, target, over)
    finally:
        if not has_ended_well:
            client.reset()
            target.reset()
    await asyncio.gather(client.close(), target.close())


async def _carry(client: ByteStream, target: ByteStream, over: asyncio.Event) -> bool:
    """Carry both directions. Give False if either side broke off, True if both ended, or when it is to be over."""
    both = asyncio.gather(pump(client, target), pump(target, client))
    events = [asyncio.ensure_future(event.wait()) for event in (client.was_reset, target.was_reset, over)]
    ends: list[asyncio.Future[Any]] = [both, *events]
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        return both.exception() is None if both.done() else over.is_set()
    finally:
        for end in ends:
            end.cancel()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await both


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
