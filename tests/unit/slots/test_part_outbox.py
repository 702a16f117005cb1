"""What waits to be published: in order, and in round trips of a bounded size."""

import asyncio

from fast_priority.broker.consumer import Claim, OutgoingPart
from fast_priority.http.message import Reply
from fast_priority.protocol.frames import Credit
from fast_priority.slots.part_outbox import PartOutbox

CLAIM = Claim("job", "execution", "low", "gateway", b"")


def reply(size_bytes: int) -> OutgoingPart:
    return OutgoingPart(CLAIM, Reply(200, [], b"x" * size_bytes))


def filled(*parts: OutgoingPart) -> PartOutbox:
    outbox = PartOutbox(lambda: None)
    for part in parts:
        outbox.put(part)
    return outbox


def test_small_parts_go_together() -> None:
    """All parts are taken at once, in their order, if they are small."""
    parts = [reply(number) for number in range(100)]
    outbox = filled(*parts)
    assert (outbox.take(), len(outbox), outbox.take()) == (parts, 0, [])


def test_large_parts_go_one_after_the_other() -> None:
    """Parts are taken up to a number of bytes; the others are taken next."""
    parts = [reply(3_000_000) for _ in range(5)]
    outbox = filled(*parts)
    assert [outbox.take(), outbox.take(), outbox.take()] == [parts[:2], parts[2:4], parts[4:]]


def test_what_was_put_back_goes_first() -> None:
    """Parts that could not be published are taken before those that came later."""
    first, second, third = reply(1), reply(2), reply(3)
    outbox = filled(first, second)
    taken = outbox.take()
    outbox.put(third)
    outbox.put_back(taken)
    assert outbox.take() == [first, second, third]


def test_all_parts_are_taken_at_the_end() -> None:
    """Clearing takes all parts, whatever their size."""
    outbox = filled(*(reply(3_000_000) for _ in range(5)))
    assert (len(outbox.clear()), len(outbox)) == (5, 0)


async def test_publishing_waits_until_the_part_is_on_its_way() -> None:
    """`publish` returns once its part was published, and wakes the loop at once."""
    woken = asyncio.Event()
    outbox = PartOutbox(woken.set)
    publishing = asyncio.create_task(outbox.publish(CLAIM, Credit(1)))
    await woken.wait()
    (part,) = outbox.take()
    assert (part.part, part.is_last, publishing.done()) == (Credit(1), False, False)
    assert part.published is not None
    part.published.set_result(None)
    await publishing
