"""What two sides say about one request: in order, whole, and no more than is wanted."""

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


def heard(*parts: Part) -> Conversation:
    """A conversation in which the other side has said this."""
    conversation = Conversation()
    for part in parts:
        conversation.receive(part)
    return conversation


async def all_of(conversation: Conversation, count: int) -> list[Part]:
    return [await conversation.next() for _ in range(count)]


async def test_parts_come_in_order() -> None:
    """What the other side says is given as it was said."""
    said: list[Part] = [HEAD, chunk(0, b"a"), chunk(1, b"b"), End(2)]
    assert await all_of(heard(*said), 4) == said


async def test_waits_for_what_is_to_come() -> None:
    """Whoever asks before the other side has spoken is given what it says then."""
    conversation = Conversation()
    asking = asyncio.create_task(conversation.next())
    await asyncio.sleep(0)
    assert not asking.done()
    conversation.receive(REPLY)
    assert await asking == REPLY


async def test_said_twice_is_heard_once() -> None:
    """A head and a chunk that come again, as after an answer of Redis that was lost, are dropped."""
    conversation = heard(HEAD, chunk(0, b"a"), HEAD, chunk(0, b"a"), chunk(1, b"b"))
    assert await all_of(conversation, 3) == [HEAD, chunk(0, b"a"), chunk(1, b"b")]
    assert not conversation.is_ready


async def test_a_permit_is_heard_once() -> None:
    """However often a worker repeats it, it is there once."""
    conversation = heard(*[Go()] * 5000)
    assert await conversation.next() == Go()
    assert (conversation.is_ready, conversation.has_received) == (False, True)


@pytest.mark.parametrize("after_a_hole", [chunk(2, b"c"), End(2)])
async def test_a_hole_is_no_body(after_a_hole: Part) -> None:
    """When a chunk is missing, what came before it can be read, and then it fails: it never looks whole."""
    conversation = heard(chunk(0, b"a"), after_a_hole)
    assert await conversation.next() == chunk(0, b"a")
    with pytest.raises(RequestLost):
        await conversation.next()


async def test_a_failure_comes_after_what_was_heard() -> None:
    """What was heard before a failure is still given, and the failure for ever after."""
    conversation = heard(HEAD)
    conversation.fail(RequestLost("its worker died"))
    conversation.fail(ValueError("too late to matter"))
    assert await conversation.next() == HEAD
    for _ in range(2):
        with pytest.raises(RequestLost, match="its worker died"):
            await conversation.next()


async def test_a_failure_ends_waiting() -> None:
    """Whoever waits for a part, or for the turn to speak, hears of the failure."""
    conversation = Conversation()
    waiting = [asyncio.create_task(conversation.next()), asyncio.create_task(conversation.acquire_credit())]
    await asyncio.sleep(0)
    conversation.fail(RequestLost("its worker died"))
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [RequestLost, RequestLost]


@pytest.mark.parametrize("wait", [Conversation.next, Conversation.acquire_credit])
async def test_silence_has_an_end(wait: Callable[..., Coroutine[Any, Any, object]]) -> None:
    """Whoever waits for the other side for longer than it can be silent is told that the request is lost."""
    with pytest.raises(RequestLost, match="nothing came"):
        await wait(Conversation(), within_seconds=0.01)


async def test_a_request_that_gets_on_is_not_lost() -> None:
    """While a request's body still goes up, the other side may be silent for as long as that takes."""
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


async def test_more_than_was_wanted_is_not_kept() -> None:
    """Whoever sends without end, unasked, is cut off."""
    conversation = heard(*(chunk(number, b"") for number in range(5000)))
    with pytest.raises(RequestLost):
        await all_of(conversation, 5000)


async def test_a_chunk_is_said_when_it_is_wanted() -> None:
    """There are as many turns to speak as chunks were wanted, numbered from 0, and then none until more are wanted."""
    conversation = heard(Credit(2, "worker-1"))
    assert [await conversation.acquire_credit(), await conversation.acquire_credit()] == [0, 1]
    third = asyncio.create_task(conversation.acquire_credit())
    await asyncio.sleep(0)
    assert not third.done()
    conversation.receive(Credit(3))
    assert await third == 2
    assert (conversation.mailbox, conversation.chunks_sent) == ("worker-1", 3)


async def test_wanting_less_changes_nothing() -> None:
    """A Want that comes late, or twice, takes nothing back."""
    conversation = heard(Credit(3, "worker-1"), Credit(1))
    assert [await conversation.acquire_credit() for _ in range(3)] == [0, 1, 2]


async def test_who_gave_up_waiting_spoils_nothing() -> None:
    """A wait that was cancelled leaves the next one as good as new."""
    conversation = Conversation()
    given_up = asyncio.create_task(conversation.next())
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.gather(given_up, return_exceptions=True)
    waiting = asyncio.create_task(conversation.next())
    await asyncio.sleep(0)
    conversation.receive(REPLY)
    assert await waiting == REPLY


@pytest.mark.parametrize("part", [REPLY, HEAD, Credit(1, "worker-1")])
async def test_any_word_is_a_sign(part: Part) -> None:
    """Whatever the other side says shows that somebody has the request."""
    assert not Conversation().has_received
    assert heard(part).has_received


@pytest.mark.parametrize("window", [1, 2, 3, 8, 9])
def test_no_more_than_the_window_is_ever_wanted(window: int) -> None:
    """There are never more chunks under way than the window has, and always at least one, however many are taken."""
    wanting = CreditWindow(window)
    for taken in range(1, 100):
        wanting.take()
        assert 1 <= wanting.granted - taken <= window


def test_wants_are_few() -> None:
    """Half a window is taken before more is wanted: there is one Want for several chunks."""
    wanting = CreditWindow(8)
    assert sum(wanting.take() is not None for _ in range(400)) == 100


async def test_as_much_as_was_asked_for_is_heard() -> None:
    """With a head before them and an end behind them, as many chunks as were asked for can wait to be read."""
    conversation = Conversation()
    conversation.limit_unread(2)
    said: list[Part] = [HEAD, chunk(0, b"a"), chunk(1, b"b"), End(2)]
    for part in said:
        conversation.receive(part)
    assert await all_of(conversation, 4) == said


async def test_more_than_was_asked_for_fails_it() -> None:
    """Whoever goes on sending unasked is not heard any more, even when there is room again: there is no hole."""
    conversation = Conversation()
    conversation.limit_unread(2)
    for number in range(100):
        conversation.receive(chunk(number, b"a"))
    assert len(await all_of(conversation, 4)) == 4
    conversation.receive(chunk(100, b"a"))
    conversation.receive(End(101))
    with pytest.raises(RequestLost, match="more than it was asked for"):
        await conversation.next()
