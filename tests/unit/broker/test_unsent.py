"""The submissions that wait for a turn: their order, their data and their time."""

import pytest

from fast_priority.broker.producer.submission import Submission
from fast_priority.broker.producer.unsent import UnsentSubmissions
from fast_priority.protocol.conversation import Conversation
from fast_priority.scheduling.priority import Priority


def submission(name: str, priority: Priority = Priority.HIGH) -> Submission:
    return Submission(Conversation(), name, priority, name.encode, "GET /", is_idempotent=True, ttl_seconds=30)


@pytest.fixture
def unsent() -> UnsentSubmissions:
    return UnsentSubmissions(lambda submission, is_unsent: None)


async def test_the_oldest_goes_first(unsent: UnsentSubmissions) -> None:
    """A turn has requests in the order in which they came, whatever their levels: Redis knows how those stand now."""
    for name, priority in [("a", Priority.LOW), ("b", Priority.HIGH), ("c", Priority.LOW), ("d", Priority.HIGH)]:
        unsent.put(submission(name, priority))
    assert [each.submission.job_id for each in unsent.take_next(4)] == ["a", "b", "c", "d"]
    unsent.close()


async def test_only_what_is_likely_to_start_goes_without_data(unsent: UnsentSubmissions) -> None:
    """As many as there are starts go without their data, and one that had to wait has it the next time."""
    first, second = submission("a"), submission("b")
    unsent.put(first)
    unsent.put(second)
    assert [each.has_data for each in unsent.take_next(1)] == [False, True]
    unsent.put_back(first, needs_data=True)
    assert [each.has_data for each in unsent.take_next(1)] == [True]
    unsent.close()


async def test_one_that_is_taken_back_is_gone(unsent: UnsentSubmissions) -> None:
    """It goes with no turn, and its time runs no more; what a turn has cannot be taken back."""
    one, sent = submission("a"), submission("b")
    unsent.put(sent)
    unsent.take_next(1)
    unsent.put(one)
    assert unsent.take_back(one)
    assert not unsent.take_back(sent)
    assert (unsent.take_next(9), len(unsent._due)) == ([], 1)
    unsent.close()
