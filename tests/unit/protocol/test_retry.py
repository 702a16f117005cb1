"""What may be sent once more, and what never."""

import pytest

from fast_priority.errors import (
    BrokerUnavailable,
    GatewayError,
    NotQueued,
    NotSent,
    RequestCancelled,
    RequestLost,
    ResponseIncomplete,
    TargetClosed,
    TargetError,
    TargetRefused,
    TargetTimeout,
    WaitedTooLong,
)
from fast_priority.protocol.retry import IDEMPOTENT_METHODS, error_of_both, is_retryable


@pytest.mark.parametrize("error", [RequestLost(), TargetClosed(), TargetRefused()])
def test_what_the_target_may_have_seen(error: GatewayError) -> None:
    """What the target may have seen is sent again only if it may be sent twice."""
    assert is_retryable(error, is_idempotent=True, body_was_read=False)
    assert not is_retryable(error, is_idempotent=False, body_was_read=False)


@pytest.mark.parametrize("is_idempotent", [True, False])
def test_what_was_never_sent(is_idempotent: bool) -> None:
    """What was never sent may be sent, whatever its method."""
    assert is_retryable(NotSent(), is_idempotent=is_idempotent, body_was_read=False)


@pytest.mark.parametrize("error", [RequestLost(), NotSent(), TargetClosed()])
def test_a_body_that_is_gone(error: GatewayError) -> None:
    """Without its body nothing can be sent again."""
    assert not is_retryable(error, is_idempotent=True, body_was_read=True)


@pytest.mark.parametrize(
    "error",
    [GatewayError(), BrokerUnavailable(), RequestCancelled(), TargetError(), TargetTimeout(), ResponseIncomplete()],
)
def test_what_would_only_fail_again(error: GatewayError) -> None:
    """What was refused, cancelled, too slow or answered with nonsense is not tried again."""
    assert not is_retryable(error, is_idempotent=True, body_was_read=False)


def test_the_methods() -> None:
    """The idempotent methods are those of RFC 9110, section 9.2.2; any other may do something each time."""
    assert {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"} == IDEMPOTENT_METHODS


@pytest.mark.parametrize("second", [BrokerUnavailable(), NotQueued(), WaitedTooLong(), NotSent()])
@pytest.mark.parametrize("first", [RequestLost(), TargetClosed()])
def test_a_second_attempt_that_was_not_queued_keeps_the_first_error(first: GatewayError, second: GatewayError) -> None:
    """That the target has not seen a request is no answer where a first attempt may have reached it."""
    assert error_of_both(first, second) is first


@pytest.mark.parametrize(
    ("first", "second"),
    [(NotSent(), BrokerUnavailable()), (NotQueued(), WaitedTooLong()), (RequestLost(), TargetClosed())],
)
def test_the_second_error_counts_otherwise(first: GatewayError, second: GatewayError) -> None:
    """The last error is the answer where the first attempt was certainly not sent, or both may have been."""
    assert error_of_both(first, second) is second
