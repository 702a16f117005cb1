"""Server-Timing: where the time of a request went (W3C, Server Timing)."""

SERVER_TIMING = b"server-timing"
_MILLISECONDS = 1000


def server_timing(queue_seconds: float | None, target_seconds: float | None) -> bytes | None:
    """Return the value of the field, in milliseconds, such as `queue;dur=12.3, target;dur=45.6`.

    None stands for a part that the request did not have, or that is not known: it is left out. Return None without any.
    """
    parts = []
    if queue_seconds is not None:
        parts.append(b"queue;dur=%.1f" % (queue_seconds * _MILLISECONDS))
    if target_seconds is not None:
        parts.append(b"target;dur=%.1f" % (target_seconds * _MILLISECONDS))
    return b", ".join(parts) or None
