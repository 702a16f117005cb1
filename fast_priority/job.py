"""The function that a stock `rq worker high low` runs for each job.

It sends the same request to the same target, and the same frames through the same mailboxes. It lacks what a stock
worker lacks: slots, leases, and speed. Those are in `worker`, our own worker as rq knows it, and in `slots`, its loop;
only `slots.forward` and `slots.gateway_channel` are used here. Both kinds of worker can serve the same queues together.
"""

import asyncio
import contextlib
import logging

from rq import get_current_job
from rq.job import Job

from fast_priority.broker.connection import CONNECTION_ERRORS
from fast_priority.broker.consumer import RqConnection
from fast_priority.broker.mailbox import Mailbox
from fast_priority.errors import RequestLost
from fast_priority.http.fields import check_queued_request
from fast_priority.protocol.frames import Cancel, ForwardCall, Frame, Part, decode_call
from fast_priority.settings import Settings
from fast_priority.slots.forward import FinalPart, failure_of, hold_slot, target_choice
from fast_priority.slots.forward import forward as forward_exchange
from fast_priority.slots.gateway_channel import GatewayChannel
from fast_priority.support.background import end_all, keep_doing
from fast_priority.target import Target

logger = logging.getLogger("rq.worker")

_RETRY_SECONDS = 0.2
_GATEWAY_CHECK_SECONDS = 1.0


def forward(payload: bytes) -> None:
    """Forward the request in `payload`, the wire form of a ForwardCall, and answer the gateway that submitted it.

    Runs inside an rq job. If the gateway is gone, the request is not sent; if the client leaves, it is broken off. For
    a permit nothing is sent here: the job lasts until the gateway ends it. Raises UnreadableMessage for other payloads,
    and MalformedRequest for requests that no gateway has queued; either leaves the job in rq's failed registry.
    """
    job = get_current_job()
    if job is None:
        raise RuntimeError("forward() runs inside an rq job only")
    call = decode_call(payload)
    check_queued_request(call.request)
    gateway_id = _gateway_of(job)
    rq_connection = RqConnection(job.connection)
    if not rq_connection.gateway_lives(gateway_id):
        logger.warning("job %s: its gateway is gone, so its request is not sent", job.id)
        return
    asyncio.run(_run(call, job, gateway_id, rq_connection))


async def _run(call: ForwardCall, job: Job, gateway_id: str, rq_connection: RqConnection) -> None:
    settings = Settings.load()
    policy = target_choice(settings)(call)

    async def publish(part: Part) -> None:
        if not await asyncio.to_thread(rq_connection.publish, gateway_id, job.id, part):
            raise RequestLost("its gateway is gone")

    def receive(frame: Frame) -> None:
        if frame.request_id == job.id and isinstance(frame.part, Cancel):
            running.cancel()
        elif frame.request_id == job.id:
            channel.receive(frame.part)

    # A worker has one job at a time, so frames for the worker are frames for this job.
    channel = GatewayChannel(job.worker_name or job.id, publish)
    mailbox = Mailbox(channel.mailbox, rq_connection.options, receive)
    work = hold_slot(channel) if call.is_permit else _forward(call, channel, Target(policy, settings.target_tls))
    running: asyncio.Task[FinalPart] = asyncio.create_task(work)

    async def check_gateway() -> None:
        await asyncio.sleep(_GATEWAY_CHECK_SECONDS)
        if not await asyncio.to_thread(rq_connection.gateway_lives, gateway_id):
            running.cancel()

    what = f"job {job.id} cannot reach its gateway"
    helpers = [
        asyncio.create_task(
            keep_doing(what, step, expected=CONNECTION_ERRORS, again_seconds=_RETRY_SECONDS, logger=logger)
        )
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


def _gateway_of(job: Job) -> str:
    gateway_id = job.connection.hget(job.key, "gateway")
    return gateway_id.decode() if isinstance(gateway_id, bytes) else ""
