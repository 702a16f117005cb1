"""What becomes of a request that a worker has claimed: an errand, if it is as simple as most are, or else a task."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from functools import partial

from fast_priority.broker.connection import CONNECTION_ERRORS
from fast_priority.broker.consumer import Claim, OutgoingPart, StockRq
from fast_priority.broker.jobs import NotOurJob, payload_of
from fast_priority.errors import MalformedRequest, NotSent
from fast_priority.events import Events, Forwarded, Started, publish
from fast_priority.http.fields import check_queued_request
from fast_priority.http.message import Reply, TargetPolicy
from fast_priority.protocol.frames import GO_AGAIN_SECONDS, ForwardCall, Go, UnreadableMessage, decode_call
from fast_priority.settings import Settings
from fast_priority.slots.fast_path import FastPath
from fast_priority.slots.forward import FinalPart, carry, carry_on, exchange_for, failure_of
from fast_priority.slots.in_flight import InFlight, InFlightRequest
from fast_priority.support.background import end_all
from fast_priority.support.elapsed import Moment
from fast_priority.support.timeout_queue import TimeoutQueue
from fast_priority.target import Exchange, TargetRegistry

logger = logging.getLogger("rq.worker")  # one log for one worker, whichever half of it speaks

_MOST_CALL_BYTES = 16 * 1024 * 1024  # far over a head, and a body that is small enough to travel in the call


class Dispatcher:
    """Carries claims to the target.

    `say` takes what there is to say of them; `freed` hears that a slot is free, and for how many seconds it was taken.
    What is in flight stands in `in_flight` from `start` until the last has been said of it.
    """

    def __init__(
        self,
        name: str,
        settings: Settings,
        stock_rq: StockRq,
        in_flight: InFlight,
        *,
        say: Callable[[OutgoingPart], None],
        freed: Callable[[float], None],
    ) -> None:
        self.events = Events()
        """What happens to claims: subscribe here."""
        self._name = name
        self._own_policy = settings.target_policy() if settings.target_base_url else None
        self._stock_rq = stock_rq
        self._in_flight = in_flight
        self._say = say
        self._freed = freed
        self._targets = TargetRegistry()
        self._errands = FastPath()
        self._permits: TimeoutQueue[InFlightRequest] = TimeoutQueue(GO_AGAIN_SECONDS, self._let_gateway_go)

    def start(self, claim: Claim, leased_since: Moment) -> None:
        """Begin to carry a claim, unless its client has left already."""
        carried = self._in_flight.start(claim, leased_since)
        if carried is None:
            self._say(OutgoingPart(claim, None))
            return
        if self.events.started:
            publish(self.events.started, Started(claim.job_id, claim.queue_name))
        try:
            call = _call_in(claim)
        except (NotOurJob, UnreadableMessage, MalformedRequest) as error:
            carried.task = asyncio.create_task(self._refuse(carried, str(error)))
            return
        except Exception as error:  # that nobody thought of is this request's end, and not the worker's
            self._end(carried, failure_of(error))
            return
        if call.is_permit:
            self._grant(carried)
            return
        policy = self._own_policy or call.policy
        if not self._runs_errand(carried, call, policy):
            carried.task = asyncio.create_task(self._carry(carried, call, policy))

    async def close(self) -> None:
        """Break off what is in flight, and close the connections to the target."""
        for carried in self._in_flight:
            if carried.task is None:
                carried.give_up()
        self._permits.close()
        await end_all([carried.task for carried in self._in_flight if carried.task is not None])
        self._errands.close()
        await self._targets.close()

    def _grant(self, carried: InFlightRequest) -> None:
        """Let the gateway talk to the target; the slot is taken until the gateway ends it, and no task waits for that.

        A worker that was away may not hold the slot any more, and then must not let the gateway go.
        """
        if carried.may_be_sent:
            carried.begin(partial(self._end, carried, None))
            self._let_gateway_go(carried)
        else:
            self._end(carried, failure_of(NotSent("its worker was away for so long that the permit may be over")))

    def _let_gateway_go(self, carried: InFlightRequest) -> None:
        # A gateway that does not know the request any more answers that with a Leave. So a Leave that was lost does not
        # cost a slot.
        self._permits.begin(carried)
        self._say(OutgoingPart(carried.claim, Go(), is_last=False))

    def _runs_errand(self, carried: InFlightRequest, call: ForwardCall, policy: TargetPolicy) -> bool:
        body = call.request.body
        target = None if body is None else self._targets.use_now(policy)
        if body is None or target is None:
            return False
        sender = _Sender(self, carried, call, policy)
        try:
            exchange = exchange_for(call, body, target, lambda: carried.may_be_sent)
            errand = self._errands.begin(exchange, sender)
        except Exception as error:
            sender.take_failure(error)
            return True
        if errand is None:
            self._targets.end(policy)
            return False
        carried.begin(errand.break_off)
        return True

    async def _carry(
        self, carried: InFlightRequest, call: ForwardCall, policy: TargetPolicy, begun: Exchange | None = None
    ) -> None:
        last = None
        task: asyncio.Task[None] = asyncio.current_task()  # type: ignore[assignment]  # a coroutine runs in a task
        try:
            # A task that is cancelled before its first step never comes to the end that frees its slot.
            if not carried.begin(task.cancel):
                if begun is not None:
                    begun.end_now()
            elif begun is None:
                last = await carry(call, carried.line, self._targets.use(policy), lambda: carried.may_be_sent)
            else:
                last = await carry_on(call, carried.line, begun)
        except asyncio.CancelledError:
            if not carried.client_has_left:
                raise
        finally:
            if begun is not None:
                self._targets.end(policy)
            self._end(carried, last)

    async def _refuse(self, carried: InFlightRequest, reason: str) -> None:
        logger.warning("Worker %s: refused job %r: %s", self._name, carried.claim.job_id, reason)
        try:
            with contextlib.suppress(*CONNECTION_ERRORS):
                await asyncio.to_thread(self._stock_rq.refuse, carried.claim, reason)
        finally:
            self._end(carried, None)

    def _end(self, carried: InFlightRequest, last: FinalPart | None) -> None:
        self._in_flight.end(carried)
        self._permits.end(carried)
        # Of what was broken off there is nothing to say, but for a client that has left: the request is settled.
        if last is not None or carried.client_has_left:
            self._say(OutgoingPart(carried.claim, last))
        if self.events.forwarded:
            claim = carried.claim
            publish(self.events.forwarded, Forwarded(claim.job_id, claim.queue_name, carried.taken_seconds))
        self._freed(carried.taken_seconds)


class _Sender:
    """Who sends a claim on an errand, and hears what came of it."""

    __slots__ = ("_call", "_carried", "_carrier", "_policy")

    def __init__(self, carrier: Dispatcher, carried: InFlightRequest, call: ForwardCall, policy: TargetPolicy) -> None:
        self._carrier = carrier
        self._carried = carried
        self._call = call
        self._policy = policy

    def take_reply(self, reply: Reply) -> None:
        self._end(reply)

    def take_failure(self, error: Exception) -> None:
        self._end(failure_of(error))

    def take_over(self, exchange: Exchange) -> None:
        carrier, carried = self._carrier, self._carried
        carried.begin(None)
        carried.task = asyncio.create_task(carrier._carry(carried, self._call, self._policy, exchange))

    def take_nothing(self) -> None:
        self._end(None)

    def _end(self, last: FinalPart | None) -> None:
        self._carrier._targets.end(self._policy)
        self._carrier._end(self._carried, last)


def _call_in(claim: Claim) -> ForwardCall:
    call = decode_call(payload_of(claim.data, _MOST_CALL_BYTES))
    if not claim.gateway_id:
        raise NotOurJob("no gateway asked for it")
    check_queued_request(call.request)
    return call
