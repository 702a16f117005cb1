"""The inbox of a gateway: answers reach whoever waits, and nobody waits for a job that is gone."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from redis.exceptions import ConnectionError

from fast_priority.broker import keys
from fast_priority.broker.producer import inbox as inbox_module
from fast_priority.broker.producer import lost_requests as lookout
from fast_priority.broker.producer.inbox import Inbox
from fast_priority.errors import RequestLost
from fast_priority.protocol.conversation import Conversation
from fast_priority.protocol.frames import Failure, Frame, encode
from tests.unit.broker_rig import HELLO, PATIENCE_SECONDS, Rig, until

NEVER_SECONDS = 3600.0
GATEWAY = "gateway-1"


@pytest.fixture
async def inbox(rig: Rig) -> AsyncIterator[Inbox]:
    """An open inbox that does not look after its requests by itself."""
    inbox = Inbox(GATEWAY, {}, NEVER_SECONDS)
    inbox.open()
    yield inbox
    await inbox.close()


@pytest.fixture
async def unread(rig: Rig) -> AsyncIterator[Inbox]:
    """An inbox that nobody reads and that does not look after its requests by itself."""
    inbox = Inbox(GATEWAY, {}, NEVER_SECONDS)
    yield inbox
    await inbox.close()


def put(rig: Rig, *frames: bytes) -> None:
    rig.redis.rpush(keys.inbox(GATEWAY), *frames)


def hello_to(request_id: str) -> bytes:
    return encode(Frame(request_id, HELLO))


def waits(answer: Conversation) -> bool:
    return not answer.is_ready


def looked_after(inbox: Inbox, request_id: str) -> Conversation:
    """A request that is on its queue."""
    answer = inbox.expect(request_id)
    inbox.look_after(request_id)
    return answer


async def fails(answer: Conversation) -> bool:
    with pytest.raises(RequestLost):
        await answer.next()
    return True


async def test_handed_to_whom_it_is_for(rig: Rig, inbox: Inbox) -> None:
    """Each answer reaches the request that it names, whatever the order they come in."""
    first, second = inbox.expect("first"), inbox.expect("second")
    failure = Failure("target-refused", "nothing listens")
    put(rig, encode(Frame("second", failure)), hello_to("first"))
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert (await first.next(), await second.next()) == (HELLO, failure)


async def test_many_at_once(rig: Rig, inbox: Inbox) -> None:
    """More answers than are read in one go all reach their requests."""
    waiting = [inbox.expect(str(number)) for number in range(1000)]
    put(rig, *(hello_to(str(number)) for number in range(1000)))
    await until("all are answered", lambda: all(answer.is_ready for answer in waiting))
    assert inbox._waiting == {}


@pytest.mark.parametrize("rubbish", [b"", b"rubbish", b"\x92", hello_to("somebody else")])
async def test_rubbish_is_dropped(rig: Rig, inbox: Inbox, rubbish: bytes) -> None:
    """What is no answer, or nobody's, is dropped, and the answers after it are read."""
    answer = inbox.expect("mine")
    put(rig, rubbish, hello_to("mine"))
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await answer.next() == HELLO


async def test_second_answer_is_dropped(rig: Rig, inbox: Inbox) -> None:
    """A request has one answer: the first."""
    answer = inbox.expect("mine")
    put(rig, hello_to("mine"), encode(Frame("mine", Failure("late", ""))), hello_to("next"))
    after = inbox.expect("next")
    async with asyncio.timeout(PATIENCE_SECONDS):
        await after.next()
    assert await answer.next() == HELLO
    assert waits(answer)


async def test_forgotten(rig: Rig, inbox: Inbox) -> None:
    """An answer to a request that was forgotten reaches nobody."""
    answer, after = inbox.expect("mine"), inbox.expect("next")
    inbox.forget("mine")
    put(rig, hello_to("mine"), hello_to("next"))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await after.next()
    assert waits(answer)


async def test_forgotten_takes_no_room(inbox: Inbox) -> None:
    """Of a request that nobody waits for any more, nothing is kept."""
    inbox.expect("one")
    inbox.expect("two")
    inbox.forget("one")
    assert set(inbox._waiting) == {"two"}


async def test_close_fails_whoever_waits(rig: Rig) -> None:
    """Whoever still waits when the inbox is closed gets RequestLost, and the inbox is removed."""
    inbox = Inbox(GATEWAY, {}, NEVER_SECONDS)
    answer = inbox.expect("mine")
    put(rig, hello_to("nobody reads this"))
    await inbox.close()
    assert await fails(answer)
    assert not rig.redis.exists(keys.inbox(GATEWAY))


async def test_gone_job_fails_by_itself(rig: Rig) -> None:
    """A request whose job is gone, without an answer, fails with RequestLost within two looks."""
    inbox = Inbox(GATEWAY, {}, 0.001)
    inbox.open()
    answer = looked_after(inbox, "mine")
    await until("the request has failed", lambda: answer.is_ready)
    assert await fails(answer)
    await inbox.close()


async def test_missing_once(rig: Rig, unread: Inbox) -> None:
    """A request whose job is gone for the first time goes on waiting: its answer may be on the way."""
    answer = looked_after(unread, "mine")
    await unread._watch(["mine"])
    assert waits(answer)


async def test_missing_twice(rig: Rig, unread: Inbox) -> None:
    """A request whose job is gone twice in a row has lost its worker."""
    answer = looked_after(unread, "mine")
    await unread._watch(["mine"])
    await unread._watch(["mine"])
    assert await fails(answer)


async def test_missing_with_answers_unread(rig: Rig, unread: Inbox) -> None:
    """As long as answers are unread, one of them may be its own: the request goes on waiting."""
    answer = looked_after(unread, "mine")
    put(rig, hello_to("mine"))
    for _ in range(3):
        await unread._watch(["mine"])
    assert waits(answer)


@pytest.mark.parametrize("status", ["queued", "started"])
async def test_there_again(rig: Rig, unread: Inbox, status: str) -> None:
    """A job that is there between two looks counts as there: it must be gone twice in a row."""
    answer = looked_after(unread, "mine")
    await unread._watch(["mine"])
    rig.redis.hset(keys.job("mine"), mapping={"status": status, "server": ""})
    await unread._watch(["mine"])
    rig.redis.delete(keys.job("mine"))
    await unread._watch(["mine"])
    assert waits(answer)


async def test_job_there(rig: Rig, unread: Inbox) -> None:
    """A request whose job is there waits, however often it is looked after."""
    answer = looked_after(unread, "mine")
    rig.redis.hset(keys.job("mine"), "status", "started")
    for _ in range(3):
        await unread._watch(["mine"])
    assert waits(answer)


async def test_failed_job(rig: Rig, unread: Inbox) -> None:
    """A job that rq has marked as failed is as good as gone."""
    answer = looked_after(unread, "mine")
    rig.redis.hset(keys.job("mine"), "status", "failed")
    for _ in range(2):
        await unread._watch(["mine"])
    assert await fails(answer)


async def test_missing_however_much_is_unread(rig: Rig, unread: Inbox) -> None:
    """A gateway that always has something to read for others still notices that a worker has died."""
    answer = looked_after(unread, "mine")
    put(rig, hello_to("somebody else"))
    for _ in range(10):
        await unread._watch(["mine"])
    assert await fails(answer)


async def test_not_looked_after_before_it_is_queued(rig: Rig, unread: Inbox) -> None:
    """A request that is still on its way to its queue has no job yet, and is not given up for that."""
    answer = unread.expect("mine")
    for _ in range(3):
        await unread._watch(["mine"])
    assert waits(answer)


async def test_looked_after_apart(rig: Rig, unread: Inbox) -> None:
    """One lost request fails alone."""
    lost, fine = looked_after(unread, "lost"), looked_after(unread, "fine")
    rig.redis.hset(keys.job("fine"), mapping={"status": "queued", "server": ""})
    for _ in range(2):
        await unread._watch(["lost", "fine"])
    assert lost.is_ready
    assert waits(fine)


async def test_redis_away_and_back(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """A gateway whose Redis went away says so, and reads its answers once it is back."""
    rig.server.connected = False
    inbox = Inbox(GATEWAY, {}, NEVER_SECONDS)
    inbox.open()
    answer = inbox.expect("mine")
    await until("the log says that Redis is away", lambda: "cannot read answers" in caplog.text)
    rig.server.connected = True
    put(rig, hello_to("mine"))
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await answer.next() == HELLO
    await inbox.close()


async def test_waiting_where_nobody_takes_it(rig: Rig, unread: Inbox) -> None:
    """A job that waits, but was taken by a server that is no longer the one that answers, is as good as gone."""
    answer = looked_after(unread, "mine")
    rig.redis.hset(keys.job("mine"), mapping={"status": "queued", "server": "another"})
    for _ in range(2):
        await unread._watch(["mine"])
    assert await fails(answer)


async def test_redis_has_just_come_back(rig: Rig, unread: Inbox) -> None:
    """After a Redis that was away nothing is taken for lost at once: workers say first what they have in flight."""
    answer = looked_after(unread, "mine")
    rig.server.connected = False
    with pytest.raises(ConnectionError):
        await unread._watch(["mine"])
    rig.server.connected = True
    for _ in range(3):
        await unread._watch(["mine"])
    assert waits(answer)


async def test_the_oldest_comes_first_again(rig: Rig, unread: Inbox) -> None:
    """Of several lost requests the last fails first, so that, each queued again in front, the oldest is the first."""
    answers = {name: looked_after(unread, name) for name in ("oldest", "middle", "youngest")}
    failed: list[str] = []
    for name, answer in answers.items():
        answer.fail = lambda _, name=name: failed.append(name)  # type: ignore[method-assign, misc]
    for _ in range(2):
        await unread._watch(list(answers))
    assert failed == ["youngest", "middle", "oldest"]


@pytest.mark.parametrize("lane", ["high", "low"])
async def test_a_dead_workers_request_among_many(
    rig: Rig, unread: Inbox, lane: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many wait, one whose lease ends and whose job goes is found within two looks after that."""
    monkeypatch.setattr(lookout, "_A_TURN", 2)
    for number in range(20):
        rig.redis.hset(keys.job(str(number)), mapping={"status": "queued", "server": ""})
        looked_after(unread, str(number))
    answer = looked_after(unread, "mine")
    rig.redis.hset(keys.job("mine"), "status", "started")
    rig.redis.zadd(
        keys.started(lane), {"mine:execution": int(time.time()) + 1, "another:execution": int(time.time()) + 4}
    )
    await unread._watch(unread._lookout.choose(everyone=False))
    rig.redis.delete(keys.job("mine"), keys.started(lane))
    for _ in range(2):
        assert waits(answer)
        await unread._watch(unread._lookout.choose(everyone=False))
    assert await fails(answer)


async def test_whoever_looks_seldom_looks_at_all(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a long poll interval a lease may end between two looks, so all that wait are looked at each time."""
    monkeypatch.setattr(lookout, "_A_TURN", 2)
    monkeypatch.setattr(inbox_module, "_OFTEN_SECONDS", 0.0)
    inbox = Inbox(GATEWAY, {}, 0.001)
    answers = [looked_after(inbox, str(number)) for number in range(20)]
    await inbox._watch_once()
    await inbox._watch_once()
    assert [waits(answer) for answer in answers] == [False] * 20


@pytest.mark.parametrize("at_once", [1, 2, 1000])
async def test_the_oldest_comes_first_again_however_many_there_are(
    rig: Rig, unread: Inbox, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """What is lost in one look fails the youngest first, in however many calls it was looked at."""
    monkeypatch.setattr(inbox_module, "_WATCH_AT_ONCE", at_once)
    names = [str(number) for number in range(5)]
    failed: list[str] = []
    for name in names:
        looked_after(unread, name).fail = lambda _, name=name: failed.append(name)  # type: ignore[method-assign, misc]
    for _ in range(2):
        await unread._watch(names)
    assert failed == names[::-1]


async def test_few_ending_leases_are_few_in_however_many_calls(
    rig: Rig, unread: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lease that each of several calls tells of is one: it has nobody looked at out of turn."""
    monkeypatch.setattr(inbox_module, "_WATCH_AT_ONCE", 1)
    monkeypatch.setattr(lookout, "_MOST_ENDING", 10)
    names = [str(number) for number in range(20)]
    for name in names:
        rig.redis.hset(keys.job(name), mapping={"status": "queued", "server": ""})
        looked_after(unread, name)
    rig.redis.zadd(keys.started("low"), {"another:execution": int(time.time())})
    await unread._watch(names)
    assert not unread._lookout.is_in_a_hurry


async def test_leases_of_a_wrong_type(rig: Rig, unread: Inbox) -> None:
    """A registry of leases that somebody has spoilt keeps nobody from finding what is lost."""
    answer = looked_after(unread, "mine")
    rig.redis.set(keys.started("high"), "spoilt")
    for _ in range(2):
        await unread._watch(["mine"])
    assert await fails(answer)
