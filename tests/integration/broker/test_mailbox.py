"""A mailbox at a real Redis: every frame is received, in order, whatever happens to the connection."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from fast_priority.broker import keys, mailbox, times
from fast_priority.broker.connection import send_together
from fast_priority.broker.mailbox import Mailbox
from fast_priority.protocol.frames import End, Frame, encode

PATIENCE_SECONDS = 30
INBOX, PROCESSING = keys.inbox("reader"), keys.processing_list("reader")


class Reader:
    """A mailbox, and the ids of the frames that were received from it, in order."""

    def __init__(self, port: int) -> None:
        self.received: list[str] = []
        self.mailbox = Mailbox("reader", {"host": "127.0.0.1", "port": port}, self.receive)

    def receive(self, frame: Frame) -> None:
        self.received.append(frame.request_id)

    async def mailbox_waits(self, redis: Redis) -> None:
        """Return once the reader is blocked in Redis."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not redis.info("clients")["blocked_clients"]:
                await asyncio.sleep(0.005)

    async def read_until(self, what: str, condition: Callable[[], bool]) -> None:
        """Read until the condition holds. After a broken connection, read again."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not condition():
                    try:
                        await self.mailbox.read_once()
                    except (ConnectionError, OSError):
                        continue
        except TimeoutError:
            raise AssertionError(f"read, but it never happened that {what}") from None


@pytest.fixture
async def reader(redis: Redis, redis_port: int) -> AsyncIterator[Reader]:
    """A reader whose mailbox is empty."""
    reader = Reader(redis_port)
    yield reader
    await reader.mailbox.close()


def put(redis: Redis, *names: str) -> None:
    redis.rpush(INBOX, *(encode(Frame(name, End(0))) for name in names))


async def test_in_order(redis: Redis, reader: Reader) -> None:
    """However many frames come, each is received once, in order, and nothing stays."""
    names = [str(number) for number in range(1000)]
    put(redis, *names[:900])
    await reader.read_until("some are received", lambda: len(reader.received) > 0)
    put(redis, *names[900:])
    await reader.read_until("all are received", lambda: len(reader.received) == len(names))
    assert reader.received == names
    await reader.mailbox._look([("LTRIM", PROCESSING, reader.mailbox._received, -1)])
    assert redis.keys("*") == []


async def test_woken(redis: Redis, reader: Reader) -> None:
    """A reader that waits receives what comes."""
    reading = asyncio.create_task(reader.read_until("it is received", lambda: reader.received == ["late"]))
    for _ in range(3):
        await asyncio.sleep(0)
    put(redis, "late")
    await reading


async def test_the_processing_list_expires(redis: Redis, reader: Reader) -> None:
    """If a reader dies, its processing list expires, whether the reader waited for the frames or not."""
    put(redis, "found")
    redis.expire(INBOX, 60)
    await reader.read_until("it is received", lambda: reader.received == ["found"])
    assert redis.ttl(PROCESSING) > 0
    reader.mailbox._more_may_be_there = False
    put(redis, "waited for")
    await reader.read_until("both are received", lambda: len(reader.received) == 2)
    assert redis.ttl(PROCESSING) > 0


async def test_the_processing_list_expires_before_a_frame_comes(redis: Redis, reader: Reader) -> None:
    """A reader that is killed while it waits leaves no list without a TTL: the list has one before a frame is in it."""
    reading = asyncio.create_task(reader.read_until("it is received", lambda: reader.received == ["late"]))
    await reader.mailbox_waits(redis)
    assert 0 < redis.ttl(PROCESSING) <= times.INBOX_TTL_SECONDS
    put(redis, "late")
    await reading
    assert 0 < redis.ttl(PROCESSING) <= times.INBOX_TTL_SECONDS


async def test_connection_lost_before_the_answer(redis: Redis, reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the answer to a read is lost with the connection, its frames are still received."""
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
    await reader.read_until("both are received", lambda: "second" in reader.received)
    put(redis, "third")
    await reader.read_until("all are received", lambda: "third" in reader.received)
    assert losses == 0
    assert list(dict.fromkeys(reader.received)) == ["first", "second", "third"]


async def test_redis_restarted_empty(redis: Redis, reader: Reader) -> None:
    """Frames that were received before Redis came back empty do not remove later ones."""
    put(redis, "first", "second")
    await reader.read_until("both are received", lambda: len(reader.received) == 2)
    redis.flushall()
    put(redis, "third", "fourth", "fifth")
    await reader.read_until("all are received", lambda: len(reader.received) == 5)
    assert reader.received == ["first", "second", "third", "fourth", "fifth"]


async def test_a_mailbox_without_a_ttl(redis: Redis, reader: Reader) -> None:
    """A mailbox that is read before its writer has set a TTL leaves no list without a TTL."""
    redis.rpush(INBOX, encode(Frame("1", End(0))), encode(Frame("2", End(0))))
    await reader.read_until("both are read", lambda: reader.received == ["1", "2"])
    assert redis.ttl(PROCESSING) > 0
