"""The worker's leases on what it has in flight, and its sign of life."""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from fast_priority.broker import keys, scripts
from fast_priority.broker.connection import CONNECTION_ERRORS, Argument, RedisHealth, connect
from fast_priority.broker.consumer.claims import Claim
from fast_priority.broker.jobs import JobTemplate
from fast_priority.scheduling.priority import Priority
from fast_priority.support.elapsed import Moment

_ANSWER_SECONDS = 2.0  # after that another connection may still be in time to renew
_GATEWAYS_ARE_BACK_SECONDS = 6.0  # they show life every 3 s, and connect within 2 s
_WORKERS_OF = [keys.workers_of(Priority.HIGH), keys.workers_of(Priority.LOW)]


class Renewal(NamedTuple):
    """What has become of a worker's leases."""

    held: list[Claim]
    gone: list[Claim]
    """Redis knows nothing of them: they ran out, or it lost them."""
    over: list[Claim]
    """Nobody waits for these any more."""
    since: Moment
    """When the renewal began: those that are held are good for LEASE_SECONDS from then on, at the least."""


class Leases:
    """Renews what one worker has in flight, in one round trip, and shows that the worker lives."""

    def __init__(self, options: dict[str, Any], worker_name: str) -> None:
        self._redis = connect(options, _ANSWER_SECONDS)
        self._worker_name = worker_name
        self._health = RedisHealth()

    async def close(self) -> None:
        """Close the connection."""
        await self._redis.aclose()

    async def renew(self, record: dict[str, Any], claims: Sequence[Claim], *, anew: bool = False) -> Renewal:
        """Write the worker's record and renew the leases of the claims; with `anew`, take out those that are gone.

        The record is written whole, so that it is there again after a Redis that lost it. Raises what redis-py raises.
        """
        since, asked_at = Moment.now(), time.monotonic()
        touched = [*keys.LEASES, keys.WORKER_PREFIX + self._worker_name, keys.WORKERS, *_WORKERS_OF]
        try:
            answer = await scripts.RENEW.run(self._redis, touched, self._arguments(record, claims, anew))
        except CONNECTION_ERRORS:
            self._health.note_away()
            raise
        server, seconds, microseconds, *seen = answer
        self._health.note_held_up(asked_at)
        self._health.note_answer(server, (seconds, microseconds), asked_at)

        def those(state: bytes) -> list[Claim]:
            return [claim for claim, found in zip(claims, seen, strict=True) if found == state]

        return Renewal(those(b"held"), those(b"gone"), those(b"over"), since)

    def _arguments(self, record: dict[str, Any], claims: Sequence[Claim], anew: bool) -> list[Argument]:
        # A Redis that was away may not have heard of gateways since that are as alive as ever.
        clock_seconds = self._health.clock_seconds(time.monotonic())
        gateways_may_be_late = self._health.was_away_within(_GATEWAYS_ARE_BACK_SECONDS)
        arguments: list[Argument] = [
            keys.JOB_PREFIX, keys.GATEWAY_PREFIX, keys.LEASE_MILLISECONDS, JobTemplate.now(), keys.WORKER_TTL_SECONDS,
            keys.MARK_PREFIX, self._health.server, int(gateways_may_be_late), self._worker_name, int(anew),
            "" if clock_seconds is None else clock_seconds,
            len(record), *(part for pair in record.items() for part in pair),
        ]  # fmt: skip
        for claim in claims:
            arguments += (claim.job_id, claim.execution_id, claim.queue_name, claim.gateway_id)
        return arguments
