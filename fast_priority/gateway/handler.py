"""The ASGI endpoint between clients and the queues: what happens to one request, from its head to its last event.

A request takes one of three ways: through the queue of its priority, past the queues, or, if it asks for a WebSocket,
as a handshake. Each way is an attempt that `retry` may make twice.
"""

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import msgspec
from starlette.types import Receive, Scope, Send

from fast_priority.broker.producer import Attempt, OwnSlot, Payload, Permit
from fast_priority.errors import ClientLeft, GatewayError, TargetTimeout, UnforeseenError, without_traces
from fast_priority.events import Answered, Events, Failed, Left, Queued, Received, Retried, publish, publish_error
from fast_priority.gateway.disconnect import AwaitedDisconnect, until_disconnect
from fast_priority.gateway.queues import Outcome, Queues, WorkerResponse
from fast_priority.gateway.request_body import RequestBody
from fast_priority.gateway.request_head import head_reader
from fast_priority.gateway.response import ClientResponse
from fast_priority.gateway.retry import IDEMPOTENT_METHODS, in_two_attempts
from fast_priority.gateway.target_call import TargetCall
from fast_priority.gateway.target_document import at_target
from fast_priority.gateway.websockets import WebSocketProxy
from fast_priority.http.cors import NO_ORIGINS, AllowedOrigins
from fast_priority.http.date import http_date
from fast_priority.http.fields import without_websocket_fields
from fast_priority.http.forwarding import Hop
from fast_priority.http.limits import LEAST_BYTES_PER_SECOND
from fast_priority.http.locations import LocationRewriter
from fast_priority.http.max_forwards import answer_as_last
from fast_priority.http.message import Bytes, Fields, Reply, Request
from fast_priority.http.trusted_proxies import TrustedProxies
from fast_priority.http.via import Deployment
from fast_priority.protocol.frames import ForwardCall, encode
from fast_priority.scheduling.priority import Priority
from fast_priority.scheduling.rules import RequestFacts, Rules
from fast_priority.server import connection_of
from fast_priority.support.rate_timeout import RateTimeout
from fast_priority.support.stalls import RunningClock
from fast_priority.target import Accepted, Target

_DESCRIPTION_CHARACTERS = 120


class ClientRequest(msgspec.Struct, frozen=True, eq=False):
    """One request, as its head has been read, and the response to it."""

    scope: Scope
    method: str
    raw_target: bytes
    fields: Fields
    body: RequestBody
    response: ClientResponse
    priority: Priority | None
    """None: it skips the queues."""
    queues: Queues
    events: Events

    @property
    def is_idempotent(self) -> bool:
        """Whether it has the same effect if it is sent twice."""
        return self.method in IDEMPOTENT_METHODS

    def can_be_sent_again(self) -> bool:
        """Return whether its body is still here, no response has begun, and its queue still takes requests."""
        is_over = self.priority is not None and self.queues.is_closing
        return self.body.can_be_sent_again and not self.response.has_begun and not is_over

    def note_retry(self, error: GatewayError) -> None:
        """Publish that it is sent again after this error."""
        if self.events.retried:
            publish(self.events.retried, Retried(self.scope, error))


class Gateway:
    """Answers every HTTP request as the target would, by way of the queues.

    An ASGI application: each request is put on the queue that `rules` choose for it, or passed on directly.
    Fields such as X-Forwarded-For count only if a `trusted` proxy sends them. An overload is answered with
    `retry_after_seconds` of the request's priority. A client may keep the gateway waiting for `client_timeout_seconds`.
    A request that has one of the names of the `deployment` in its Via has been here before, and is refused. Without
    `tunnels`, a request for a WebSocket is forwarded as a plain GET. A Location at the target becomes one at the
    gateway, unless the target gets the client's Host (`preserves_host`) and so knows the gateway's address. Pages of
    `origins` may read errors.
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
        events: Events | None = None,
        *,
        preserves_host: bool = False,
        origins: AllowedOrigins = NO_ORIGINS,
    ) -> None:
        self._rules = rules
        self._read_head = head_reader(trusted, preserves_host=preserves_host)
        self._queues = queues
        self._target = target
        self._frames_in_flight = frames_in_flight
        self._retry_after_seconds = retry_after_seconds
        self._client_timeout_seconds = client_timeout_seconds
        self._deployment = deployment
        self._tunnels = tunnels
        self._events = events or Events()
        self._origins = origins
        self._clock = RunningClock()
        self._locations = None if preserves_host else LocationRewriter(target.policy.base_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, and publish one last event for it."""
        events = self._events
        received_at = time.monotonic()
        timeout_seconds, name = self._client_timeout_seconds, self._deployment.name
        response = ClientResponse(scope, send, timeout_seconds, name, self._locations)
        if events.received:
            publish(events.received, Received(scope))
        try:
            await self._answer(scope, receive, response)
        except ClientLeft:
            if events.left:
                publish(events.left, Left(scope))
        except GatewayError as error:
            if isinstance(error, TargetTimeout):
                error.detail += f"; the request came {time.monotonic() - received_at:.1f} s ago"
            publish_error(events, scope, error, is_broken_off=response.has_begun)
            await response.send_error(error, self._origins.fields_for(scope["headers"]))
            without_traces(error)
        except BaseException as error:
            if events.failed:
                publish(events.failed, Failed(scope, error, is_broken_off=response.has_begun))
            if isinstance(error, Exception) and not response.has_begun:
                await response.send_error(UnforeseenError(), self._origins.fields_for(scope["headers"]))
            raise  # the server logs it, with its traceback
        else:
            if events.answered:
                publish(events.answered, Answered(scope, response.status))

    async def _answer(self, scope: Scope, receive: Receive, response: ClientResponse) -> None:
        # Copied before the body is read: a server may append trailer fields to the same list as they come in.
        fields: Fields = list(scope["headers"])
        if self._tunnels is None:
            fields = without_websocket_fields(fields)
        method, hop = scope["method"], Hop.of(scope)
        head = self._read_head(fields, method, hop, self._deployment.names)
        connection = connection_of(scope)
        body = RequestBody(
            head.declared_bytes,
            receive,
            self._target.policy.max_body_bytes,
            RateTimeout(self._client_timeout_seconds, LEAST_BYTES_PER_SECOND),
            connection,
            comes_when_asked_for=head.expects_continue,
            clock=self._clock,
        )
        raw_path: bytes = scope["raw_path"]
        query: bytes = scope["query_string"]
        raw_target = connection.raw_target if connection else raw_path + b"?" + query if query else raw_path
        if head.ends_here:
            await response.send(answer_as_last(method, raw_target, fields, hop.http_version, http_date()))
            return
        raw_target, raw_path = at_target(method, raw_target, raw_path)
        self._target.check(raw_target)
        wants_websocket = self._tunnels is not None and connection is not None and connection.wants_websocket
        priority = self._rules.priority_of(RequestFacts(raw_path.decode("latin-1"), method, wants_websocket))
        request = ClientRequest(
            scope, method, raw_target, head.onward, body, response, priority, self._queues, self._events
        )
        if self._tunnels is not None and wants_websocket:
            answering = self._open_websocket(request, self._tunnels)
        elif priority is None:
            answering = self._pass_on(request)
        else:
            answering = self._queue(request, priority)
        disconnect = connection.left if connection else AwaitedDisconnect(body.client_left)
        await until_disconnect(answering, disconnect, response)

    async def _queue(self, request: ClientRequest, priority: Priority) -> None:
        body = request.body
        whole = await body.read_ahead()
        payload = partial(self._payload, request, whole)

        async def attempt(number: Attempt) -> Reply | WorkerResponse | None:
            with contextlib.closing(self._call_of(request, whole, self._target.policy.max_body_bytes)) as call:
                streamed = body.chunks() if whole is None else None
                outcome = await self._ask(request, priority, payload, streamed, number, on_start=call.begin)
                if not isinstance(outcome, Permit | OwnSlot):
                    return outcome
                await call.answer(request.response, outcome)
                return None

        outcome = await in_two_attempts(attempt, request)
        if outcome is not None:
            await _relay(outcome, request.response)

    async def _pass_on(self, request: ClientRequest) -> None:
        whole = await request.body.read_ahead()

        def attempt(_: Attempt) -> Awaitable[None]:
            return self._call_of(request, whole).answer(request.response)

        await in_two_attempts(attempt, request)

    def _call_of(self, request: ClientRequest, whole: bytes | None, most_response_bytes: int = 0) -> TargetCall:
        return TargetCall(
            self._target,
            request.method,
            request.raw_target,
            request.fields,
            request.body,
            whole,
            most_response_bytes,
        )

    async def _open_websocket(self, request: ClientRequest, tunnels: WebSocketProxy) -> None:
        raw_target, fields, response, priority = request.raw_target, request.fields, request.response, request.priority
        # The whole request: a worker of an earlier release does not know permits, and sends it without the upgrade.
        payload = partial(self._payload, request, b"", is_permit=True)

        async def attempt(number: Attempt) -> Accepted | None:
            if priority is None:
                return await tunnels.shake_hands(raw_target, fields, response)
            outcome = await self._ask(request, priority, payload, None, number)
            if not isinstance(outcome, Permit | OwnSlot):
                await _relay(outcome, response)
                return None
            async with outcome:
                return await tunnels.shake_hands(raw_target, fields, response, self._target.policy.max_body_bytes)

        with tunnels.place():
            accepted = await in_two_attempts(attempt, request)
            if accepted is not None:
                await tunnels.join(accepted, response)

    def _payload(self, request: ClientRequest, body: bytes | None, *, is_permit: bool = False) -> bytes:
        onward = Request(request.method, request.raw_target, request.fields, body)
        timeout_seconds = self._client_timeout_seconds
        return encode(ForwardCall(onward, self._target.policy, self._frames_in_flight, is_permit, timeout_seconds))

    async def _ask(
        self,
        request: ClientRequest,
        priority: Priority,
        payload: Payload,
        body: AsyncIterator[Bytes] | None,
        attempt: Attempt,
        on_start: Callable[[], object] | None = None,
    ) -> Outcome:
        scope, method = request.scope, request.method
        on_submit = partial(self._note_submit, scope, priority, attempt) if self._events.queued else None
        description = f"{method} {scope['path']!a}"[:_DESCRIPTION_CHARACTERS]
        try:
            return await self._queues.ask(
                priority,
                payload,
                description,
                body,
                is_idempotent=request.is_idempotent,
                attempt=attempt,
                on_submit=on_submit,
                on_start=on_start,
            )
        except GatewayError as error:
            if error.fault == "overload":
                error.retry_after_seconds = self._retry_after_seconds(priority)
            raise

    def _note_submit(self, scope: Scope, priority: Priority, attempt: Attempt, job_id: str) -> None:
        publish(self._events.queued, Queued(scope, priority, attempt, job_id))


async def _relay(outcome: Reply | WorkerResponse, response: ClientResponse) -> None:
    """Send the client what a worker has answered."""
    if isinstance(outcome, Reply):
        await response.relay(outcome)
        return
    with contextlib.closing(outcome):
        await response.stream(outcome)
