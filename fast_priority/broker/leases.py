"""The leases of a process on its requests in flight, and its record as an rq worker, which is its sign of life."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from fast_priority.broker import keys, scripts, times
from fast_priority.broker.connection import CONNECTION_ERRORS, RedisHealth, connect
from fast_priority.broker.jobs import Claim, JobTemplate
from fast_priority.broker.known_lanes import KnownLanes
from fast_priority.support.elapsed import Moment

_ANSWER_SECONDS = 2.0  # so that another connection may still renew in time


class Renewal(NamedTuple):
    """The state of each lease of a worker."""

    held: list[Claim]
    gone: list[Claim]
    """Redis has no lease for these: it has ended, or Redis has lost it."""
    over: list[Claim]
    """No gateway waits for these any more."""
    since: Moment
    """When the renewal was sent. The leases that are held last for at least LEASE_SECONDS from then on."""


class Leases:
    """Renews the leases and the record of one process, in one round trip.

    With each renewal it learns which lanes are served, and notes them in `known`.

    The process is a worker, or a gateway with slots of its own: its name as an rq worker is then its id as a gateway.
    """

    def __init__(self, options: dict[str, Any], worker_name: str, known: KnownLanes | None = None) -> None:
        self._known = known or KnownLanes()
        self._redis = connect(options, _ANSWER_SECONDS)
        self._worker_name = worker_name
        self._health = RedisHealth()

    async def close(self) -> None:
        """Close the connection."""
        await self._redis.aclose()

    async def renew(self, record: dict[str, Any], claims: Sequence[Claim], *, restore: bool = False) -> Renewal:
        """Write the worker's record and renew the leases of the claims. With `restore`, restore leases that are gone.

        The whole record is written each time, so a Redis that has lost it has it again. Raises what redis-py raises.
        """
        since = Moment.now()
        try:
            served, *answer = await self._call(record, claims, restore).run(self._redis)
        except CONNECTION_ERRORS:
            self._health.note_away()
            raise
        self._known.note(served)

        def those(state: bytes) -> list[Claim]:
            return [claim for claim, found in zip(claims, answer, strict=True) if found == state]

        return Renewal(those(b"held"), those(b"gone"), those(b"over"), since)

    def _call(self, record: dict[str, Any], claims: Sequence[Claim], restore: bool) -> scripts.RenewCall:
        lanes = self._known.current
        return scripts.RenewCall(
            record_key=keys.WORKER_PREFIX + self._worker_name,
            workers_key=keys.WORKERS,
            started_keys=lanes.started,
            lane_workers_keys=lanes.workers,
            worker_name=self._worker_name,
            time=JobTemplate.now(),
            lease_ms=times.LEASE_MILLISECONDS,
            # Redis knows when it did not run. That this process was cut off from it, Redis does not know.
            gateways_may_be_late=self._health.was_away_within(times.GATEWAYS_ARE_BACK_SECONDS),
            restore=restore,
            lanes=lanes.names,
            record=[part for pair in record.items() for part in pair],
            leases=[
                scripts.RenewedLease(*claim[:4], has_job=int(claim.gateway_id != self._worker_name)) for claim in claims
            ],
        )
