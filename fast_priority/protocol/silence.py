"""How long gateway and worker wait for a part from each other, in seconds.

Each side waits for something of its own: the worker for the target, the gateway for the client. The other side has to
be more patient than that, so each bound here is what the other side may have to wait for, and a grace. The bounds are
for a side that lives and yet sends nothing: the death of one is noticed earlier, by its leases or its sign of life.
"""

from fast_priority.http.limits import LEAST_BYTES_PER_SECOND
from fast_priority.protocol.frames import MOST_CHUNK_BYTES, ForwardCall

GRACE_SECONDS = 15.0
"""How much longer one side waits than what the other side waits for may take."""

SLOWEST_TARGET_BYTES_PER_SECOND = 4096
"""A target that takes a request's body more slowly than this is treated as one that does not take it at all."""

_MOST_UNTAKEN_BYTES = 8 * 1024 * 1024  # of a response: in the gateway one chunk, in its system 4 MiB on most machines


def of_gateway_with_request(call: ForwardCall) -> float:
    """Return how long a gateway may send no piece of a request's body: it waits for the client, or for Redis."""
    return call.policy.timeout_seconds + call.client_timeout_seconds + GRACE_SECONDS


def of_gateway_with_response(call: ForwardCall) -> float:
    """Return how long a gateway may grant no credit for a response's body: the client takes it as slowly as it may."""
    untaken_bytes = (call.frames_in_flight // 2 + 1) * MOST_CHUNK_BYTES + _MOST_UNTAKEN_BYTES
    return of_gateway_with_request(call) + untaken_bytes / LEAST_BYTES_PER_SECOND


def of_worker_before_response(
    timeout_seconds: float, client_timeout_seconds: float, frames_in_flight: int, *, uploads: bool
) -> float:
    """Return how long a worker may not begin its response.

    While a body is uploaded, the client may be slow to send it, and the target to take it, without a part from the
    worker.
    """
    taking_seconds = frames_in_flight * MOST_CHUNK_BYTES / SLOWEST_TARGET_BYTES_PER_SECOND
    return timeout_seconds + GRACE_SECONDS + (client_timeout_seconds + taking_seconds if uploads else 0)


def of_worker_within_response(timeout_seconds: float, client_timeout_seconds: float, *, uploads: bool) -> float:
    """Return how long a worker may send no further part of its response.

    The target may wait for more of the request's body, and that for the client.
    """
    return timeout_seconds + GRACE_SECONDS + (client_timeout_seconds if uploads else 0)
