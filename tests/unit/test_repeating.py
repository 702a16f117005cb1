"""What may be sent once more, and what never."""

import pytest

from fast_priority.errors import (
    BrokerUnavailable,
    GatewayError,
    NotSent,
    RequestCancelled,
    RequestLost,
    ResponseIncomplete,
    TargetClosed,
    TargetError,
    TargetRefused,
    TargetTimeout,
)
from fast_priority.repeating import IDEMPOTENT_METHODS, may_be_repeated


@pytest.mark.parametrize("error", [RequestLost(), TargetClosed(), TargetRefused()])
def test_what_the_target_may_have_seen(error: GatewayError) -> None:
    """What the target may have seen is sent again only if it may be sent twice."""
    assert may_be_repeated(error, is_idempotent=True, body_was_read=False)
    assert not may_be_repeated(error, is_idempotent=False, body_was_read=False)


@pytest.mark.parametrize("is_idempotent", [True, False])
def test_what_was_never_sent(is_idempotent: bool) -> None:
    """What was never sent may be sent, whatever its method."""
    assert may_be_repeated(NotSent(), is_idempotent=is_idempotent, body_was_read=False)


@pytest.mark.parametrize("error", [RequestLost(), NotSent(), TargetClosed()])
def test_a_body_that_is_gone(error: GatewayError) -> None:
    """Without its body nothing can be sent again."""
    assert not may_be_repeated(error, is_idempotent=True, body_was_read=True)


@pytest.mark.parametrize(
    "error",
    [GatewayError(), BrokerUnavailable(), RequestCancelled(), TargetError(), TargetTimeout(), ResponseIncomplete()],
)
def test_what_would_only_fail_again(error: GatewayError) -> None:
    """What was refused, cancelled, too slow or answered with nonsense is not tried again."""
    assert not may_be_repeated(error, is_idempotent=True, body_was_read=False)


def test_the_methods() -> None:
    """The idempotent methods are those of RFC 9110, section 9.2.2; any other may do something each time."""
    assert {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"} == IDEMPOTENT_METHODS
