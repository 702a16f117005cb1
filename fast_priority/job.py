"""The function that a stock `rq worker high low` runs for each job.

It sends the same request to the same target, and the same frames through the same mailboxes. It lacks what a stock
worker lacks: slots, leases, and speed. Those are in `worker`, our own worker as rq knows it, and in `slots`, its loop;
only `slots.forward` and `slots.gateway_channel` are used here. Both kinds of worker can serve the same queues together.
"""

import asyncio
import contextlib
import logging
import time

from rq import get_current_job
from rq.job import Job

from fast_priority.broker.connection import RedisOutage
from fast_priority.broker.consumer import GATEWAYS_ARE_BACK_SECONDS, GatewayState, RqConnection
from fast_priority.broker.mailbox import Mailbox
from fast_priority.errors import ConfigurationError, GatewayError, NewerWireVersion, RequestLost
from fast_priority.http.fields import check_queued_request
from fast_priority.protocol.frames import Cancel, Failure, ForwardCall, Frame, Part, decode_call
from fast_priority.protocol.wire_version import WIRE_VERSION
from fast_priority.settings import Settings
from fast_priority.slots.forward import FinalPart, failure_of, hold_slot, target_choice
from fast_priority.slots.forward import forward as forward_exchange
from fast_priority.slots.gateway_channel import GatewayChannel
from fast_priority.slots.worker_warnings import text_on_targets
from fast_priority.support.background import end_all
from fast_priority.target import Target

logger = logging.getLogger("rq.worker")

_RETRY_SECONDS = 0.2
_GATEWAY_CHECK_SECONDS = 1.0
_LOOK_AGAIN_SECONDS = 0.25


def forward(payload: bytes) -> None:
    """Forward the request in `payload`, the wire form of a ForwardCall, and answer the gateway that submitted it.

    Runs inside an rq job. If the gateway is gone, the request is not sent; if the client leaves, it is broken off. For
    a permit nothing is sent here: the job lasts until the gateway ends it. A job of a newer wire version is not sent
    either, and its client gets 502; nor is any with settings that cannot be used, and its client gets 500. Raises
    UnreadableMessage for other payloads, and MalformedRequest for requests that no gateway has queued; either leaves
    the job in rq's failed registry.
    """
    job = get_current_job()
    if job is None:
        raise RuntimeError("forward() runs inside an rq job only")
    rq_connection = RqConnection(job.connection)
    gateway_id, version = rq_connection.begin(job.id, job.worker_name or job.id)
    if version > WIRE_VERSION:
        _refuse_newer(job.id, gateway_id, version, rq_connection)
        return
    call = decode_call(payload)
    check_queued_request(call.request)
    if not _gateway_lives(gateway_id, rq_connection):
        logger.warning("job %s: its gateway is gone, so its request is not sent", job.id)
        return
    try:
        settings = Settings.load()
    except ConfigurationError as error:
        rq_connection.publish(gateway_id, job.id, failure_of(error), version)
        return
    asyncio.run(_run(call, job, gateway_id, version, rq_connection, settings))


def _gateway_lives(gateway_id: str, rq_connection: RqConnection) -> bool:
    """Return whether the gateway lives. While that is not known, because Redis has not run, look again."""
    until = time.monotonic() + 2 * GATEWAYS_ARE_BACK_SECONDS
    while (state := rq_connection.gateway_state(gateway_id)) is GatewayState.UNKNOWN and time.monotonic() < until:
        time.sleep(_LOOK_AGAIN_SECONDS)
    return state is GatewayState.ALIVE


def _refuse_newer(job_id: str, gateway_id: str, version: int, rq_connection: RqConnection) -> None:
    """Answer the gateway: rq has taken the job off its queue already, so it cannot be left to a newer worker."""
    reason = f"a stock rq worker took it, which knows wire versions up to {WIRE_VERSION}, and it is of {version}"
    logger.error("job %s is not sent: %s: update the worker", job_id, reason)
    rq_connection.publish(gateway_id, job_id, Failure(NewerWireVersion.slug, reason))


async def _run(
    call: ForwardCall, job: Job, gateway_id: str, version: int, rq_connection: RqConnection, settings: Settings
) -> None:
    name = job.worker_name or job.id

    def warn_of_target(own: str, other: str) -> None:
        text = text_on_targets(own, other)
        if rq_connection.note_warning(name, text):
            logger.warning("Worker %s: %s", name, text)

    policy = target_choice(settings, warn_of_target)(call)

    async def publish(part: Part) -> None:
        if not await asyncio.to_thread(rq_connection.publish, gateway_id, job.id, part, version):
            raise RequestLost("its gateway is gone")

    def receive(frame: Frame) -> None:
        if frame.request_id == job.id and isinstance(frame.part, Cancel):
            running.cancel()
        elif frame.request_id == job.id:
            channel.receive(frame.part)

    def fail(request_id: str, error: GatewayError) -> None:
        if request_id == job.id:
            channel.conversation.fail(error)
            if call.is_permit:
                running.cancel()

    # A worker has one job at a time, so frames for the worker are frames for this job.
    channel = GatewayChannel(name, publish)
    mailbox = Mailbox(channel.mailbox, rq_connection.options, receive, fail=fail)
    work = hold_slot(channel) if call.is_permit else _forward(call, channel, Target(policy, settings.target_tls))
    running: asyncio.Task[FinalPart] = asyncio.create_task(work)

    async def check_gateway() -> None:
        await asyncio.sleep(_GATEWAY_CHECK_SECONDS)
        if await asyncio.to_thread(rq_connection.gateway_state, gateway_id) is GatewayState.GONE:
            running.cancel()

    outage = RedisOutage(logger, f"job {job.id}: ")
    helpers = [
        outage.keep_doing("cannot reach its gateway", step, _RETRY_SECONDS)
        for step in (mailbox.read_once, check_gateway)
    ]
    try:
        with contextlib.suppress(RequestLost, asyncio.CancelledError):
            await publish(await running)
    finally:
        await end_all(helpers)
        await mailbox.close()


async def _forward(call: ForwardCall, channel: GatewayChannel, target: Target) -> FinalPart:
    body = channel.request_body(call) if call.request.body is None else call.request.body
    try:
        async with target:
            return await forward_exchange(call, channel, target.exchange_of(call.request, body))
    except Exception as error:
        return failure_of(error)
