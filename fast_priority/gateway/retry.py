"""The one place for the attempts at a request: it decides whether there is a second one, and makes it.

A request that waits in a queue, one that skips the queue and a WebSocket handshake have the same two attempts. The
first attempt fails in one of three ways:

- The target has certainly not seen the request: the second attempt is always safe.
- The target may have seen it: the second attempt is safe if the method is idempotent (RFC 9110, section 9.2.2).
- The target has answered, or was too slow, or the gateway refused the request: there is no second attempt.

There is also no second attempt when a part of the response is on its way to the client, or a part of the request's
body has been sent and is not held here (`Repeatable.can_be_sent_again`). The second attempt goes in front of all other
requests of its queue. There is no third.

Two steps within one attempt are repeated elsewhere, because the target has not seen the request then:
`broker/producer/submitter.py` submits a request again that was not queued, and `target/exchange.py` takes the next
connection if one has ended before it could be used.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from fast_priority.broker.producer import Attempt
from fast_priority.errors import (
    BrokerUnavailable,
    GatewayError,
    NotQueued,
    NotSent,
    RequestLost,
    TargetClosed,
    TargetRefused,
    WaitedTooLong,
    without_traces,
)

T = TypeVar("T")

IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""Sent twice, these have the same effect as sent once (RFC 9110, section 9.2.2); other methods may not."""


class Repeatable(Protocol):
    """What `in_two_attempts` needs to know of a request after its first attempt."""

    @property
    def is_idempotent(self) -> bool:
        """Whether it has the same effect if it is sent twice."""
        ...

    def can_be_sent_again(self) -> bool:
        """Return whether it can still be sent from its beginning, and its response can still be a whole one."""
        ...

    def note_retry(self, error: GatewayError) -> None:
        """Take the error of the first attempt: a second one follows."""
        ...


async def in_two_attempts(attempt: Callable[[Attempt], Awaitable[T]], request: Repeatable) -> T:
    """Return the result of the first attempt, or of a second one if the first failed and the request may be repeated.

    Raises the GatewayError that the client is to get.
    """
    try:
        return await attempt(1)
    except GatewayError as error:
        if not is_retryable(error, is_idempotent=request.is_idempotent) or not request.can_be_sent_again():
            raise
        request.note_retry(error)
        first_error = error
    without_traces(first_error)
    try:
        return await attempt(2)
    except GatewayError as error:
        raise error_of_both(first_error, error) from None


def is_retryable(error: GatewayError, *, is_idempotent: bool) -> bool:
    """Return whether a request that failed with `error` may be sent again."""
    return _was_not_sent(error) or (is_idempotent and isinstance(error, RequestLost | TargetClosed | TargetRefused))


def error_of_both(first: GatewayError, second: GatewayError) -> GatewayError:
    """Return the error that the client gets after two attempts: the second, with one exception.

    "Not queued" means to a client that the target has not seen its request. If only the second attempt was not queued,
    the target may have seen the first one, so the client gets the first error.
    """
    second_was_not_sent = isinstance(second, BrokerUnavailable | WaitedTooLong | NotSent)
    return first if second_was_not_sent and not _was_not_sent(first) else second


def _was_not_sent(error: GatewayError) -> bool:
    """Return whether the target has certainly not seen a request that failed with `error`."""
    return isinstance(error, NotSent | NotQueued)
