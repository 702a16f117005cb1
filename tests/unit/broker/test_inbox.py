"""The inbox of a gateway: answers reach their requests, and no request waits for a job that is missing."""

import asyncio
import time
from collections.abc import AsyncIterator

import msgspec
import pytest
from redis.exceptions import ConnectionError

from fast_priority.broker import keys
from fast_priority.broker.producer import inbox as inbox_module
from fast_priority.broker.producer import lost_requests
from fast_priority.broker.producer.inbox import Inbox
from fast_priority.errors import FailedByForeignWorker, NewerWireVersion, RequestLost
from fast_priority.protocol.conversation import Conversation
from fast_priority.protocol.frames import Failure, Frame, encode
from fast_priority.protocol.wire_version import WIRE_VERSION
from tests.unit.broker_rig import HELLO, PATIENCE_SECONDS, Rig, until

NEVER_SECONDS = 3600.0
GATEWAY = "gateway-1"


@pytest.fixture
async def inbox(rig: Rig) -> AsyncIterator[Inbox]:
    """An open inbox that does not watch its requests by itself."""
    inbox = Inbox(GATEWAY, {}, NEVER_SECONDS)
    inbox.open()
    yield inbox
    await inbox.close()


@pytest.fixture
async def unread(rig: Rig) -> AsyncIterator[Inbox]:
    """An inbox that reads nothing and does not watch its requests by itself."""
    inbox = Inbox(GATEWAY, {}, NEVER_SECONDS)
    yield inbox
    await inbox.close()


def put(rig: Rig, *frames: bytes) -> None:
    rig.redis.rpush(keys.inbox(GATEWAY), *frames)


def hello_to(request_id: str) -> bytes:
    return encode(Frame(request_id, HELLO))


def waits(answer: Conversation) -> bool:
    return not answer.is_ready


def watched(inbox: Inbox, request_id: str) -> Conversation:
    """A request that is on its queue."""
    answer = inbox.expect(request_id)
    inbox.watch(request_id)
    return answer


async def fails(answer: Conversation) -> bool:
    with pytest.raises(RequestLost):
        await answer.next()
    return True


async def test_each_answer_reaches_its_request(rig: Rig, inbox: Inbox) -> None:
    """Each answer reaches the request that it names, in any order."""
    first, second = inbox.expect("first"), inbox.expect("second")
    failure = Failure("target-refused", "nothing listens")
    put(rig, encode(Frame("second", failure)), hello_to("first"))
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert (await first.next(), await second.next()) == (HELLO, failure)


async def test_many_at_once(rig: Rig, inbox: Inbox) -> None:
    """More answers than one read takes all reach their requests."""
    waiting = [inbox.expect(str(number)) for number in range(1000)]
    put(rig, *(hello_to(str(number)) for number in range(1000)))
    await until("all are answered", lambda: all(answer.is_ready for answer in waiting))
    assert inbox._waiting == {}


@pytest.mark.parametrize("unknown", [b"", b"not a frame", b"\x92", hello_to("unknown")])
async def test_an_unknown_frame_is_dropped(rig: Rig, inbox: Inbox, unknown: bytes) -> None:
    """A frame that is unreadable, or of an unknown request, is dropped, and the answers after it are read."""
    answer = inbox.expect("mine")
    put(rig, unknown, hello_to("mine"))
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
    """An answer to a forgotten request is dropped."""
    answer, after = inbox.expect("mine"), inbox.expect("next")
    inbox.forget("mine")
    put(rig, hello_to("mine"), hello_to("next"))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await after.next()
    assert waits(answer)


async def test_forgotten_takes_no_room(inbox: Inbox) -> None:
    """Nothing is kept of a forgotten request."""
    inbox.expect("one")
    inbox.expect("two")
    inbox.forget("one")
    assert set(inbox._waiting) == {"two"}


async def test_close_fails_waiting_requests(rig: Rig) -> None:
    """Requests that still wait when the inbox is closed fail with RequestLost, and the inbox is removed."""
    inbox = Inbox(GATEWAY, {}, NEVER_SECONDS)
    answer = inbox.expect("mine")
    put(rig, hello_to("unread"))
    await inbox.close()
    assert await fails(answer)
    assert not rig.redis.exists(keys.inbox(GATEWAY))


async def test_gone_job_fails_by_itself(rig: Rig) -> None:
    """A request whose job is gone, without an answer, fails with RequestLost within two looks."""
    inbox = Inbox(GATEWAY, {}, 0.001)
    inbox.open()
    answer = watched(inbox, "mine")
    await until("the request has failed", lambda: answer.is_ready)
    assert await fails(answer)
    await inbox.close()


async def test_missing_once(rig: Rig, unread: Inbox) -> None:
    """A request whose job is missing for the first time still waits: its answer may be on the way."""
    answer = watched(unread, "mine")
    await unread._watch(["mine"])
    assert waits(answer)


async def test_missing_twice(rig: Rig, unread: Inbox) -> None:
    """A request whose job is missing twice in a row has lost its worker."""
    answer = watched(unread, "mine")
    await unread._watch(["mine"])
    await unread._watch(["mine"])
    assert await fails(answer)


async def test_missing_with_answers_unread(rig: Rig, unread: Inbox) -> None:
    """While answers are unread, one of them may be its own: the request still waits."""
    answer = watched(unread, "mine")
    put(rig, hello_to("mine"))
    for _ in range(3):
        await unread._watch(["mine"])
    assert waits(answer)


async def test_missing_while_the_reader_waits(rig: Rig, unread: Inbox) -> None:
    """The placeholder that a waiting reader keeps in its processing list is not an unread answer."""
    answer = watched(unread, "mine")
    rig.redis.rpush(keys.processing_list(GATEWAY), b"")
    for _ in range(2):
        await unread._watch(["mine"])
    assert not waits(answer)
    assert await fails(answer)


@pytest.mark.parametrize("status", ["queued", "started"])
async def test_missing_and_back(rig: Rig, unread: Inbox, status: str) -> None:
    """A job that exists between two looks is not missing: it must be missing twice in a row."""
    answer = watched(unread, "mine")
    await unread._watch(["mine"])
    rig.redis.hset(keys.job("mine"), mapping={"status": status, "server": ""})
    await unread._watch(["mine"])
    rig.redis.delete(keys.job("mine"))
    await unread._watch(["mine"])
    assert waits(answer)


async def test_existing_job(rig: Rig, unread: Inbox) -> None:
    """A request whose job exists waits, however often it is checked."""
    answer = watched(unread, "mine")
    rig.redis.hset(keys.job("mine"), "status", "started")
    for _ in range(3):
        await unread._watch(["mine"])
    assert waits(answer)


async def test_failed_job(rig: Rig, unread: Inbox) -> None:
    """A job that rq has marked as failed counts as missing."""
    answer = watched(unread, "mine")
    rig.redis.hset(keys.job("mine"), "status", "failed")
    for _ in range(2):
        await unread._watch(["mine"])
    assert await fails(answer)


async def test_missing_however_much_is_unread(rig: Rig, unread: Inbox) -> None:
    """A gateway that always has frames to read still notices that a worker has died."""
    answer = watched(unread, "mine")
    put(rig, hello_to("unknown"))
    for _ in range(10):
        await unread._watch(["mine"])
    assert await fails(answer)


async def test_not_watched_before_it_is_queued(rig: Rig, unread: Inbox) -> None:
    """A request that is on its way to its queue has no job yet, and does not fail for that."""
    answer = unread.expect("mine")
    for _ in range(3):
        await unread._watch(["mine"])
    assert waits(answer)


async def test_one_lost_request_fails_alone(rig: Rig, unread: Inbox) -> None:
    """One lost request fails alone."""
    lost, fine = watched(unread, "lost"), watched(unread, "fine")
    rig.redis.hset(keys.job("fine"), mapping={"status": "queued", "server": ""})
    for _ in range(2):
        await unread._watch(["lost", "fine"])
    assert lost.is_ready
    assert waits(fine)


async def test_redis_away_and_back(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """A gateway whose Redis is away logs that, and reads its answers when Redis is back."""
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


async def test_queued_by_another_server(rig: Rig, unread: Inbox) -> None:
    """A waiting job that another server has queued counts as missing."""
    answer = watched(unread, "mine")
    rig.redis.hset(keys.job("mine"), mapping={"status": "queued", "server": "another"})
    for _ in range(2):
        await unread._watch(["mine"])
    assert await fails(answer)


async def test_redis_has_just_come_back(rig: Rig, unread: Inbox) -> None:
    """After Redis was away no request fails at once: workers first have time to renew their leases."""
    answer = watched(unread, "mine")
    rig.server.connected = False
    with pytest.raises(ConnectionError):
        await unread._watch(["mine"])
    rig.server.connected = True
    for _ in range(3):
        await unread._watch(["mine"])
    assert waits(answer)


async def test_the_oldest_is_queued_first_again(rig: Rig, unread: Inbox) -> None:
    """Of several lost requests the youngest fails first; each is queued again in front, so the oldest is first."""
    answers = {name: watched(unread, name) for name in ("oldest", "middle", "youngest")}
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
    """However many requests wait, one whose lease ends and whose job vanishes is found within two looks."""
    monkeypatch.setattr(lost_requests, "_A_TURN", 2)
    for number in range(20):
        rig.redis.hset(keys.job(str(number)), mapping={"status": "queued", "server": ""})
        watched(unread, str(number))
    answer = watched(unread, "mine")
    rig.redis.hset(keys.job("mine"), "status", "started")
    rig.redis.zadd(
        keys.started(lane), {"mine:execution": int(time.time()) + 1, "another:execution": int(time.time()) + 4}
    )
    await unread._watch(unread._detector.choose(look_at_all=False))
    rig.redis.delete(keys.job("mine"), keys.started(lane))
    for _ in range(2):
        assert waits(answer)
        await unread._watch(unread._detector.choose(look_at_all=False))
    assert await fails(answer)


async def test_a_long_poll_interval_checks_all(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a long poll interval a lease may end between two looks, so each look checks all waiting requests."""
    monkeypatch.setattr(lost_requests, "_A_TURN", 2)
    monkeypatch.setattr(inbox_module, "_OFTEN_SECONDS", 0.0)
    inbox = Inbox(GATEWAY, {}, 0.001)
    answers = [watched(inbox, str(number)) for number in range(20)]
    await inbox._watch_once()
    await inbox._watch_once()
    assert [waits(answer) for answer in answers] == [False] * 20


@pytest.mark.parametrize("at_once", [1, 2, 1000])
async def test_the_oldest_is_queued_first_again_in_many_calls(
    rig: Rig, unread: Inbox, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """The lost requests of one look fail the youngest first, in however many calls they were checked."""
    monkeypatch.setattr(inbox_module, "_WATCH_AT_ONCE", at_once)
    names = [str(number) for number in range(5)]
    failed: list[str] = []
    for name in names:
        watched(unread, name).fail = lambda _, name=name: failed.append(name)  # type: ignore[method-assign, misc]
    for _ in range(2):
        await unread._watch(names)
    assert failed == names[::-1]


async def test_an_ending_lease_counts_once(rig: Rig, unread: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """An ending lease that several calls return counts once, so it does not make the next look check all requests."""
    monkeypatch.setattr(inbox_module, "_WATCH_AT_ONCE", 1)
    monkeypatch.setattr(lost_requests, "_MOST_ENDING", 10)
    names = [str(number) for number in range(20)]
    for name in names:
        rig.redis.hset(keys.job(name), mapping={"status": "queued", "server": ""})
        watched(unread, name)
    rig.redis.zadd(keys.started("low"), {"another:execution": int(time.time())})
    await unread._watch(names)
    assert not unread._detector.is_urgent


async def test_leases_of_a_wrong_type(rig: Rig, unread: Inbox) -> None:
    """A registry of leases that has the wrong type does not prevent that a lost request is found."""
    answer = watched(unread, "mine")
    rig.redis.set(keys.started("high"), "not a sorted set")
    for _ in range(2):
        await unread._watch(["mine"])
    assert await fails(answer)


@pytest.mark.parametrize("part", [HELLO, ["a new kind of part"], 7])
async def test_a_newer_frame_ends_its_request(
    rig: Rig, inbox: Inbox, part: object, caplog: pytest.LogCaptureFixture
) -> None:
    """A frame of a newer wire version ends the request with an error that names the version, and is logged."""
    answer, another = inbox.expect("mine"), inbox.expect("another")
    put(rig, msgspec.msgpack.encode(["mine", part, WIRE_VERSION + 1]), hello_to("another"))
    with pytest.raises(NewerWireVersion, match=f"wire version {WIRE_VERSION + 1}"):
        await answer.next()
    assert await another.next() == HELLO
    assert f"wire version {WIRE_VERSION + 1}" in caplog.text


@pytest.mark.parametrize(("note", "error"), [({}, FailedByForeignWorker), ({"forwarded": "1"}, RequestLost)])
async def test_a_job_with_which_a_worker_failed(
    rig: Rig, unread: Inbox, note: dict[str, str], error: type[RequestLost]
) -> None:
    """A failed job is lost; if no worker of this release has run it, the error says whose worker it was."""
    answer = watched(unread, "mine")
    rig.redis.hset(keys.job("mine"), mapping={"status": "failed", **note})
    for _ in range(2):
        await unread._watch(["mine"])
    with pytest.raises(error) as raised:
        await answer.next()
    assert type(raised.value) is error
