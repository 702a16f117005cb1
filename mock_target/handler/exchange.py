"""One request and its response, from the request head to the end."""

import asyncio

from mock_target.handler.asgi_io import disconnects_within, read_body, send_response, wait_for_disconnect
from mock_target.handler.asgi_types import Receive, Scope, Send
from mock_target.handler.faults import (
    FAULTS_WITHOUT_RAW_CONNECTION,
    FAULTS_WITHOUT_RESPONSE,
    fail_without_response,
    send_partial_response,
)
from mock_target.handler.raw_connection import find_raw_connection
from mock_target.model_server import Origin, answer_as_model_server, refuse_as_model_server
from mock_target.responses import (
    Fields,
    MockResponse,
    ReceivedBody,
    ReceivedRequest,
    apply_body_rules,
    build_response,
    compress_body,
    delay_close,
    find_request_id,
    knob_error_response,
    problem_response,
)
from mock_target.settings import NOTHING_SET, Behaviour, Fault, KnobError, ResponsePlan, plan_response, read_overrides
from mock_target.state import MockState, Permit, QueueFull

# A larger body is compressed in a thread: it would block the event loop for too long.
_MAX_COMPRESSED_INLINE_BYTES = 256 * 1024


class Exchange:
    """Responds to one request, as the settings and the request itself define it, and updates its arrival in the log."""

    def __init__(self, state: MockState, scope: Scope, receive: Receive, send: Send) -> None:
        self._state = state
        self._receive = receive
        self._send = send
        self._method: str = scope["method"]
        self._raw_path: bytes = scope["raw_path"]
        self._query: bytes = scope["query_string"]
        # A copy: the server appends a request's trailers to this same list while the body is read.
        self._fields = list(scope["headers"])
        self._raw_connection = find_raw_connection(scope)
        self._has_permit = False
        self._path = self._raw_path.decode("latin-1")
        self._arrival = state.arrivals.record(
            self._method, self._path, self._query.decode("latin-1"), find_request_id(self._fields)
        )
        self._origin = Origin(self._arrival.sequence, int(self._arrival.arrived_at), state.loading_seconds())

    async def run(self) -> None:
        """Respond to the request, and log its end, however it ends."""
        try:
            await self._run()
        finally:
            # In this order: in the log, no request starts before the one whose permit it gets has finished.
            self._state.arrivals.finish(self._arrival)
            if self._has_permit:
                self._state.limiter.release()

    async def _run(self) -> None:
        # Drawn before anything is awaited, for every request: with a seed, the n-th arrival gets the n-th draw.
        draws = self._state.draw()
        try:
            behaviour = self._behaviour()
        except KnobError as error:
            await self._respond(knob_error_response(error))
            return
        plan = plan_response(behaviour, draws)
        body = await read_body(self._receive)
        if body is None or not await self._acquire_permit(behaviour):
            return
        self._has_permit = True
        await self._work(body, behaviour, plan)

    def _behaviour(self) -> Behaviour:
        overrides = read_overrides(self._query, self._fields)
        return self._state.settings.behaviour_for(self._method, self._path, overrides)

    async def _acquire_permit(self, behaviour: Behaviour) -> bool:
        """Wait for a permit; return False if the request was refused or the client disconnected."""
        try:
            permit = self._state.limiter.acquire()
        except QueueFull:
            await self._respond(self._refusal(behaviour))
            return False
        if permit is not None and not await self._wait_for_permit(permit):
            return False
        self._state.arrivals.start_work(self._arrival, None if permit is None else permit.result())
        return True

    def _refusal(self, behaviour: Behaviour) -> MockResponse:
        limiter = self._state.limiter
        detail = f"{limiter.working} requests are in progress and {limiter.queued} wait, which is the maximum"
        status = behaviour.limit_status or 503
        fields: Fields = [(b"retry-after", b"%d" % (behaviour.retry_after or 0))]
        shaped = refuse_as_model_server(self._method, self._raw_path, status, detail, fields)
        return problem_response(status, detail, fields) if shaped is None else shaped

    async def _wait_for_permit(self, permit: Permit) -> bool:
        disconnect: asyncio.Future[None] = asyncio.create_task(wait_for_disconnect(self._receive))
        is_granted = False
        try:
            await asyncio.wait((permit, disconnect), return_when=asyncio.FIRST_COMPLETED)
            is_granted = permit.done() and not disconnect.done()
        finally:
            disconnect.cancel()
            if not is_granted:
                self._state.limiter.cancel(permit)
        return is_granted

    async def _work(self, body: ReceivedBody, behaviour: Behaviour, plan: ResponsePlan) -> None:
        if await disconnects_within(plan.wait_seconds, self._receive):
            return
        if plan.fault is None:
            await self._respond(await self._make_response(body, behaviour, plan), behaviour)
        elif self._raw_connection is None and plan.fault not in FAULTS_WITHOUT_RAW_CONNECTION:
            await self._respond(_unsupported_fault(plan.fault))
        else:
            self._arrival.fault = plan.fault.value
            await self._apply_fault(plan.fault, body, behaviour, plan)

    async def _apply_fault(self, fault: Fault, body: ReceivedBody, behaviour: Behaviour, plan: ResponsePlan) -> None:
        if fault in FAULTS_WITHOUT_RESPONSE:
            await fail_without_response(fault, self._raw_connection, plan.garbage_seed, self._receive)
            return
        response = apply_body_rules(await self._make_response(body, behaviour, plan), self._method, behaviour)
        if await disconnects_within(response.head_due_seconds, self._receive):
            return
        self._arrival.status = response.status
        if self._raw_connection is None or fault is Fault.SLOW_CLOSE:
            await send_response(delay_close(response, behaviour.close_delay or 0), self._receive, self._send)
        else:
            await send_partial_response(
                fault, response, self._raw_connection, plan.garbage_seed, self._receive, self._send
            )

    async def _make_response(self, body: ReceivedBody, behaviour: Behaviour, plan: ResponsePlan) -> MockResponse:
        request = ReceivedRequest(self._method, self._raw_path, self._query, self._fields, body)
        if self._raw_connection is not None:
            request.request_line, request.raw_fields = (
                self._raw_connection.request_line,
                self._raw_connection.raw_fields,
            )
        try:
            content = answer_as_model_server(request, behaviour, plan.status, self._origin)
            response = build_response(request, behaviour, plan.status, content)
        except KnobError as error:
            return knob_error_response(error)
        if not behaviour.gzip:
            return response
        if (response.length_bytes or 0) <= _MAX_COMPRESSED_INLINE_BYTES:
            return compress_body(response)
        return await asyncio.to_thread(compress_body, response)

    async def _respond(self, response: MockResponse, behaviour: Behaviour = NOTHING_SET) -> None:
        if await disconnects_within(response.head_due_seconds, self._receive):
            return
        self._arrival.status = response.status
        await send_response(apply_body_rules(response, self._method, behaviour), self._receive, self._send)


def _unsupported_fault(fault: Fault) -> MockResponse:
    hint = "start the mock with `python -m mock_target`; this server gives no access to the connection"
    return problem_response(501, f"fault is {fault.value!r}: {hint}", parameter="fault", value=fault.value, hint=hint)
