"""What is sent a second time, and what never is; and which of two errors the client gets."""

import pytest

from fast_priority.broker.producer import Attempt
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
from fast_priority.gateway.retry import IDEMPOTENT_METHODS, error_of_both, in_two_attempts, is_retryable


@pytest.mark.parametrize("error", [RequestLost(), TargetClosed(), TargetRefused()])
def test_what_the_target_may_have_seen(error: GatewayError) -> None:
    """What the target may have seen is sent again only if its method is idempotent."""
    assert is_retryable(error, is_idempotent=True)
    assert not is_retryable(error, is_idempotent=False)


@pytest.mark.parametrize("is_idempotent", [True, False])
@pytest.mark.parametrize("error", [NotSent(), NotQueued()])
def test_what_was_never_sent(error: GatewayError, is_idempotent: bool) -> None:
    """What was never sent may be sent, whatever its method."""
    assert is_retryable(error, is_idempotent=is_idempotent)


@pytest.mark.parametrize(
    "error",
    [GatewayError(), BrokerUnavailable(), RequestCancelled(), TargetError(), TargetTimeout(), ResponseIncomplete()],
)
def test_what_would_only_fail_again(error: GatewayError) -> None:
    """What was refused, cancelled, too slow or answered with nonsense is not sent again."""
    assert not is_retryable(error, is_idempotent=True)


def test_the_methods() -> None:
    """The idempotent methods are those of RFC 9110, section 9.2.2."""
    assert {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"} == IDEMPOTENT_METHODS


@pytest.mark.parametrize("second", [BrokerUnavailable(), NotQueued(), WaitedTooLong(), NotSent()])
@pytest.mark.parametrize("first", [RequestLost(), TargetClosed()])
def test_a_second_attempt_that_was_not_queued_keeps_the_first_error(first: GatewayError, second: GatewayError) -> None:
    """The client does not get "not queued" where its first attempt may have reached the target."""
    assert error_of_both(first, second) is first


@pytest.mark.parametrize(
    ("first", "second"),
    [(NotSent(), BrokerUnavailable()), (NotQueued(), WaitedTooLong()), (RequestLost(), TargetClosed())],
)
def test_the_second_error_counts_otherwise(first: GatewayError, second: GatewayError) -> None:
    """The client gets the second error where the first attempt was certainly not sent, or both may have been."""
    assert error_of_both(first, second) is second


class Attempts:
    """A request, and attempts at it that have these outcomes, one after the other; an error is raised."""

    def __init__(
        self, *outcomes: str | GatewayError, is_idempotent: bool = True, can_be_sent_again: bool = True
    ) -> None:
        self.is_idempotent = is_idempotent
        self.made: list[Attempt] = []
        self.retried: list[GatewayError] = []
        self._outcomes = list(outcomes)
        self._can_be_sent_again = can_be_sent_again

    def can_be_sent_again(self) -> bool:
        return self._can_be_sent_again

    def note_retry(self, error: GatewayError) -> None:
        self.retried.append(error)

    async def run(self) -> str:
        return await in_two_attempts(self._attempt, self)

    async def _attempt(self, number: Attempt) -> str:
        self.made.append(number)
        outcome = self._outcomes.pop(0)
        if isinstance(outcome, GatewayError):
            raise outcome
        return outcome


async def test_one_attempt_is_enough() -> None:
    """A first attempt that succeeds is the only one."""
    attempts = Attempts("answer")
    assert await attempts.run() == "answer"
    assert (attempts.made, attempts.retried) == ([1], [])


async def test_a_second_attempt_follows_a_failure() -> None:
    """The result of the second attempt is returned, and the first error is reported."""
    error = RequestLost()
    attempts = Attempts(error, "answer")
    assert await attempts.run() == "answer"
    assert (attempts.made, attempts.retried) == ([1, 2], [error])


async def test_there_is_no_third_attempt() -> None:
    """The error of the second attempt is raised, though it could be tried again."""
    attempts = Attempts(RequestLost(), TargetClosed())
    with pytest.raises(TargetClosed):
        await attempts.run()
    assert attempts.made == [1, 2]


@pytest.mark.parametrize(
    ("error", "is_idempotent", "can_be_sent_again"),
    [(TargetTimeout(), True, True), (RequestLost(), False, True), (NotSent(), True, False)],
    ids=["would fail again", "not idempotent", "not here any more"],
)
async def test_no_second_attempt(error: GatewayError, is_idempotent: bool, can_be_sent_again: bool) -> None:
    """The first error is raised where a second attempt would not help, is not safe, or is not possible."""
    attempts = Attempts(error, is_idempotent=is_idempotent, can_be_sent_again=can_be_sent_again)
    with pytest.raises(type(error)):
        await attempts.run()
    assert (attempts.made, attempts.retried) == ([1], [])
