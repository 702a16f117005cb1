"""What keeps a worker's requests its own: their leases, renewed as long as they are in flight."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from fast_priority.broker.consumer import Claim, Leases
from fast_priority.slots.in_flight import InFlight, InFlightRequest

logger = logging.getLogger("rq.worker")

_RENEW_SECONDS = 1.0


class LeaseRenewer:
    """Renews, each second, the leases of what is in flight; what is over is given up.

    `record` gives what rq's tools should know of the worker now.
    """

    def __init__(self, name: str, options: dict[str, Any], in_flight: InFlight, record: Callable[[], Any]) -> None:
        self._name = name
        self._leases = Leases(options, name)
        self._in_flight = in_flight
        self._record = record

    async def renew_once(self) -> None:
        """Renew what is in flight, show rq that this worker lives, and wait a second. Raises what redis-py raises."""
        await self._renew([carried.claim for carried in self._in_flight])
        await asyncio.sleep(_RENEW_SECONDS)

    async def close(self) -> None:
        """Close the connection."""
        await self._leases.close()

    async def _renew(self, claims: Sequence[Claim], *, anew: bool = False) -> None:
        renewal = await self._leases.renew(self._record(), claims, restore=anew)
        for carried in self._those_in_flight(renewal.held):
            carried.prolong(renewal.since)
        for carried in self._those_in_flight(renewal.over):
            # Somebody else has answered for it by now; the target need not work on.
            logger.warning("Worker %s: nobody waits for %s any more", self._name, carried.claim.job_id)
            carried.give_up()
        if gone := [carried.claim for carried in self._those_in_flight(renewal.gone)]:
            logger.warning("Worker %s: takes %d lost leases out anew", self._name, len(gone))
            await self._renew(gone, anew=True)

    def _those_in_flight(self, claims: Sequence[Claim]) -> list[InFlightRequest]:
        # Some have ended since, and so has their lease.
        return [carried for claim in claims if (carried := self._in_flight.get(claim)) is not None]
