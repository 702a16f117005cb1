"""What a stock `rq worker high low` runs.

The same request, the same target code, the same frames in the same mailboxes; what it lacks is what rq's worker lacks:
slots, leases, and speed. Both kinds of worker can serve the same queues side by side.
"""

import asyncio
import contextlib
import logging

from rq import get_current_job
from rq.job import Job

from fast_priority.broker.connection import CONNECTION_ERRORS
from fast_priority.broker.consumer import StockRq
from fast_priority.broker.mailbox import Mailbox
from fast_priority.errors import RequestLost
from fast_priority.http.fields import check_queued_request
from fast_priority.protocol.frames import Cancel, ForwardCall, Frame, Part, decode_call
from fast_priority.settings import Settings
from fast_priority.slots.forward import FinalPart, GatewayChannel, carry, hold_slot
from fast_priority.support.background import end_all, keep_doing
from fast_priority.target import Target

logger = logging.getLogger("rq.worker")

_AGAIN_SECONDS = 0.2
_LOOK_SECONDS = 1.0


def forward(payload: bytes) -> None:
    """Forward the request in `payload`, the wire form of a ForwardCall, and answer the gateway that asked.

    Runs inside an rq job. A request whose gateway is gone is not sent; one whose client leaves is broken off. Of a
    permit nothing is sent here: the job lasts until the gateway ends it. Raises
    UnreadableMessage for other payloads, and MalformedRequest for requests that no gateway has queued; either leaves
    the job in rq's failed registry.
    """
    job = get_current_job()
    if job is None:
        raise RuntimeError("forward() runs inside an rq job only")
    call = decode_call(payload)
    check_queued_request(call.request)
    gateway_id = _gateway_of(job)
    stock_rq = StockRq(job.connection)
    if not stock_rq.gateway_lives(gateway_id):
        logger.warning("job %s: its gateway is gone, so its request is not sent", job.id)
        return
    asyncio.run(_forward(call, job, gateway_id, stock_rq))


async def _forward(call: ForwardCall, job: Job, gateway_id: str, stock_rq: StockRq) -> None:
    own = Settings.load()
    policy = own.target_policy() if own.target_base_url else call.policy

    async def say(part: Part) -> None:
        if not await asyncio.to_thread(stock_rq.publish, gateway_id, job.id, part):
            raise RequestLost("its gateway is gone")

    def hear(frame: Frame) -> None:
        if frame.request_id == job.id and isinstance(frame.part, Cancel):
            carrying.cancel()
        elif frame.request_id == job.id:
            line.conversation.hear(frame.part)

    # A worker has one job at a time, so frames for the worker are frames for this job.
    line = GatewayChannel(job.worker_name or job.id, say)
    mailbox = Mailbox(line.mailbox, stock_rq.options, hear)
    held_or_carried = hold_slot(line) if call.is_permit else carry(call, line, Target(policy))
    carrying: asyncio.Task[FinalPart] = asyncio.create_task(held_or_carried)

    async def look_after_gateway() -> None:
        await asyncio.sleep(_LOOK_SECONDS)
        if not await asyncio.to_thread(stock_rq.gateway_lives, gateway_id):
            carrying.cancel()

    what = f"job {job.id} cannot hear its gateway"
    helpers = [
        asyncio.create_task(
            keep_doing(what, step, expected=CONNECTION_ERRORS, again_seconds=_AGAIN_SECONDS, logger=logger)
        )
        for step in (mailbox.read_once, look_after_gateway)
    ]
    try:
        with contextlib.suppress(RequestLost, asyncio.CancelledError):
            await say(await carrying)
    finally:
        await end_all(helpers)
        await mailbox.close()


def _gateway_of(job: Job) -> str:
    gateway_id = job.connection.hget(job.key, "gateway")
    return gateway_id.decode() if isinstance(gateway_id, bytes) else ""
