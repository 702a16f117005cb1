"""A mailbox at a real Redis: every frame is heard, in order, whatever happens to the connection."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from fast_priority.broker import keys, mailbox
from fast_priority.broker.connection import send_together
from fast_priority.broker.mailbox import Mailbox
from fast_priority.protocol.frames import End, Frame, encode

PATIENCE_SECONDS = 30
INBOX, ASIDE = keys.inbox("reader"), keys.processing_list("reader")


class Reader:
    """A mailbox and the ids of the frames that it was heard to have, in order."""

    def __init__(self, port: int) -> None:
        self.heard: list[str] = []
        self.mailbox = Mailbox("reader", {"host": "127.0.0.1", "port": port}, self.hear)

    def hear(self, frame: Frame) -> None:
        self.heard.append(frame.request_id)

    async def read_until(self, what: str, condition: Callable[[], bool]) -> None:
        """Read until the condition holds; a connection that breaks is a reason to read again."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not condition():
                    try:
                        await self.mailbox.read_once()
                    except (ConnectionError, OSError):
                        continue
        except TimeoutError:
            raise AssertionError(f"read in vain until {what}") from None


@pytest.fixture
async def reader(redis: Redis, redis_port: int) -> AsyncIterator[Reader]:
    """A reader whose mailbox is empty."""
    reader = Reader(redis_port)
    yield reader
    await reader.mailbox.close()


def put(redis: Redis, *names: str) -> None:
    redis.rpush(INBOX, *(encode(Frame(name, End(0))) for name in names))


async def test_in_order(redis: Redis, reader: Reader) -> None:
    """However many frames come, each is heard once, in the order in which they came, and nothing stays."""
    names = [str(number) for number in range(1000)]
    put(redis, *names[:900])
    await reader.read_until("some are heard", lambda: len(reader.heard) > 0)
    put(redis, *names[900:])
    await reader.read_until("all are heard", lambda: len(reader.heard) == len(names))
    assert reader.heard == names
    await reader.mailbox._look([("LTRIM", ASIDE, reader.mailbox._received, -1)])
    assert redis.keys("*") == []


async def test_woken(redis: Redis, reader: Reader) -> None:
    """A reader that waits hears what comes."""
    reading = asyncio.create_task(reader.read_until("it is heard", lambda: reader.heard == ["late"]))
    for _ in range(3):
        await asyncio.sleep(0)
    put(redis, "late")
    await reading


async def test_what_is_set_aside_has_an_end(redis: Redis, reader: Reader) -> None:
    """Should the reader die with frames set aside, whether it waited for them or not, they expire."""
    put(redis, "found")
    redis.expire(INBOX, 60)
    await reader.read_until("it is heard", lambda: reader.heard == ["found"])
    assert redis.ttl(ASIDE) > 0
    reader.mailbox._more_may_be_there = False
    put(redis, "waited for")
    await reader.read_until("both are heard", lambda: len(reader.heard) == 2)
    assert redis.ttl(ASIDE) > 0


async def test_connection_lost_before_the_answer(redis: Redis, reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames whose reading was carried out, but whose answer was lost with the connection, are heard all the same."""
    together = send_together
    losses = 3

    async def losing_the_answer(client: AsyncRedis, commands: Any) -> Any:
        nonlocal losses
        answers = await together(client, commands)
        if any(answers) and losses:
            losses -= 1
            raise ConnectionError("the connection broke")
        return answers

    monkeypatch.setattr(mailbox, "send_together", losing_the_answer)
    put(redis, "first", "second")
    await reader.read_until("both are heard", lambda: "second" in reader.heard)
    put(redis, "third")
    await reader.read_until("all are heard", lambda: "third" in reader.heard)
    assert losses == 0
    assert list(dict.fromkeys(reader.heard)) == ["first", "second", "third"]


async def test_redis_restarted_empty(redis: Redis, reader: Reader) -> None:
    """What was heard and not yet removed when Redis came back empty takes nothing along of what comes after it."""
    put(redis, "first", "second")
    await reader.read_until("both are heard", lambda: len(reader.heard) == 2)
    redis.flushall()
    put(redis, "third", "fourth", "fifth")
    await reader.read_until("all are heard", lambda: len(reader.heard) == 5)
    assert reader.heard == ["first", "second", "third", "fourth", "fifth"]


async def test_what_is_aside_has_an_end(redis: Redis, reader: Reader) -> None:
    """A mailbox that is read before its writer has given it an end leaves nothing for ever, should the reader die."""
    redis.rpush(INBOX, encode(Frame("1", End(0))), encode(Frame("2", End(0))))
    await reader.read_until("both are read", lambda: reader.heard == ["1", "2"])
    assert redis.ttl(ASIDE) > 0
