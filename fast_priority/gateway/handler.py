"""The ASGI endpoint between clients and the queues: what happens to one request, from its head to its last event.

A request takes one of three ways: through the queue of its priority, past the queues, or, if it asks for a WebSocket,
as a handshake. Each way is an attempt that `retry` may make twice.
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fast_priority.broker.producer import Attempt, OwnSlot, Payload, Permit, Submission
from fast_priority.errors import GatewayError, RequestLost
from fast_priority.events import Events, Queued, Received, publish
from fast_priority.gateway.client_request import ClientRequest, RequestFactory
from fast_priority.gateway.conclusion import conclude
from fast_priority.gateway.deciding import Decider, Undecided
from fast_priority.gateway.disconnect import AwaitedDisconnect, until_disconnect
from fast_priority.gateway.queues import Outcome, Queues, WorkerResponse
from fast_priority.gateway.quick_request import QuickRequest, RunInTask
from fast_priority.gateway.request_head import head_reader
from fast_priority.gateway.response import ClientResponse
from fast_priority.gateway.retry import in_two_attempts
from fast_priority.gateway.target_call import TargetCall
from fast_priority.gateway.websockets import WebSocketProxy
from fast_priority.gateway.worker_times import note_worker_times
from fast_priority.http.cors import NO_ORIGINS, AllowedOrigins
from fast_priority.http.locations import LocationRewriter
from fast_priority.http.message import Bytes, Fields, Reply, Request
from fast_priority.http.trusted_proxies import TrustedProxies
from fast_priority.http.via import Deployment
from fast_priority.protocol.frames import ForwardCall, encode
from fast_priority.scheduling.priority import Priority
from fast_priority.scheduling.rules import Rules
from fast_priority.server import connection_of
from fast_priority.target import Accepted, QuickTimeouts, Target

_DESCRIPTION_CHARACTERS = 120
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
"""Fields by which a request may have a body."""
_NO_BODY = (b"content-length", b"0")


class Gateway:
    """Answers every HTTP request as the target would, by way of the queues.

    An ASGI application: each request is put on the queue that `rules` choose for it, or passed on directly.
    Fields such as X-Forwarded-For count only if a `trusted` proxy sends them. An overload is answered with
    `retry_after_seconds` of the request's priority. A client may keep the gateway waiting for `client_timeout_seconds`.
    A request that has one of the names of the `deployment` in its Via has been here before, and is refused. Without
    `tunnels`, a request for a WebSocket is forwarded as a plain GET. A Location at the target becomes one at the
    gateway, unless the target gets the client's Host (`preserves_host`) and so knows the gateway's address. Pages of
    `origins` may read errors. With `says_times`, responses have Server-Timing. With a `decider`, rules and keys decide,
    and `rules` only what they leave open.
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
        says_times: bool = True,
        decider: Decider | None = None,
    ) -> None:
        events = events or Events()
        self._read = RequestFactory(
            rules,
            head_reader(trusted, preserves_host=preserves_host),
            queues,
            target,
            client_timeout_seconds,
            deployment,
            events,
            with_websockets=tunnels is not None,
            decider=decider,
        ).read
        self._decider = decider
        self._queues = queues
        self._target = target
        self._frames_in_flight = frames_in_flight
        self._retry_after_seconds = retry_after_seconds
        self._client_timeout_seconds = client_timeout_seconds
        self._deployment = deployment
        self._tunnels = tunnels
        self._events = events
        self._origins = origins
        self._says_times = says_times
        self._quick_timeouts = QuickTimeouts(QuickRequest.note_slow)
        self._locations = None if preserves_host else LocationRewriter(target.policy.base_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, and publish one last event for it."""
        response = self._response_to(scope, send)
        if self._events.received:
            publish(self._events.received, Received(scope, response.record))
        await self._conclude(scope, response, self._answer(scope, receive, response))

    def begin_now(self, scope: Scope, run_in_task: RunInTask) -> bool:
        """Begin to answer a request without a task. Return False if it needs one: then nothing has happened.

        `run_in_task` is called with an application if the request needs a task later.
        """
        connection = connection_of(scope)
        if connection is None or connection.wants_websocket or _may_have_body(scope["headers"]):
            return False
        try:
            request = self._read(scope, _cannot_receive, self._response_to(scope, _cannot_send))
        except Exception:
            return False  # it is raised again in the task, also if it is a bug
        if isinstance(request, Reply) or request.undecided is not None:
            return False
        if self._events.received:
            publish(self._events.received, Received(scope, request.response.record))
        quick = QuickRequest(request, self._call_of(request, b""), self._quick_timeouts, run_in_task, self._going_on)
        if request.priority is None:
            quick.pass_on()
        else:
            payload = partial(self._payload, request, b"")
            try:
                quick.wait_for(self._submit(request, request.priority, payload, 1))
            except GatewayError as error:
                quick.fail(error)
        return True

    def _response_to(self, scope: Scope, send: Send) -> ClientResponse:
        return ClientResponse(
            scope,
            send,
            self._client_timeout_seconds,
            self._deployment.name,
            self._locations,
            says_times=self._says_times,
        )

    async def _conclude(self, scope: Scope, response: ClientResponse, answering: Awaitable[None]) -> None:
        await conclude(answering, scope, response, self._events, self._origins)

    async def _answer(self, scope: Scope, receive: Receive, response: ClientResponse) -> None:
        request = self._read(scope, receive, response)
        if isinstance(request, Reply):
            await response.send(request)
            return
        answering = self._way_of(request) if request.undecided is None else self._decide(request, request.undecided)
        connection = request.connection
        disconnect = connection.left if connection else AwaitedDisconnect(request.body.client_left)
        await until_disconnect(answering, disconnect, response)

    def _way_of(self, request: ClientRequest) -> Coroutine[Any, Any, None]:
        connection, priority = request.connection, request.priority
        if self._tunnels is not None and connection is not None and connection.wants_websocket:
            return self._open_websocket(request, self._tunnels)
        return self._pass_on(request) if priority is None else self._queue(request, priority)

    async def _decide(self, request: ClientRequest, undecided: Undecided) -> None:
        """Answer a request whose body decides about its priority."""
        if self._decider is None:
            raise RuntimeError("without a policy the head decides")
        try:
            priority = await self._decider.decide_by_body(undecided, request.body, request.response)
            await self._way_of(request.decided(priority))
        finally:
            request.body.release()

    def _going_on(self, quick: QuickRequest) -> ASGIApp:
        """Return the application that goes on with a request in a task."""

        async def go_on(scope: Scope, receive: Receive, send: Send) -> None:
            request = quick.request
            response = request.response
            response.send_by(send)
            if quick.reply is not None:
                answering = response.relay(quick.reply)
            elif request.priority is None:
                answering = self._pass_on(request, quick)
            else:
                answering = self._queue(request, request.priority, quick)
            answered = until_disconnect(answering, request.left, response)
            await self._conclude(scope, response, answered)

        return go_on

    async def _queue(self, request: ClientRequest, priority: Priority, begun: QuickRequest | None = None) -> None:
        body = request.body
        whole = await body.read_ahead()
        payload = partial(self._payload, request, whole)

        async def attempt(number: Attempt) -> Reply | WorkerResponse | None:
            mine = begun if number == 1 else None
            with contextlib.closing(self._call_of(request, whole) if mine is None else mine.call) as call:
                if mine is not None:
                    outcome = await self._outcome_of(mine, priority)
                else:
                    streamed = body.chunks() if whole is None else None
                    outcome = await self._ask(request, priority, payload, streamed, number, on_start=call.begin)
                if not isinstance(outcome, Permit | OwnSlot):
                    return outcome
                await call.answer(request.response, outcome)
                return None

        outcome = await in_two_attempts(attempt, request)
        if outcome is not None:
            await _relay(outcome, request.response)

    async def _pass_on(self, request: ClientRequest, begun: QuickRequest | None = None) -> None:
        whole = await request.body.read_ahead()

        async def attempt(number: Attempt) -> None:
            mine = begun if number == 1 else None
            if mine is not None and mine.error is not None:
                raise mine.error
            with contextlib.closing(self._call_of(request, whole) if mine is None else mine.call) as call:
                await call.answer(request.response)

        await in_two_attempts(attempt, request)

    async def _outcome_of(self, begun: QuickRequest, priority: Priority) -> Outcome:
        """Return the outcome of what was begun."""
        submission = begun.submission
        try:
            if submission is None or begun.error is not None:
                if submission is not None:  # it has a slot, which may be another gateway's
                    self._queues.give_up(submission, has_ended=False)
                raise begun.error or RequestLost("what was begun is unknown")
            return await self._queues.outcome(submission, was_woken=begun.was_woken)
        except GatewayError as error:
            self._note_overload(error, priority)
            raise

    def _call_of(self, request: ClientRequest, whole: bytes | None) -> TargetCall:
        # FAST_PRIORITY_MAX_BODY bounds the responses to queued requests only.
        most_bytes = 0 if request.priority is None else self._target.policy.max_body_bytes
        return TargetCall(
            self._target,
            request.method,
            request.raw_target,
            request.fields,
            request.body,
            request.response.record,
            whole,
            most_bytes,
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

    def _submit(
        self,
        request: ClientRequest,
        priority: Priority,
        payload: Payload,
        attempt: Attempt,
        on_start: Callable[[], object] | None = None,
    ) -> Submission:
        scope, method = request.scope, request.method
        on_submit = partial(self._note_submit, scope, priority, attempt) if self._events.queued else None
        return self._queues.submit(
            priority,
            payload,
            f"{method} {scope['path']!a}"[:_DESCRIPTION_CHARACTERS],
            is_idempotent=request.is_idempotent,
            attempt=attempt,
            on_submit=on_submit,
            on_start=on_start,
            on_worker=partial(note_worker_times, request.response.record),
        )

    async def _ask(
        self,
        request: ClientRequest,
        priority: Priority,
        payload: Payload,
        body: AsyncIterator[Bytes] | None,
        attempt: Attempt,
        on_start: Callable[[], object] | None = None,
    ) -> Outcome:
        try:
            submission = self._submit(request, priority, payload, attempt, on_start)
            return await self._queues.outcome(submission, body)
        except GatewayError as error:
            self._note_overload(error, priority)
            raise

    def _note_overload(self, error: GatewayError, priority: Priority) -> None:
        if error.fault == "overload":
            error.retry_after_seconds = self._retry_after_seconds(priority)

    def _note_submit(self, scope: Scope, priority: Priority, attempt: Attempt, job_id: str) -> None:
        publish(self._events.queued, Queued(scope, priority, attempt, job_id))


async def _relay(outcome: Reply | WorkerResponse, response: ClientResponse) -> None:
    """Send the client what a worker has answered."""
    if isinstance(outcome, Reply):
        await response.relay(outcome)
        return
    with contextlib.closing(outcome):
        await response.stream(outcome)


def _may_have_body(fields: Fields) -> bool:
    return any(name in _FRAMING and (name, value) != _NO_BODY for name, value in fields)


async def _cannot_receive() -> Message:
    raise RuntimeError("a request without a body has nothing to receive")


async def _cannot_send(message: Message) -> None:
    raise RuntimeError("a request without a task sends its response at once")
