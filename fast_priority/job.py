"""What a stock `rq worker high low` runs.

The same request, the same target code, the same answer on the same inbox; what it lacks is what rq's worker lacks:
slots, leases, and speed. Both kinds of worker can serve the same queues side by side.
"""

import asyncio
import logging

from rq import get_current_job
from rq.job import Job

from fast_priority.broker.claiming import answer_directly, somebody_waits
from fast_priority.errors import GatewayError
from fast_priority.message import Failure, Reply, decode_call
from fast_priority.settings import Settings
from fast_priority.target import Target

logger = logging.getLogger("rq.worker")


def forward(payload: bytes) -> None:
    """Forward the request in `payload`, the wire form of a ForwardCall, and answer the gateway that asked.

    Runs inside an rq job. A request whose gateway is gone is not sent. Raises UnreadableMessage for other payloads,
    which leaves the job in rq's failed registry.
    """
    job = get_current_job()
    if job is None:
        raise RuntimeError("forward() runs inside an rq job only")
    call = decode_call(payload)
    gateway_id = _gateway_of(job)
    if not somebody_waits(job.connection, gateway_id):
        logger.warning("job %s: its gateway is gone, so its request is not sent", job.id)
        return
    own = Settings.load()
    policy = own.target_policy() if own.target_base_url else call.policy

    async def reply() -> Reply:
        async with Target(policy) as target:
            return await target.forward(call.request)

    outcome: Reply | Failure
    try:
        outcome = asyncio.run(reply())
    except GatewayError as error:
        outcome = Failure(error.slug, error.detail)
    answer_directly(job.connection, gateway_id, job.id, outcome)


def _gateway_of(job: Job) -> str:
    gateway_id = job.connection.hget(job.key, "gateway")
    return gateway_id.decode() if isinstance(gateway_id, bytes) else ""
