"""The dispatcher chooses the way of each claimed request: the fast path, a task, a permit, or a refusal."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from functools import partial

from fast_priority.broker.connection import CONNECTION_ERRORS
from fast_priority.broker.consumer import Claim, OutgoingPart, RqConnection
from fast_priority.broker.jobs import JobOf1x, NotOurJob, payload_of
from fast_priority.errors import MalformedRequest, NotSent, TargetNotFound, TargetUnreachable
from fast_priority.events import Events, SlotEnd, SlotFreed, SlotTaken, publish
from fast_priority.http.fields import check_queued_request
from fast_priority.protocol.frames import GO_AGAIN_SECONDS, Failure, ForwardCall, Go, UnreadableMessage, decode_call
from fast_priority.settings import Settings
from fast_priority.slots.fast_path import FastPath
from fast_priority.slots.forward import FinalPart, failure_of, forward, target_choice
from fast_priority.slots.in_flight import InFlight, InFlightRequest, State
from fast_priority.slots.worker_warnings import WorkerWarnings
from fast_priority.support.background import end_all
from fast_priority.support.elapsed import Moment
from fast_priority.support.timeout_queue import TimeoutQueue
from fast_priority.target import Exchange, TargetRegistry

logger = logging.getLogger("rq.worker")  # the log of the whole worker

_MOST_CALL_BYTES = 16 * 1024 * 1024  # far over a head, and a body that is small enough to travel in the call

# The cause may be at this worker alone: its network, its names, its TLS files. A target that refuses connections, or is
# silent, is so for all workers.
_MAY_BE_OURS = (TargetUnreachable.slug, TargetNotFound.slug)


class Dispatcher:
    """Sends claimed requests to the target.

    `publish` takes each part for a gateway; `on_freed` is called when a slot is free, with the seconds for which it was
    taken. A request is in `in_flight` from `start` until its final part has been handed to `publish`.
    """

    def __init__(
        self,
        name: str,
        settings: Settings,
        rq_connection: RqConnection,
        in_flight: InFlight,
        *,
        publish: Callable[[OutgoingPart], None],
        on_freed: Callable[[float], None],
        events: Events | None = None,
    ) -> None:
        self._events = events or Events()
        self._name = name
        self.warnings = WorkerWarnings(name)
        """What it has found in jobs that is probably not meant so."""
        self._policy_of = target_choice(settings, self.warnings.note_other_target)
        self._rq_connection = rq_connection
        self._in_flight = in_flight
        self._publish = publish
        self._on_freed = on_freed
        self._targets = TargetRegistry(settings.target_tls)
        self._fast_path = FastPath(self._forward_in_task)
        self._permits: TimeoutQueue[InFlightRequest] = TimeoutQueue(GO_AGAIN_SECONDS, self._send_go)

    def start(self, claim: Claim, leased_since: Moment) -> None:
        """Start with a claim, unless its client has left already."""
        request = self._in_flight.start(claim, leased_since, self._note_end)
        if request is None:
            self._publish(OutgoingPart(claim, None))
            return
        if self._events.slot_taken:
            publish(self._events.slot_taken, SlotTaken(claim.job_id, claim.queue_name, claim.gateway_id))
        try:
            call = request.call = _call_in(claim)
        except (NotOurJob, UnreadableMessage, MalformedRequest) as error:
            request.run_in_task(self._refuse(request, error), State.REFUSED)
            return
        except Exception as error:  # a bug ends this request, and not the worker
            request.end(failure_of(error))
            return
        if call.is_permit:
            self._grant(request)
            return
        try:
            self._send(request, call)
        except Exception as error:
            request.end(failure_of(error))

    async def close(self) -> None:
        """Cancel what is in flight, and close the connections to the target."""
        requests = list(self._in_flight)
        for request in requests:
            if request.task is None:
                request.cancel()
        self._permits.close()
        await end_all([request.task for request in requests if request.task is not None])
        self._fast_path.close()
        await self._targets.close()

    def _send(self, request: InFlightRequest, call: ForwardCall) -> None:
        """Send the request at once, on the fast path, or in a task if that has to wait."""
        target = request.target = self._targets.use(self._policy_of(call))
        body = request.channel.request_body(call) if call.request.body is None else call.request.body
        exchange = request.exchange = target.exchange_of(call.request, body, request.may_be_sent)
        if exchange.begin_now(partial(self._fast_path.look, request, exchange)):
            request.move_to(State.ON_FAST_PATH)
        else:
            self._forward_in_task(request)

    def _forward_in_task(self, request: InFlightRequest) -> None:
        if request.call is not None and request.exchange is not None:
            request.run_in_task(self._forward(request, request.call, request.exchange))

    async def _forward(self, request: InFlightRequest, call: ForwardCall, exchange: Exchange) -> None:
        final = None
        try:
            if request.enter_task():
                final = await forward(call, request.channel, exchange)
                if isinstance(final, Failure) and final.slug in _MAY_BE_OURS and request.target is not None:
                    self.warnings.note_unreachable_target(request.target.policy.base_url, final.detail)
        except asyncio.CancelledError:
            if not request.client_has_left:
                raise
        finally:
            request.end(final)

    async def _refuse(self, request: InFlightRequest, error: Exception) -> None:
        reason = str(error)
        if isinstance(error, JobOf1x):
            self.warnings.note_job_of_1x(request.claim.queue_name)
        else:
            logger.warning("Worker %s: refused job %r: %s", self._name, request.claim.job_id, reason)
        try:
            with contextlib.suppress(*CONNECTION_ERRORS):
                await asyncio.to_thread(self._rq_connection.refuse, request.claim, reason)
        finally:
            request.end(None)

    def _grant(self, request: InFlightRequest) -> None:
        """Let the gateway talk to the target. The slot is taken until the gateway ends it, and no task waits for that.

        A worker that was away may not hold the slot any more, and then must not let the gateway go.
        """
        if request.may_be_sent():
            request.move_to(State.HOLDS_PERMIT)
            self._send_go(request)
        else:
            request.end(failure_of(NotSent("its worker was away for so long that the permit may be over")))

    def _send_go(self, request: InFlightRequest) -> None:
        # A gateway that does not know the request any more answers with a Cancel: one that was lost costs no slot.
        self._permits.begin(request)
        self._publish(OutgoingPart(request.claim, Go(), is_last=False))

    def _note_end(self, request: InFlightRequest, final: FinalPart | None) -> None:
        self._in_flight.remove(request)
        self._permits.end(request)
        if request.target is not None:
            self._targets.release(request.target)
        # Without a final part there is nothing to publish, except when the client has left: that settles the request.
        if final is not None or request.client_has_left:
            self._publish(OutgoingPart(request.claim, final))
        if self._events.slot_freed:
            claim, end = request.claim, _slot_end(request, final)
            publish(self._events.slot_freed, SlotFreed(claim.job_id, claim.queue_name, request.taken_seconds, end))
        self._on_freed(request.taken_seconds)


def _slot_end(request: InFlightRequest, final: FinalPart | None) -> SlotEnd:
    """Return how a request has ended, by its final part."""
    if isinstance(final, Failure):
        return SlotEnd.FAILED
    if final is not None:
        return SlotEnd.ANSWERED
    if request.call is None:
        return SlotEnd.REFUSED
    return SlotEnd.PERMIT_ENDED if request.call.is_permit and request.client_has_left else SlotEnd.CANCELLED


def _call_in(claim: Claim) -> ForwardCall:
    call = decode_call(payload_of(claim.data, _MOST_CALL_BYTES))
    if not claim.gateway_id:
        raise NotOurJob("no gateway asked for it")
    check_queued_request(call.request)
    return call
