"""The ASGI endpoint between the client and the queues: classify, submit, wait, answer."""

import asyncio
import contextlib
import json
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, MutableMapping
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Protocol

from fast_priority.errors import (
    GatewayError,
    GatewayNotReady,
    RequestBodyTooLarge,
    RequestTimeout,
    ResponseBodyTooLarge,
    error_for,
)
from fast_priority.fields import (
    check_request_framing,
    content_length,
    end_to_end_request_fields,
    has_body,
)
from fast_priority.message import Bytes, Failure, Fields, ForwardCall, Reply, Request, encode
from fast_priority.priority import Priority, Rules
from fast_priority.target import MOST_WHOLE_BYTES, Body, Target
from fast_priority.trouble import Trouble

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_DESCRIPTION_CHARACTERS = 120
_MOST_BYTES_WITHOUT_CHUNKS = 16 * 1024 * 1024
_WITHOUT_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT, HTTPStatus.NOT_MODIFIED})


class Response(Protocol):
    """A response whose body is still coming."""

    @property
    def status(self) -> int:
        """Its status."""
        ...

    @property
    def fields(self) -> Fields:
        """Its fields."""
        ...

    def chunks(self) -> AsyncIterator[Bytes]:
        """Give its body as it comes. Raises GatewayError where it breaks off."""
        ...


class Stream(Response, Protocol):
    """A response that comes from a worker."""

    def close(self) -> None:
        """Nobody reads on."""
        ...


class Queues(Protocol):
    """What the gateway needs of the broker; `broker.submitting.Submitter` is one."""

    def ask(
        self, priority: Priority, payload: bytes, description: str, body: AsyncIterator[Bytes] | None
    ) -> Coroutine[Any, Any, Reply | Failure | Stream]:
        """Queue a ForwardCall and give what came of it. Raises GatewayError, and what the body raises."""
        ...


class ClientLeft(Exception):
    """The client closed its connection; nobody is there to answer."""


class Gateway:
    """Answers every HTTP request as the target would, by way of the queues.

    An ASGI application: each request is put on the queue that `rules` name for its path, or passed on directly.
    """

    def __init__(self, rules: Rules, queues: Queues, target: Target, frames_in_flight: int) -> None:
        self._rules = rules
        self._queues = queues
        self._target = target
        self._frames_in_flight = frames_in_flight
        self._failures: dict[str, Trouble] = {}

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
            self._tell(error, scope)
            await reply.send_error(error)

    def _tell(self, error: GatewayError, scope: Scope) -> None:
        # Failures come in floods: of each kind the log has the first, and then now and then one with a count.
        kind = self._failures.setdefault(error.slug, Trouble(f"answered {error.status} {error.slug}", logger))
        kind.met(f"{scope['method']} {scope['path']!a}: {error.detail}")

    async def _answer(self, scope: Scope, receive: Receive, reply: "_ReplySender") -> None:
        # Copied before the body is read: a server may append trailer fields to the same list as they come in.
        fields: Fields = list(scope["headers"])
        check_request_framing(scope["method"], fields, http_version=scope["http_version"])
        most_bytes = self._target.policy.max_body_bytes
        body = _ClientBody(fields, receive, most_bytes, patience_seconds=self._target.policy.timeout_seconds)
        raw_path: bytes = scope["raw_path"]
        query: bytes = scope["query_string"]
        raw_target = raw_path + b"?" + query if query else raw_path
        forwarded = end_to_end_request_fields(fields)
        priority = self._rules.priority_of(raw_path.decode("latin-1"))
        if priority is None:
            answering = self._pass_on(scope["method"], raw_target, forwarded, body, reply)
        else:
            answering = self._queue(priority, scope, raw_target, forwarded, body, reply)
        await _unless_client_leaves(answering, body, reply)

    async def _queue(
        self,
        priority: Priority,
        scope: Scope,
        raw_target: bytes,
        fields: Fields,
        body: "_ClientBody",
        reply: "_ReplySender",
    ) -> None:
        inline = await body.whole() if body.is_small else None
        request = Request(scope["method"], raw_target, fields, inline)
        call = ForwardCall(request, self._target.policy, self._frames_in_flight)
        description = f"{scope['method']} {scope['path']!a}"[:_DESCRIPTION_CHARACTERS]
        later = None if body.is_small else body.chunks()
        outcome = await self._queues.ask(priority, encode(call), description, later)
        if isinstance(outcome, Failure):
            raise error_for(outcome.slug, outcome.detail)
        if isinstance(outcome, Reply):
            await reply.send(outcome)
            return
        with contextlib.closing(outcome):
            await reply.stream(outcome)

    async def _pass_on(
        self, method: str, raw_target: bytes, fields: Fields, body: "_ClientBody", reply: "_ReplySender"
    ) -> None:
        sent: Body = await body.whole() if body.is_small else body.chunks()
        async with self._target.exchange(method, raw_target, fields, sent) as response:
            await reply.stream(response)


class _ClientBody:
    """The body of one request, as the server receives it. Raises RequestBodyTooLarge if it is declared too large."""

    def __init__(self, fields: Fields, receive: Receive, most_bytes: int, patience_seconds: float) -> None:
        self._receive = receive
        self._most_bytes = most_bytes or math.inf
        self._patience_seconds = patience_seconds
        self._was_read = asyncio.Event()
        declared = content_length(fields)
        if declared is not None and declared > self._most_bytes:
            raise self._too_large()
        self.is_small = declared <= MOST_WHOLE_BYTES if declared is not None else not has_body(fields)
        """Whether it is small enough to be read before anybody wants it."""

    async def whole(self) -> bytes:
        """Give the whole body."""
        return b"".join([chunk async for chunk in self.chunks()])

    async def chunks(self) -> AsyncIterator[Bytes]:
        """Give the body as it comes.

        Raises ClientLeft, RequestBodyTooLarge as soon as it is, and RequestTimeout for a client that stops sending.
        """
        size, more = 0, True
        while more:
            message = await self._message()
            if message["type"] == "http.disconnect":
                raise ClientLeft
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > self._most_bytes:
                raise self._too_large()
            more = message.get("more_body", False)
            if chunk:
                yield chunk
        self._was_read.set()

    async def client_left(self) -> None:
        """Return when the client has left."""
        await self._was_read.wait()
        await self._receive()  # once the body is read, the only message still to come is a disconnect

    async def _message(self) -> Message:
        try:
            async with asyncio.timeout(self._patience_seconds):
                return await self._receive()
        except TimeoutError as error:
            raise RequestTimeout(f"nothing came for {self._patience_seconds:g} s") from error

    def _too_large(self) -> RequestBodyTooLarge:
        return RequestBodyTooLarge(f"a request body may have {self._most_bytes} bytes (FAST_PRIORITY_MAX_BODY)")


async def _unless_client_leaves(answering: Coroutine[Any, Any, None], body: _ClientBody, reply: "_ReplySender") -> None:
    """Do what answers the client, unless it leaves first: then that is cancelled and ClientLeft raised."""
    waiting, leaving = asyncio.ensure_future(answering), asyncio.ensure_future(body.client_left())
    try:
        await asyncio.wait([waiting, leaving], return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done() and not reply.has_ended:
            raise ClientLeft
        await waiting
    finally:
        leaving.cancel()
        if not waiting.done():
            waiting.cancel()


class _ReplySender:
    """Sends one response, in the ASGI server's messages."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._method: str = scope["method"]
        self._knows_chunks = scope["http_version"] != "1.0"
        self._send = send
        self.has_begun = False
        self.has_ended = False

    async def send(self, reply: Reply) -> None:
        """Send a whole response."""
        fields = reply.fields
        # To HEAD, the target may have left its Content-Length out; then nobody knows it.
        if content_length(fields) is None and (reply.body or self._method != "HEAD"):
            fields = [*fields, (b"content-length", b"%d" % len(reply.body))]
        await self._begin(reply.status, fields)
        await self._end(b"" if self._has_no_body(reply.status) else reply.body)

    async def stream(self, response: Response) -> None:
        """Send a response as it comes."""
        if not self._knows_chunks and content_length(response.fields) is None:
            # A client of HTTP/1.0 knows no chunks, so it must be told the length first.
            await self.send(Reply(response.status, response.fields, await _whole(response)))
            return
        await self._begin(response.status, response.fields)
        async for chunk in response.chunks():
            if not self._has_no_body(response.status):
                await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        await self._end(b"")

    async def send_error(self, error: GatewayError) -> None:
        """Say in a response of our own what went wrong (RFC 9457, RFC 9209)."""
        problem = {
            "type": f"urn:fast-priority:{error.slug}",
            "title": error.title,
            "status": error.status,
            "detail": error.detail,
            "fault": error.fault,
        }
        fields = [
            (b"content-type", b"application/problem+json"),
            (b"date", formatdate(usegmt=True).encode()),
            (b"proxy-status", _proxy_status(error)),
        ]
        if error.retry_after_seconds is not None:
            fields.append((b"retry-after", b"%d" % error.retry_after_seconds))
        if error.closes_connection:
            fields.append((b"connection", b"close"))
        await self.send(Reply(error.status, fields, json.dumps(problem).encode()))

    def _has_no_body(self, status: int) -> bool:
        return self._method == "HEAD" or status in _WITHOUT_BODY

    async def _begin(self, status: int, fields: Fields) -> None:
        if status in _WITHOUT_BODY and self._method != "HEAD":
            # The server would wait for as many bytes as the field names. RFC 9110, section 8.6, lets it be left out; a
            # 205 says that it has none (section 15.3.6), where the server would otherwise announce chunks.
            fields = [field for field in fields if field[0].lower() != b"content-length"]
            fields += [(b"content-length", b"0")] if status == HTTPStatus.RESET_CONTENT else []
        await self._send({"type": "http.response.start", "status": status, "headers": fields})
        self.has_begun = True

    async def _end(self, body: bytes) -> None:
        self.has_ended = True  # before the last message: with it, the server reports a disconnect
        await self._send({"type": "http.response.body", "body": body})


def _proxy_status(error: GatewayError) -> bytes:
    """The field of RFC 9209: who speaks, what went wrong, in words (a structured-field string is printable ASCII)."""
    words = error.detail.encode("ascii", "replace").decode().replace("\\", "\\\\").replace('"', '\\"')
    words = "".join(character if character.isprintable() else " " for character in words)
    return f'fast-priority; error={error.proxy_error}; details="{words}"'.encode()


async def _whole(response: Response) -> bytes:
    pieces, size = [], 0
    async for chunk in response.chunks():
        size += len(chunk)
        if size > _MOST_BYTES_WITHOUT_CHUNKS:
            raise ResponseBodyTooLarge(f"over {_MOST_BYTES_WITHOUT_CHUNKS} bytes of unknown length need HTTP/1.1")
        pieces.append(chunk)
    return b"".join(pieces)


async def answer_unavailable(scope: Scope, send: Send) -> None:
    """Answer a request while the gateway is not, or no longer, connected to its queues."""
    await _ReplySender(scope, send).send_error(GatewayNotReady("it is not connected to its queues"))
