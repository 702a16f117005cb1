"""The probe of a target: a request of the gateway's own, for health."""

from fast_priority.errors import GatewayError
from fast_priority.target.target import Target

_FIELDS = [(b"User-Agent", b"fast-priority (health probe)"), (b"Accept", b"*/*")]
_LEAST_STATUS_OF_FAILURE = 500


async def probe_problem(target: Target, path: str) -> str | None:
    """Return why a GET of this path below the base URL has no answer, in words; None if it has one under 500."""
    raw_path = path.encode(errors="surrogateescape")
    try:
        async with target.exchange("GET", raw_path, _FIELDS, b"") as response:
            if response.status < _LEAST_STATUS_OF_FAILURE:
                return None
            return f"the target answers the probe with status {response.status}"
    except GatewayError as error:
        return error.detail
