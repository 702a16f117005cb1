"""Whether a request that came to nothing may be sent once more."""

from typing import Literal

from fast_priority.errors import GatewayError, NotSent, RequestLost, TargetClosed, TargetRefused

IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""Twice has the same effect as once (RFC 9110, section 9.2.2); of any other method nothing is known."""


Attempt = Literal[1, 2]
"""Which attempt at the target it is. The second goes in front of all others."""


def may_be_repeated(error: GatewayError, *, is_idempotent: bool, body_was_read: bool) -> bool:
    """Tell whether a request that failed with `error`, and of whose response nothing has come, may be sent again.

    What was never sent, always; what the target may have seen, only if that does no harm (RFC 9110, section 9.2.2). A
    body that was read from the client is there no more.
    """
    if body_was_read:
        return False
    return isinstance(error, NotSent) or (
        is_idempotent and isinstance(error, RequestLost | TargetClosed | TargetRefused)
    )
