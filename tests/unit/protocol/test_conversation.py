"""One request's conversation: its parts in order and whole, and no more than credit was granted for."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from fast_priority.errors import RequestLost
from fast_priority.http.message import Reply
from fast_priority.protocol.conversation import Conversation, CreditWindow
from fast_priority.protocol.frames import Chunk, Credit, End, Go, Head, Part

REPLY = Reply(200, [], b"")
HEAD = Head(200, [], "worker-1")


def chunk(number: int, data: bytes) -> Chunk:
    return Chunk(number, memoryview(data))


def received(*parts: Part) -> Conversation:
    """Return a conversation that has received these parts."""
    conversation = Conversation()
    for part in parts:
        conversation.receive(part)
    return conversation


async def all_of(conversation: Conversation, count: int) -> list[Part]:
    return [await conversation.next() for _ in range(count)]


async def test_parts_come_in_order() -> None:
    """Parts are returned in the order in which they came."""
    sent: list[Part] = [HEAD, chunk(0, b"a"), chunk(1, b"b"), End(2)]
    assert await all_of(received(*sent), 4) == sent


async def test_a_wait_for_the_next_part() -> None:
    """A wait that began before a part came returns that part."""
    conversation = Conversation()
    waiting = asyncio.create_task(conversation.next())
    await asyncio.sleep(0)
    assert not waiting.done()
    conversation.receive(REPLY)
    assert await waiting == REPLY


async def test_a_repeated_part_is_received_once() -> None:
    """A head and a chunk that come again, as after a lost answer of Redis, are dropped."""
    conversation = received(HEAD, chunk(0, b"a"), HEAD, chunk(0, b"a"), chunk(1, b"b"))
    assert await all_of(conversation, 3) == [HEAD, chunk(0, b"a"), chunk(1, b"b")]
    assert not conversation.is_ready


async def test_a_repeated_go_is_received_once() -> None:
    """However often a worker repeats Go, it is received once."""
    conversation = received(*[Go()] * 5000)
    assert await conversation.next() == Go()
    assert (conversation.is_ready, conversation.has_received) == (False, True)


@pytest.mark.parametrize("after_a_hole", [chunk(2, b"c"), End(2)])
async def test_a_missing_chunk_fails_the_conversation(after_a_hole: Part) -> None:
    """When a chunk is missing, the chunks before it can be read, and then the conversation fails."""
    conversation = received(chunk(0, b"a"), after_a_hole)
    assert await conversation.next() == chunk(0, b"a")
    with pytest.raises(RequestLost):
        await conversation.next()


async def test_a_failure_comes_after_the_parts_before_it() -> None:
    """Parts that came before a failure are returned, and then each wait raises the failure."""
    conversation = received(HEAD)
    conversation.fail(RequestLost("its worker died"))
    conversation.fail(ValueError("too late to matter"))
    assert await conversation.next() == HEAD
    for _ in range(2):
        with pytest.raises(RequestLost, match="its worker died"):
            await conversation.next()


async def test_a_failure_ends_waiting() -> None:
    """A failure ends the wait for a part, and the wait for credit."""
    conversation = Conversation()
    waiting = [asyncio.create_task(conversation.next()), asyncio.create_task(conversation.acquire_credit())]
    await asyncio.sleep(0)
    conversation.fail(RequestLost("its worker died"))
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [RequestLost, RequestLost]


@pytest.mark.parametrize("wait", [Conversation.next, Conversation.acquire_credit])
async def test_silence_ends_a_wait(wait: Callable[..., Coroutine[Any, Any, object]]) -> None:
    """A wait for the other side that lasts too long raises RequestLost."""
    with pytest.raises(RequestLost, match="nothing came"):
        await wait(Conversation(), within_seconds=0.01)


async def test_a_request_that_makes_progress_is_not_lost() -> None:
    """While a request makes progress, the other side may be silent."""
    conversation = Conversation()
    waiting = asyncio.create_task(conversation.next(within_seconds=0.05))
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + 1.0
    while loop.time() < ends_at:
        conversation.note_progress()
        await asyncio.sleep(0.001)
    assert not waiting.done()
    with pytest.raises(RequestLost):
        await waiting


async def test_chunks_without_credit_are_not_kept() -> None:
    """Chunks without end, and without credit, fail the conversation."""
    conversation = received(*(chunk(number, b"") for number in range(5000)))
    with pytest.raises(RequestLost):
        await all_of(conversation, 5000)


async def test_credit_is_acquired_chunk_by_chunk() -> None:
    """Credit is acquired for as many chunks as were granted, numbered from 0; the next waits for more credit."""
    conversation = received(Credit(2, "worker-1"))
    assert [await conversation.acquire_credit(), await conversation.acquire_credit()] == [0, 1]
    third = asyncio.create_task(conversation.acquire_credit())
    await asyncio.sleep(0)
    assert not third.done()
    conversation.receive(Credit(3))
    assert await third == 2
    assert (conversation.mailbox, conversation.chunks_sent) == ("worker-1", 3)


async def test_a_lower_credit_changes_nothing() -> None:
    """A Credit that comes late, or twice, takes nothing back."""
    conversation = received(Credit(3, "worker-1"), Credit(1))
    assert [await conversation.acquire_credit() for _ in range(3)] == [0, 1, 2]


async def test_a_cancelled_wait() -> None:
    """A cancelled wait does not affect the next one."""
    conversation = Conversation()
    cancelled = asyncio.create_task(conversation.next())
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    waiting = asyncio.create_task(conversation.next())
    await asyncio.sleep(0)
    conversation.receive(REPLY)
    assert await waiting == REPLY


@pytest.mark.parametrize("part", [REPLY, HEAD, Credit(1, "worker-1")])
async def test_any_part_is_a_sign(part: Part) -> None:
    """Any part shows that the other side has the request."""
    assert not Conversation().has_received
    assert received(part).has_received


@pytest.mark.parametrize("window", [1, 2, 3, 8, 9])
def test_the_credit_never_exceeds_the_window(window: int) -> None:
    """The credit never exceeds the window, and is at least one chunk, however many chunks were taken."""
    credit = CreditWindow(window)
    for taken in range(1, 100):
        credit.take()
        assert 1 <= credit.granted - taken <= window


def test_credits_are_few() -> None:
    """Half a window is taken before more credit is granted: there is one Credit for several chunks."""
    credit = CreditWindow(8)
    assert sum(credit.take() is not None for _ in range(400)) == 100


async def test_a_whole_window_is_received() -> None:
    """With a head before them and an end behind them, all chunks of a window can wait unread."""
    conversation = Conversation()
    conversation.limit_unread(2)
    sent: list[Part] = [HEAD, chunk(0, b"a"), chunk(1, b"b"), End(2)]
    for part in sent:
        conversation.receive(part)
    assert await all_of(conversation, 4) == sent


async def test_more_than_the_window_fails_the_conversation() -> None:
    """Chunks beyond the credit fail the conversation, also when there is room again: a hole would be left."""
    conversation = Conversation()
    conversation.limit_unread(2)
    for number in range(100):
        conversation.receive(chunk(number, b"a"))
    assert len(await all_of(conversation, 4)) == 4
    conversation.receive(chunk(100, b"a"))
    conversation.receive(End(101))
    with pytest.raises(RequestLost, match="more than it was asked for"):
        await conversation.next()
