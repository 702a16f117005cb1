"""One request and its answer, from the head to the end."""

import asyncio

from mock_target.handler.asgi_io import client_leaves_within, read_body, send_answer, wait_until_client_leaves
from mock_target.handler.asgi_types import Receive, Scope, Send
from mock_target.handler.faults import FAULTS_WITHOUT_ANSWER, FAULTS_WITHOUT_WIRE, break_off, leave_unanswered
from mock_target.handler.raw_connection import wire_of
from mock_target.responses import (
    Answer,
    ReceivedBody,
    ReceivedRequest,
    choose_answer,
    close_slowly,
    find_request_id,
    knob_problem,
    pack_answer,
    problem_answer,
    shape_answer,
)
from mock_target.settings import NOTHING_SET, Behaviour, Fault, KnobError, Plan, decide, read_asked
from mock_target.state import MockState, QueueFull, Turn

# Above this, compressing would keep all other requests waiting for too long.
_MAX_PACKED_AT_ONCE_BYTES = 256 * 1024


class Exchange:
    """Answers one request, as the settings and the request itself want it, and keeps its arrival up to date."""

    def __init__(self, state: MockState, scope: Scope, receive: Receive, send: Send) -> None:
        self._state = state
        self._receive = receive
        self._send = send
        self._method: str = scope["method"]
        self._raw_path: bytes = scope["raw_path"]
        self._query: bytes = scope["query_string"]
        # A copy: the server appends a request's trailers to this same list while the body is read.
        self._fields = list(scope["headers"])
        self._wire = wire_of(scope)
        self._has_turn = False
        self._path = self._raw_path.decode("latin-1")
        self._arrival = state.arrivals.arrive(
            self._method, self._path, self._query.decode("latin-1"), find_request_id(self._fields)
        )

    async def run(self) -> None:
        """Answer the request, and log that it is finished, however it ends."""
        try:
            await self._run()
        finally:
            # In this order: by the log, nobody's work begins before that of the one who made room has ended.
            self._state.arrivals.finish(self._arrival)
            if self._has_turn:
                self._state.limiter.leave()

    async def _run(self) -> None:
        # Drawn before anything is awaited and whatever is asked: under a seed the n-th arrival has the n-th draw.
        draws = self._state.draw()
        try:
            behaviour = self._behaviour()
        except KnobError as error:
            await self._answer(knob_problem(error))
            return
        plan = decide(behaviour, draws)
        body = await read_body(self._receive)
        if body is None or not await self._get_turn(behaviour):
            return
        self._has_turn = True
        await self._work(body, behaviour, plan)

    def _behaviour(self) -> Behaviour:
        asked = read_asked(self._query, self._fields)
        return self._state.settings.behaviour_for(self._method, self._path, asked)

    async def _get_turn(self, behaviour: Behaviour) -> bool:
        """Wait until the request may be worked on; False: it was refused, or the client has left."""
        try:
            turn = self._state.limiter.enter()
        except QueueFull:
            await self._answer(self._refusal(behaviour))
            return False
        if turn is not None and not await self._stand_in_line(turn):
            return False
        self._state.arrivals.start_work(self._arrival, None if turn is None else turn.result())
        return True

    def _refusal(self, behaviour: Behaviour) -> Answer:
        limiter = self._state.limiter
        detail = f"{limiter.working} requests are worked on and {limiter.queued} wait: no more may"
        return problem_answer(
            behaviour.limit_status or 503, detail, [(b"retry-after", b"%d" % (behaviour.retry_after or 0))]
        )

    async def _stand_in_line(self, turn: Turn) -> bool:
        leaving: asyncio.Future[None] = asyncio.create_task(wait_until_client_leaves(self._receive))
        is_granted = False
        try:
            await asyncio.wait((turn, leaving), return_when=asyncio.FIRST_COMPLETED)
            is_granted = turn.done() and not leaving.done()
        finally:
            leaving.cancel()
            if not is_granted:
                self._state.limiter.give_up(turn)
        return is_granted

    async def _work(self, body: ReceivedBody, behaviour: Behaviour, plan: Plan) -> None:
        if await client_leaves_within(plan.wait_seconds, self._receive):
            return
        if plan.fault is None:
            await self._answer(await self._make_answer(body, behaviour, plan), behaviour)
        elif self._wire is None and plan.fault not in FAULTS_WITHOUT_WIRE:
            await self._answer(_cannot(plan.fault))
        else:
            self._arrival.fault = plan.fault.value
            await self._go_wrong(plan.fault, body, behaviour, plan)

    async def _go_wrong(self, fault: Fault, body: ReceivedBody, behaviour: Behaviour, plan: Plan) -> None:
        if fault in FAULTS_WITHOUT_ANSWER:
            await leave_unanswered(fault, self._wire, plan.garbage_seed, self._receive)
            return
        answer = shape_answer(await self._make_answer(body, behaviour, plan), self._method, behaviour)
        self._arrival.status = answer.status
        if self._wire is None or fault is Fault.SLOW_CLOSE:
            await send_answer(close_slowly(answer, behaviour.close_delay or 0), self._receive, self._send)
        else:
            await break_off(fault, answer, self._wire, plan.garbage_seed, self._receive, self._send)

    async def _make_answer(self, body: ReceivedBody, behaviour: Behaviour, plan: Plan) -> Answer:
        request = ReceivedRequest(self._method, self._raw_path, self._query, self._fields, body)
        if self._wire is not None:
            request.request_line, request.raw_fields = self._wire.request_line, self._wire.raw_fields
        try:
            answer = choose_answer(request, behaviour, plan.status)
        except KnobError as error:
            return knob_problem(error)
        if not behaviour.gzip:
            return answer
        if (answer.length_bytes or 0) <= _MAX_PACKED_AT_ONCE_BYTES:
            return pack_answer(answer)
        return await asyncio.to_thread(pack_answer, answer)

    async def _answer(self, answer: Answer, behaviour: Behaviour = NOTHING_SET) -> None:
        self._arrival.status = answer.status
        await send_answer(shape_answer(answer, self._method, behaviour), self._receive, self._send)


def _cannot(fault: Fault) -> Answer:
    mend = "start the mock with `python -m mock_target`; this server gives no access to the connection"
    return problem_answer(501, f"fault is {fault.value!r}: {mend}", parameter="fault", value=fault.value, mend=mend)
