"""What a worker does by rq's own means, over the synchronous connection that rq gave it."""

import time
from typing import Any

from redis import Redis as SyncRedis
from rq.job import Job, JobStatus
from rq.results import Result

from fast_priority.broker import keys
from fast_priority.broker.connection import options_of
from fast_priority.broker.consumer.claims import Claim
from fast_priority.broker.jobs import WriteOnlySerializer
from fast_priority.protocol.frames import Frame, Part, encode


class StockRq:
    """A worker's synchronous connection. Each method blocks for a round trip, and raises what redis-py raises."""

    def __init__(self, connection: SyncRedis) -> None:
        self._connection = connection

    @property
    def options(self) -> dict[str, Any]:
        """What asyncio connections to the same Redis are made with. Raises ConfigurationError; see `options_of`."""
        return options_of(self._connection)

    def refuse(self, claim: Claim, reason: str) -> None:
        """Put a claimed job that is not ours into rq's failed registry, with the reason, and touch nothing else of it.

        The job's own hash is not read: nothing in it can be trusted.
        """
        key, registry = keys.job(claim.job_id), keys.failed(claim.queue_name)
        with self._connection.pipeline() as pipeline:
            pipeline.zrem(keys.started(claim.queue_name), f"{claim.job_id}:{claim.execution_id}")
            pipeline.hset(key, "status", JobStatus.FAILED.value)
            pipeline.expire(key, keys.FAILED_TTL_SECONDS)
            pipeline.zadd(registry, {claim.job_id: time.time() + keys.FAILED_TTL_SECONDS})
            pipeline.expire(registry, keys.FAILED_TTL_SECONDS)
            job = Job(claim.job_id, connection=self._connection, serializer=WriteOnlySerializer)
            Result.create_failure(job, keys.FAILED_TTL_SECONDS, exc_string=reason, pipeline=pipeline)
            pipeline.execute()

    def gateway_lives(self, gateway_id: str) -> bool:
        """Return whether the gateway that submitted a request is still there."""
        return bool(self._connection.exists(keys.gateway(gateway_id)))

    def publish(self, gateway_id: str, job_id: str, part: Part) -> bool:
        """Send a gateway a part of a request whose job rq itself ends. Return whether the gateway is still there."""
        if not self.gateway_lives(gateway_id):
            return False
        with self._connection.pipeline() as pipeline:
            pipeline.rpush(keys.inbox(gateway_id), encode(Frame(job_id, part)))
            pipeline.expire(keys.inbox(gateway_id), keys.INBOX_TTL_SECONDS)
            pipeline.execute()
        return True
