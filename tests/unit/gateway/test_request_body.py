"""The body of a request: its first piece is read before it is queued, the rest when it is needed, and in time."""

import asyncio
import time
from typing import Any

import pytest
from starlette.types import Message

from fast_priority.errors import ClientLeft, RequestBodyTooLarge, RequestTimeout
from fast_priority.gateway.held_bodies import HeldBodies
from fast_priority.gateway.request_body import RequestBody
from fast_priority.http.limits import LEAST_BYTES_PER_SECOND
from fast_priority.support.rate_timeout import RateTimeout
from fast_priority.support.stalls import RunningClock

LEFT: Message = {"type": "http.disconnect"}
LARGE_BYTES = 1_000_000


class Clock(RunningClock):
    """A clock of a loop that never stands still, which a test sets forward."""

    def __init__(self) -> None:
        super().__init__()
        self.now_seconds = 0.0

    def seconds(self) -> float:
        return self.now_seconds


class Client:
    """Sends these messages, one for each `receive`, and then nothing. It is also its connection."""

    def __init__(self, *messages: Message) -> None:
        self._messages = list(messages)
        self.was_asked = 0
        self.flows = True

    async def receive(self) -> Message:
        self.was_asked += 1
        if not self._messages:
            await asyncio.Event().wait()
        return self._messages.pop(0)

    def hold_body(self) -> None:
        self.flows = False

    def let_body_flow(self) -> None:
        self.flows = True


def timeout_of(seconds: float) -> RateTimeout:
    return RateTimeout(seconds, LEAST_BYTES_PER_SECOND)


def piece(data: bytes, *, more: bool = True) -> Message:
    return {"type": "http.request", "body": data, "more_body": more}


def body_of(client: Client, declared_bytes: int | None = None, *, timeout_seconds: float = 30.0, **more: Any) -> Any:
    connection: Any = client
    timeout = timeout_of(timeout_seconds)
    return RequestBody(declared_bytes, client.receive, more.pop("most_bytes", 0), timeout, connection, **more)


async def all_of(body: RequestBody) -> bytes:
    return b"".join([bytes(chunk) async for chunk in body.chunks()])


async def test_a_small_body_comes_whole() -> None:
    """It is read before it is queued, however many pieces it comes in."""
    client = Client(piece(b"ab"), piece(b""), piece(b"c", more=False))
    assert await body_of(client, 3).read_ahead() == b"abc"


async def test_of_no_body_nothing_is_waited_for() -> None:
    """A request without a body is queued at once."""
    client = Client()
    assert await body_of(client, 0).read_ahead() == b""
    assert client.was_asked == 0


@pytest.mark.parametrize("declared_bytes", [LARGE_BYTES, None])
async def test_of_a_large_body_the_first_piece_is_waited_for(declared_bytes: int | None) -> None:
    """No more than that is read until the body is needed."""
    rest = b"c" * ((declared_bytes or 4) - 2)
    client = Client(piece(b""), piece(b"ab"), piece(rest), piece(b"", more=False))
    body = body_of(client, declared_bytes)
    assert await body.read_ahead() is None
    assert (client.was_asked, client.flows, body.was_handed_on) == (2, False, False)
    assert await all_of(body) == b"ab" + rest
    assert (client.flows, body.was_handed_on) == (True, True)


async def test_a_body_in_chunks_may_be_empty() -> None:
    """Its end comes in place of a first piece."""
    body = body_of(Client(piece(b"", more=False)))
    assert await body.read_ahead() is None
    assert await all_of(body) == b""


async def test_who_waits_for_100_is_not_waited_for() -> None:
    """`receive` is not called before the body is needed: the server sends 100 Continue when it is called."""
    client = Client(piece(b"ab", more=False))
    body = body_of(client, comes_when_asked_for=True)
    assert await body.read_ahead() is None
    assert client.was_asked == 0
    assert await all_of(body) == b"ab"


async def test_a_body_that_nobody_took_can_be_taken_again() -> None:
    """A first piece that was not yielded is yielded the next time; after it was, it is gone."""
    body = body_of(Client(piece(b"ab"), piece(b"cd", more=False)))
    await body.read_ahead()
    body.chunks()  # and nothing is read from it
    assert not body.was_handed_on
    chunks = body.chunks()
    assert await anext(chunks) == b"ab"
    assert body.was_handed_on
    await chunks.aclose()
    assert await all_of(body) == b"cd"


@pytest.mark.parametrize("declared_bytes", [3, LARGE_BYTES, None])
async def test_a_client_that_is_silent_is_too_slow(declared_bytes: int | None) -> None:
    """Before the first piece, whether the body is small or large."""
    with pytest.raises(RequestTimeout, match="under 500 bytes a second"):
        await body_of(Client(), declared_bytes, timeout_seconds=0.05).read_ahead()


@pytest.mark.parametrize("declared_bytes", [3, LARGE_BYTES, None])
async def test_a_client_that_stops_is_too_slow(declared_bytes: int | None) -> None:
    """After the first piece as well."""
    body = body_of(Client(piece(b"a")), declared_bytes, timeout_seconds=0.05)
    with pytest.raises(RequestTimeout):
        await body.read_ahead() or await all_of(body)


async def test_a_first_piece_of_nothing_is_none() -> None:
    """A message without a byte of the body is not a first piece."""
    with pytest.raises(RequestTimeout):
        await body_of(Client(piece(b""), piece(b"")), timeout_seconds=0.05).read_ahead()


@pytest.mark.parametrize("declared_bytes", [3, LARGE_BYTES, None])
async def test_a_client_that_leaves_before_its_body_has_left(declared_bytes: int | None) -> None:
    """The gateway does not wait until the timeout ends."""
    with pytest.raises(ClientLeft):
        await body_of(Client(LEFT), declared_bytes).read_ahead()


async def test_a_first_piece_counts_against_the_limit() -> None:
    """A body that is too large by its first piece is refused before it is queued."""
    with pytest.raises(RequestBodyTooLarge):
        await body_of(Client(piece(b"x" * 2000)), most_bytes=1024).read_ahead()


async def test_pieces_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first piece and what follows it are one body, against the limit."""
    body = body_of(Client(piece(b"x" * 1000), piece(b"x" * 1000)), most_bytes=1024)
    await body.read_ahead()
    with pytest.raises(RequestBodyTooLarge):
        await all_of(body)


async def test_only_time_in_which_the_body_is_waited_for_counts() -> None:
    """A worker may take a day for each piece: in that time the gateway does not wait for the client."""
    clock, timeout = Clock(), timeout_of(0.5)
    body = RequestBody(None, Client(*[piece(b"a")] * 9, piece(b"", more=False)).receive, 0, timeout, clock=clock)
    await body.read_ahead()
    async for _ in body.chunks():
        clock.now_seconds += 86_400
    assert timeout.remaining_seconds == 0.5


async def test_each_piece_refills_the_timeout() -> None:
    """A slow and steady client is fast enough. The time before the first piece counts too."""
    clock = Clock()

    async def receive() -> Message:
        clock.now_seconds += 4
        return piece(b"x" * 1000)

    timeout = timeout_of(15)
    body = RequestBody(None, receive, 0, timeout, clock=clock)
    await body.read_ahead()
    assert timeout.remaining_seconds == 13
    chunks = body.chunks()
    for _ in range(5):
        await anext(chunks)
    assert timeout.remaining_seconds == 5


async def test_what_came_while_the_process_stood_still_is_read() -> None:
    """After the process stood still, data that has come is read before the timeout counts."""
    loop = asyncio.get_running_loop()
    came: asyncio.Future[Message] = loop.create_future()

    async def receive() -> Message:
        return await came

    reading = asyncio.create_task(RequestBody(3, receive, 0, timeout_of(0.05)).read_ahead())
    await asyncio.sleep(0)
    loop.call_later(0.1, came.set_result, piece(b"abc", more=False))
    time.sleep(0.5)  # noqa: ASYNC251 - as a frozen process
    assert await reading == b"abc"


async def test_a_process_that_stood_still_waits_no_longer_for_nothing() -> None:
    """Where nothing has come, the client was silent all the same."""
    reading = asyncio.create_task(RequestBody(3, Client().receive, 0, timeout_of(0.05)).read_ahead())
    await asyncio.sleep(0)
    time.sleep(0.5)  # noqa: ASYNC251 - as a frozen process
    with pytest.raises(RequestTimeout):
        await reading


@pytest.mark.parametrize("comes", ["at once", "later"])
async def test_a_standstill_of_the_gateway_is_not_the_clients_time(comes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a gateway that was frozen for longer than its client may be silent, the body is read on."""
    loop = asyncio.get_running_loop()
    before, ahead_seconds, has_come = loop.time, [0.0], asyncio.Event()
    monkeypatch.setattr(loop, "time", lambda: before() + ahead_seconds[0])

    async def receive() -> Message:
        await has_come.wait()
        has_come.clear()
        return piece(b"a")

    body = RequestBody(None, receive, 0, timeout_of(2.0))
    reading = asyncio.create_task(body.read_ahead())
    await asyncio.sleep(0.15)
    ahead_seconds[0] = 1000.0
    if comes == "later":
        await asyncio.sleep(0.6)  # the timer has fired, and what has come would have been read
    has_come.set()
    await reading
    reading = asyncio.create_task(body.read_ahead())  # the time for the next piece has not been used up
    await asyncio.sleep(0.15)
    has_come.set()
    await reading


@pytest.mark.parametrize("size", [4, LARGE_BYTES])
async def test_a_body_that_was_read_for_rules_is_still_all_here(size: int) -> None:
    """What is sent to the target afterwards is the same, and was read once."""
    data = b"ab" * (size // 2)
    client = Client(piece(data[:3]), piece(data[3:], more=False))
    body = body_of(client, size)
    assert await body.read_and_hold(HeldBodies()) == data
    assert body.can_be_sent_again
    whole = await body.read_ahead()
    assert (whole if whole is not None else await all_of(body)) == data
    assert client.was_asked == 2


async def test_room_for_bodies_is_given_back() -> None:
    """A body for which there is no room is not read; there is room again when another one is released."""
    held = HeldBodies(LARGE_BYTES)
    first = body_of(Client(piece(b"a" * LARGE_BYTES, more=False)), LARGE_BYTES)
    client = Client(piece(b"b" * LARGE_BYTES, more=False))
    second = body_of(client, LARGE_BYTES)
    assert await first.read_and_hold(held) is not None
    assert await second.read_and_hold(held) is None
    assert client.was_asked == 0
    first.release()
    first.release()
    assert await second.read_and_hold(held) is not None
    assert await body_of(Client(), LARGE_BYTES).read_and_hold(held) is None


async def test_small_bodies_need_no_room() -> None:
    """Bodies that are held whole in any case are looked at however much is held."""
    assert await body_of(Client(piece(b"ab", more=False)), 2).read_and_hold(HeldBodies(0)) == b"ab"


async def test_room_of_a_body_that_breaks_off() -> None:
    """A client that leaves in the middle of its body holds no room."""
    held = HeldBodies(LARGE_BYTES)
    body = body_of(Client(piece(b"a"), LEFT), LARGE_BYTES)
    with pytest.raises(ClientLeft):
        await body.read_and_hold(held)
    body.release()
    assert held.take(LARGE_BYTES)
