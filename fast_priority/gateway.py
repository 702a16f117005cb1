"""The ASGI endpoint between the client and the queues: classify, submit, wait, answer."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Protocol

from fast_priority.errors import GatewayError, GatewayNotReady, RequestBodyTooLarge, error_for
from fast_priority.fields import (
    check_request_framing,
    content_length,
    end_to_end_request_fields,
    has_body,
)
from fast_priority.message import Failure, Fields, ForwardCall, Reply, Request, encode
from fast_priority.priority import Priority, Rules
from fast_priority.target import Body, Response, Target

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_DESCRIPTION_CHARACTERS = 120
_WITHOUT_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT, HTTPStatus.NOT_MODIFIED})


class Queues(Protocol):
    """What the gateway needs of the broker; `broker.submitting.Submitter` is one."""

    async def ask(self, priority: Priority, payload: bytes, description: str) -> Reply | Failure:
        """Queue a ForwardCall and give what came of it. Raises GatewayError."""
        ...


class ClientLeft(Exception):
    """The client closed its connection; nobody is there to answer."""


class Gateway:
    """Answers every HTTP request as the target would, by way of the queues.

    An ASGI application: each request is put on the queue that `rules` name for its path, or passed on directly.
    """

    def __init__(self, rules: Rules, queues: Queues, target: Target) -> None:
        self._rules = rules
        self._queues = queues
        self._target = target

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        reply = _ReplySender(scope, send)
        try:
            await self._answer(scope, receive, reply)
        except ClientLeft:
            logger.debug("the client left before it was answered")
        except GatewayError as error:
            if reply.has_begun:
                raise  # the server then closes the connection: what the client has is not a whole response
            # Overload and bad requests come in floods; what the target or we did wrong is worth a line each.
            level = logging.WARNING if error.fault in ("target", "internal") else logging.DEBUG
            logger.log(level, "%s %a answered %d: %s", scope["method"], scope["path"], error.status, error.slug)
            await reply.send_error(error)

    async def _answer(self, scope: Scope, receive: Receive, reply: "_ReplySender") -> None:
        # Copied before the body is read: the server appends trailer fields to the same list as they come in.
        fields: Fields = list(scope["headers"])
        check_request_framing(scope["method"], fields, http_version=scope["http_version"])
        declared = content_length(fields)
        if declared is not None and declared > self._target.policy.max_body_bytes:
            raise RequestBodyTooLarge(_too_large(self._target.policy.max_body_bytes))
        raw_path: bytes = scope["raw_path"]
        query: bytes = scope["query_string"]
        raw_target = raw_path + b"?" + query if query else raw_path
        forwarded = end_to_end_request_fields(fields)
        priority = self._rules.priority_of(raw_path.decode("latin-1"))
        if priority is None:
            body: Body = self._streamed_body(receive) if has_body(fields) else b""
            async with self._target.exchange(scope["method"], raw_target, forwarded, body) as response:
                await reply.stream(response)
            return
        whole = b"".join([chunk async for chunk in self._streamed_body(receive)])
        call = ForwardCall(Request(scope["method"], raw_target, forwarded, whole), self._target.policy)
        description = f"{scope['method']} {scope['path']!a}"[:_DESCRIPTION_CHARACTERS]
        outcome = await _unless_client_leaves(self._queues.ask(priority, encode(call), description), receive)
        if isinstance(outcome, Failure):
            raise error_for(outcome.slug, outcome.detail)
        await reply.send(outcome)

    async def _streamed_body(self, receive: Receive) -> AsyncIterator[bytes]:
        most, size, more = self._target.policy.max_body_bytes, 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientLeft
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > most:
                raise RequestBodyTooLarge(_too_large(most))
            more = message.get("more_body", False)
            if chunk:
                yield chunk


async def _unless_client_leaves(asking: Awaitable[Reply | Failure], receive: Receive) -> Reply | Failure:
    """Wait for the answer, and for the client to leave: then the waiting is cancelled and ClientLeft raised."""
    waiting = asyncio.ensure_future(asking)
    leaving = asyncio.ensure_future(receive())  # the body is read: the only message still to come is a disconnect
    try:
        await asyncio.wait([waiting, leaving], return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            raise ClientLeft
        return waiting.result()
    finally:
        leaving.cancel()
        if not waiting.done():
            waiting.cancel()


class _ReplySender:
    """Sends one response, in the ASGI server's messages."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._method: str = scope["method"]
        self._send = send
        self.has_begun = False

    async def send(self, reply: Reply) -> None:
        bodiless = reply.status in _WITHOUT_BODY or self._method == "HEAD"
        await self._begin(reply.status, reply.fields, b"" if bodiless else reply.body)
        await self._send({"type": "http.response.body", "body": b"" if bodiless else reply.body})

    async def stream(self, response: Response) -> None:
        await self._begin(response.status, response.fields, None)
        async for chunk in response.chunks():
            await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})

    async def send_error(self, error: GatewayError) -> None:
        problem = {
            "type": f"urn:fast-priority:{error.slug}",
            "title": error.title,
            "status": error.status,
            "detail": error.detail,
            "fault": error.fault,
        }
        body = json.dumps(problem).encode()
        fields = [
            (b"content-type", b"application/problem+json"),
            (b"content-length", b"%d" % len(body)),
            (b"date", formatdate(usegmt=True).encode()),
            (b"proxy-status", _proxy_status(error)),
        ]
        if error.retry_after_seconds is not None:
            fields.append((b"retry-after", b"%d" % error.retry_after_seconds))
        if error.closes_connection:
            fields.append((b"connection", b"close"))
        await self._begin(error.status, fields, body)
        await self._send({"type": "http.response.body", "body": b"" if self._method == "HEAD" else body})

    async def _begin(self, status: int, fields: Fields, body: bytes | None) -> None:
        if status in _WITHOUT_BODY and self._method != "HEAD":
            # The server would wait for as many bytes as this field names; RFC 9110, section 8.6, lets it be left out.
            fields = [field for field in fields if field[0].lower() != b"content-length"]
        elif body is not None and not any(name.lower() == b"content-length" for name, _ in fields):
            fields = [*fields, (b"content-length", b"%d" % len(body))] if self._method != "HEAD" else fields
        self.has_begun = True
        await self._send({"type": "http.response.start", "status": status, "headers": fields})


def _proxy_status(error: GatewayError) -> bytes:
    """The field of RFC 9209: who speaks, what went wrong, in words (a structured-field string is printable ASCII)."""
    words = error.detail.encode("ascii", "replace").decode().replace("\\", "\\\\").replace('"', '\\"')
    words = "".join(character if character.isprintable() else " " for character in words)
    return f'fast-priority; error={error.proxy_error}; details="{words}"'.encode()


def _too_large(most_bytes: int) -> str:
    return f"a request body may have {most_bytes} bytes (FAST_PRIORITY_MAX_BODY)"


async def answer_unavailable(scope: Scope, send: Send) -> None:
    """Answer a request while the gateway is not, or no longer, connected to its queues."""
    await _ReplySender(scope, send).send_error(GatewayNotReady("it is not connected to its queues"))
