"""Whether a request that came to nothing may be sent once more."""

from typing import Literal

from fast_priority.errors import (
    BrokerUnavailable,
    GatewayError,
    NotQueued,
    NotSent,
    RequestLost,
    TargetClosed,
    TargetRefused,
    WaitedTooLong,
)

IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""Twice has the same effect as once (RFC 9110, section 9.2.2); of any other method nothing is known."""


Attempt = Literal[1, 2]
"""Which attempt at the target it is. The second goes in front of all others."""


def was_surely_not_sent(error: GatewayError) -> bool:
    """Tell whether the target has certainly not seen a request that failed with `error`."""
    return isinstance(error, NotSent | NotQueued)


def is_retryable(error: GatewayError, *, is_idempotent: bool, body_was_read: bool) -> bool:
    """Tell whether a request that failed with `error`, and of whose response nothing has come, may be sent again.

    What was never sent, always; what the target may have seen, only if that does no harm (RFC 9110, section 9.2.2). A
    body that was read from the client is there no more.
    """
    if body_was_read:
        return False
    return was_surely_not_sent(error) or (
        is_idempotent and isinstance(error, RequestLost | TargetClosed | TargetRefused)
    )


def error_of_both(first: GatewayError, second: GatewayError) -> GatewayError:
    """Return the error that a client is answered with whose request failed in two attempts: the second, as a rule.

    Not being queued tells a client that the target has not seen its request. Of a second attempt that is true, and of
    the first it may not be.
    """
    tells_of_not_sent = isinstance(second, BrokerUnavailable | WaitedTooLong | NotSent)
    return first if tells_of_not_sent and not was_surely_not_sent(first) else second
