"""The probe of a target: a request of the gateway's own, for health."""

import asyncio

from fast_priority.errors import GatewayError
from fast_priority.target.target import Target

_FIELDS = [(b"User-Agent", b"fast-priority (health probe)"), (b"Accept", b"*/*")]
_LEAST_STATUS_OF_FAILURE = 500


async def answers_probe(target: Target, path: str, within_seconds: float) -> bool:
    """Return whether the target answers a GET of this path below its base URL in time, with a status under 500."""
    raw_path = path.encode(errors="surrogateescape")
    try:
        async with asyncio.timeout(within_seconds), target.exchange("GET", raw_path, _FIELDS, b"") as response:
            return response.status < _LEAST_STATUS_OF_FAILURE
    except (GatewayError, TimeoutError):
        return False
