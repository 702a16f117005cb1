"""The lease renewer: while a worker's requests are in flight, no other worker may take them."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from fast_priority.broker.consumer import Claim, Leases
from fast_priority.broker.known_lanes import KnownLanes
from fast_priority.slots.in_flight import InFlight, InFlightRequest

logger = logging.getLogger("rq.worker")

_RENEW_SECONDS = 1.0


class LeaseRenewer:
    """Renews the leases of what is in flight each second, and cancels what no gateway waits for any more.

    `record` returns what rq's tools should know of the worker now. Each renewal notes in `lanes` which are served.
    """

    def __init__(
        self,
        name: str,
        options: dict[str, Any],
        in_flight: InFlight,
        record: Callable[[], Any],
        lanes: KnownLanes | None = None,
    ) -> None:
        self._name = name
        self._leases = Leases(options, name, lanes)
        self._in_flight = in_flight
        self._record = record

    async def renew_once(self) -> None:
        """Renew what is in flight, show rq that this worker lives, and wait a second. Raises what redis-py raises."""
        await self._renew([request.claim for request in self._in_flight])
        await asyncio.sleep(_RENEW_SECONDS)

    async def close(self) -> None:
        """Close the connection."""
        await self._leases.close()

    async def _renew(self, claims: Sequence[Claim], *, restore: bool = False) -> None:
        renewal = await self._leases.renew(self._record(), claims, restore=restore)
        for request in self._still_in_flight(renewal.held):
            request.renew(renewal.since)
        for request in self._still_in_flight(renewal.over):
            # It was answered in another way meanwhile; the target need not go on with it.
            logger.warning("Worker %s: cancelled job %s: its gateway no longer waits", self._name, request.claim.job_id)
            request.cancel()
        if gone := [request.claim for request in self._still_in_flight(renewal.gone)]:
            logger.warning("Worker %s: takes %d lost leases again", self._name, len(gone))
            await self._renew(gone, restore=True)

    def _still_in_flight(self, claims: Sequence[Claim]) -> list[InFlightRequest]:
        # Some have ended since, and with them their leases.
        return [request for claim in claims if (request := self._in_flight.get(claim)) is not None]
