"""The ASGI endpoint between the client and the queues: classify, submit, wait, answer."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from email.utils import formatdate
from functools import partial
from typing import Any, NamedTuple, Protocol

from starlette.types import Receive, Scope, Send

from fast_priority.broker.producer import Permit
from fast_priority.errors import ClientLeft, GatewayError, GatewayNotReady, RequestLost, without_traces
from fast_priority.gateway.request_body import RequestBody
from fast_priority.gateway.response import ClientResponse, Response
from fast_priority.gateway.websockets import Handshake, WebSocketProxy
from fast_priority.http.fields import (
    check_request_framing,
    content_length,
    expects_continue,
    has_body,
    without_websocket_fields,
)
from fast_priority.http.forwarding import hop_of, onward_request_fields
from fast_priority.http.limits import LEAST_BYTES_PER_SECOND
from fast_priority.http.max_forwards import answer_as_last, counted_down, ends_here
from fast_priority.http.memo import memoized
from fast_priority.http.message import Bytes, Fields, Reply, Request
from fast_priority.http.trusted_proxies import TrustedProxies
from fast_priority.http.via import Deployment
from fast_priority.protocol.frames import ForwardCall, encode
from fast_priority.protocol.retry import IDEMPOTENT_METHODS, Attempt, is_retryable
from fast_priority.scheduling.priority import Priority
from fast_priority.scheduling.rules import HANDSHAKE, Rules
from fast_priority.server import Leaving, connection_of
from fast_priority.support.outage_log import OutageLog
from fast_priority.support.rate_timeout import RateTimeout
from fast_priority.target import Body, Target

logger = logging.getLogger(__name__)

_DESCRIPTION_CHARACTERS = 120


class Stream(Response, Protocol):
    """A response that comes from a worker."""

    def close(self) -> None:
        """Nobody reads on."""
        ...


class Queues(Protocol):
    """What the gateway needs of the broker; `broker.submitting.Submitter` is one."""

    def ask(
        self,
        priority: Priority,
        payload: bytes,
        description: str,
        body: AsyncIterator[Bytes] | None,
        *,
        is_idempotent: bool,
        attempt: Attempt | None = None,
    ) -> Coroutine[Any, Any, Reply | Stream | Permit]:
        """Queue a ForwardCall and give what came of it. Raises GatewayError, and what the body raises.

        Without an `attempt`, there are two where the request may be sent again, else only that one.
        """
        ...


class _Head(NamedTuple):
    """What a request's head says."""

    onward: Fields
    """What the target is told."""
    declared_bytes: int | None
    """How long its body says it is; None if it does not say."""
    ends_here: bool
    """Whether the gateway has to answer it itself."""
    expects_continue: bool
    """Whether the client sends its body when it is told to."""


class Gateway:
    """Answers every HTTP request as the target would, by way of the queues.

    An ASGI application: each request is put on the queue that `rules` name for its path, or passed on directly.
    Only of `trusted` proxies is it believed whom they forward a request for. Where too much is going on,
    `retry_after_seconds` tells when a request of that priority should come again. `client_timeout_seconds` is the
    patience with a client that keeps the gateway waiting. By the names of the `deployment` a request that has been here
    before is recognised, and refused. Without `tunnels`, a request for a WebSocket is one like any other.
    """

    def __init__(
        self,
        rules: Rules,
        trusted: TrustedProxies,
        queues: Queues,
        target: Target,
        frames_in_flight: int,
        retry_after_seconds: Callable[[Priority], int],
        client_timeout_seconds: float,
        deployment: Deployment,
        tunnels: WebSocketProxy | None = None,
    ) -> None:
        self._rules = rules
        self._read_head = memoized(partial(_read_head, trusted=trusted))
        self._queues = queues
        self._target = target
        self._frames_in_flight = frames_in_flight
        self._retry_after_seconds = retry_after_seconds
        self._client_timeout_seconds = client_timeout_seconds
        self._deployment = deployment
        self._tunnels = tunnels
        self._failures: dict[str, OutageLog] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        reply = ClientResponse(scope, send, self._client_timeout_seconds, self._deployment.name)
        try:
            await self._answer(scope, receive, reply)
        except ClientLeft:
            logger.debug("the client left before it was answered")
        except GatewayError as error:
            self._tell(error, scope)
            await reply.send_error(error)
            without_traces(error)

    def _tell(self, error: GatewayError, scope: Scope) -> None:
        # Failures come in floods: of each kind the log has the first, and then now and then one with a count.
        kind = self._failures.setdefault(error.slug, OutageLog(f"answered {error.status} {error.slug}", logger))
        kind.failure(f"{scope['method']} {scope['path']!a}: {error.detail}")

    async def _answer(self, scope: Scope, receive: Receive, reply: ClientResponse) -> None:
        # Copied before the body is read: a server may append trailer fields to the same list as they come in.
        fields: Fields = list(scope["headers"])
        if self._tunnels is None:
            fields = without_websocket_fields(fields)
        method, http_version, client = scope["method"], scope["http_version"], scope.get("client")
        names = self._deployment.names
        head = self._read_head(fields, method, http_version, scope["scheme"], client[0] if client else None, names)
        connection = connection_of(scope)
        body = RequestBody(
            head.declared_bytes,
            receive,
            self._target.policy.max_body_bytes,
            RateTimeout(self._client_timeout_seconds, LEAST_BYTES_PER_SECOND),
            connection,
            comes_when_asked_for=head.expects_continue,
        )
        raw_path: bytes = scope["raw_path"]
        query: bytes = scope["query_string"]
        raw_target = connection.raw_target if connection else raw_path + b"?" + query if query else raw_path
        if head.ends_here:
            date = formatdate(usegmt=True)
            await reply.send(answer_as_last(method, raw_target, fields, http_version, date))
            return
        self._target.check(raw_target)
        wants_websocket = self._tunnels is not None and connection is not None and connection.wants_websocket
        # Nobody reads documentation by a WebSocket: only PASS_THROUGH lets a handshake skip the queue.
        priority = self._rules.priority_of(raw_path.decode("latin-1"), HANDSHAKE if wants_websocket else method)
        if self._tunnels is not None and wants_websocket:
            answering = self._carry_websocket(self._tunnels, priority, scope, raw_target, head.onward, reply)
        elif priority is None:
            answering = self._pass_on(method, raw_target, head.onward, body, reply)
        else:
            answering = self._queue(priority, scope, raw_target, head.onward, body, reply)
        if connection is None:
            await _unless_client_leaves(answering, body, reply)
        else:
            await _until_client_leaves(answering, connection.left, reply)

    async def _queue(
        self,
        priority: Priority,
        scope: Scope,
        raw_target: bytes,
        fields: Fields,
        body: RequestBody,
        reply: ClientResponse,
    ) -> None:
        inline = await body.whole_or_begun()
        request = Request(scope["method"], raw_target, fields, inline)
        call = self._call(request)
        later = body.chunks() if inline is None else None
        await self._relay(await self._ask(priority, scope, call, later), reply)

    def _call(self, request: Request, *, is_permit: bool = False) -> ForwardCall:
        return ForwardCall(
            request, self._target.policy, self._frames_in_flight, is_permit, self._client_timeout_seconds
        )

    async def _ask(
        self,
        priority: Priority,
        scope: Scope,
        call: ForwardCall,
        body: AsyncIterator[Bytes] | None,
        attempt: Attempt | None = None,
    ) -> Reply | Stream | Permit:
        description = f"{scope['method']} {scope['path']!a}"[:_DESCRIPTION_CHARACTERS]
        is_idempotent = scope["method"] in IDEMPOTENT_METHODS
        try:
            return await self._queues.ask(
                priority, encode(call), description, body, is_idempotent=is_idempotent, attempt=attempt
            )
        except GatewayError as error:
            if error.fault == "overload":
                error.retry_after_seconds = self._retry_after_seconds(priority)
            raise

    async def _relay(self, outcome: Reply | Stream | Permit, reply: ClientResponse) -> None:
        if isinstance(outcome, Reply):
            await reply.relay(outcome)
            return
        with contextlib.closing(outcome):
            if isinstance(outcome, Permit):
                raise RequestLost("a worker began its answer with a permit")
            await reply.stream(outcome)

    async def _carry_websocket(
        self,
        tunnels: WebSocketProxy,
        priority: Priority | None,
        scope: Scope,
        raw_target: bytes,
        fields: Fields,
        reply: ClientResponse,
    ) -> None:
        if priority is None:
            await tunnels.serve(Handshake(raw_target, fields, permits=None), reply)
            return
        policy = self._target.policy
        # The whole request: a worker of an earlier release does not know permits, and sends it without the upgrade.
        request = Request(scope["method"], raw_target, fields, b"")
        call = self._call(request, is_permit=True)

        async def permit_for(attempt: Attempt) -> Permit | None:
            outcome = await self._ask(priority, scope, call, None, attempt)
            if isinstance(outcome, Permit):
                return outcome
            await self._relay(outcome, reply)
            return None

        await tunnels.serve(Handshake(raw_target, fields, permit_for, policy.max_body_bytes), reply)

    async def _pass_on(
        self, method: str, raw_target: bytes, fields: Fields, body: RequestBody, reply: ClientResponse
    ) -> None:
        whole = await body.whole_or_begun()
        try:
            await self._exchange(method, raw_target, fields, body.chunks() if whole is None else whole, reply)
        except GatewayError as error:
            is_idempotent = method in IDEMPOTENT_METHODS
            body_was_read = whole is None and body.was_handed_on
            if reply.has_begun or not is_retryable(error, is_idempotent=is_idempotent, body_was_read=body_was_read):
                raise
            await self._exchange(method, raw_target, fields, body.chunks() if whole is None else whole, reply)

    async def _exchange(
        self, method: str, raw_target: bytes, fields: Fields, sent: Body, reply: ClientResponse
    ) -> None:
        async with self._target.exchange(method, raw_target, fields, sent) as response:
            await reply.stream(response)


def _read_head(
    fields: Fields,
    method: str,
    http_version: str,
    scheme: str,
    peer: str | None,
    names: tuple[bytes, ...],
    *,
    trusted: TrustedProxies,
) -> _Head:
    """Read the head of a request from this peer. Raises MalformedRequest for one that could be read in two ways.

    Raises LoopDetected for one whose Via has one of our `names`.
    """
    check_request_framing(method, fields, http_version=http_version)
    onward = counted_down(method, onward_request_fields(fields, hop_of(peer, scheme, http_version), trusted, names))
    declared_bytes = content_length(fields) if has_body(fields) else 0
    return _Head(onward, declared_bytes, ends_here(method, fields), expects_continue(fields, http_version))


async def _until_client_leaves(answering: Coroutine[Any, Any, None], left: Leaving, reply: ClientResponse) -> None:
    """Do what answers the client, unless it leaves first: then that is cancelled and ClientLeft raised."""
    task: asyncio.Task[Any] = asyncio.current_task()  # type: ignore[assignment]  # a coroutine runs in a task
    has_left = False

    def leave() -> None:
        nonlocal has_left
        if not reply.has_ended:
            has_left = True
            task.cancel()

    left.tell(leave)
    try:
        await answering
    except asyncio.CancelledError:
        if not has_left:
            raise
        task.uncancel()
        raise ClientLeft from None
    finally:
        left.tell_no_more(leave)


async def _unless_client_leaves(answering: Coroutine[Any, Any, None], body: RequestBody, reply: ClientResponse) -> None:
    """Do the same behind a server that tells of a client's leaving only if it is asked."""
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


async def answer_unavailable(scope: Scope, send: Send) -> None:
    """Answer a request while the gateway is not, or no longer, connected to its queues."""
    await ClientResponse(scope, send).send_error(GatewayNotReady("it is not connected to its queues"))
