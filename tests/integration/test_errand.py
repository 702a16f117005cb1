"""Requests that need no task: what becomes of them, and what is handed over because it turns out otherwise."""

import asyncio
import socket
import threading
import weakref
from collections.abc import AsyncIterator, Callable

import pytest

from fast_priority.errors import (
    NotSent,
    ResponseBodyTooLarge,
    ResponseIncomplete,
    TargetClosed,
    TargetError,
    TargetTimeout,
)
from fast_priority.http.message import Reply, TargetPolicy
from fast_priority.slots.fast_path import FastPath
from fast_priority.target import Body, Exchange, Target
from tests.harness import scripted_target, without_collector

PATIENCE_SECONDS = 10
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Answer = Callable[[socket.socket], None]


class Told:
    """A sender: what came of its errand."""

    def __init__(self) -> None:
        self.outcome: asyncio.Future[Reply | Exception | Exchange | None] = asyncio.get_running_loop().create_future()
        self.take_reply = self.take_failure = self.take_over = self.outcome.set_result

    def take_nothing(self) -> None:
        self.outcome.set_result(None)

    async def reply(self) -> Reply:
        outcome = await self._outcome()
        assert isinstance(outcome, Reply)
        return outcome

    async def failure(self) -> Exception:
        outcome = await self._outcome()
        assert isinstance(outcome, Exception)
        return outcome

    async def handed_over(self) -> Exchange:
        outcome = await self._outcome()
        assert isinstance(outcome, Exchange)
        return outcome

    async def _outcome(self) -> object:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await asyncio.shield(self.outcome)


class Rig:
    """A target that answers each request, but the first, with `answer`, and has one idle connection."""

    def __init__(self, target: Target, heads: list[bytes]) -> None:
        self.target = target
        self.heads = heads
        self.errands = FastPath()

    def begin(self, method: str = "GET", body: Body = b"", *, may_be_sent: bool = True, most_bytes: int = 0) -> "Told":
        told = Told()
        exchange = self.target.exchange(
            method, b"/x", [], body, most_response_bytes=most_bytes, may_be_sent=lambda: may_be_sent
        )
        self.errand = self.errands.begin(exchange, told)
        return told

    @property
    def idle(self) -> int:
        assert self.target._connections is not None
        return len(self.target._connections._idle)


@pytest.fixture
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    """It, with the answer that the test is parametrized with, or OK."""
    answer: Answer = getattr(request, "param", lambda connection: connection.sendall(OK))
    been_asked = threading.Event()

    def answer_one(connection: socket.socket, _: bytes) -> None:
        if been_asked.is_set():
            answer(connection)
        else:
            been_asked.set()
            connection.sendall(OK)

    with scripted_target(answer_one) as (port, heads):
        async with Target(TargetPolicy(f"http://127.0.0.1:{port}", 2.0, 1.0, 0)) as target:
            async with target.exchange("GET", b"/", [], b"") as response:
                assert await response.whole_if_quick() == b"ok"
            rig = Rig(target, heads)
            yield rig
            rig.errands.close()


def answering(*pieces: bytes) -> Answer:
    """Send pieces, each in a segment of its own, and close the connection if the last is empty."""

    def answer(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
        if not pieces[-1]:
            connection.shutdown(socket.SHUT_RDWR)

    return answer


def answers(*answers: Answer) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("rig", answers, indirect=True)


async def test_a_whole_response(rig: Rig) -> None:
    """What comes whole is the reply, and the connection is kept for the next."""
    for _ in range(3):
        assert await rig.begin().reply() == Reply(200, [(b"Content-Length", b"2")], b"ok")
        assert rig.idle == 1
    assert len(rig.heads) == 4


@answers(
    answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", b"o", b"k"),
    answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"2\r\nok\r\n0\r\n\r\n"),
    answering(b"HTTP/1.1 103 Early Hints\r\n\r\n", OK),
    answering(b"HTTP/1.1 100 Continue\r\n\r\n" + OK[:9], OK[9:]),
)
async def test_a_response_in_pieces(rig: Rig) -> None:
    """What comes in pieces, one soon after the other, is the reply as well."""
    assert (await rig.begin().reply()).body == b"ok"
    assert rig.idle == 1


@answers(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"))
async def test_no_body_follows_head(rig: Rig) -> None:
    """The answer to HEAD is whole with its fields, whatever length they tell."""
    assert (await rig.begin("HEAD").reply()).body == b""
    assert rig.idle == 1


async def test_what_needs_waiting_is_no_errand(rig: Rig) -> None:
    """Without an idle connection, or with a body that comes in pieces, nothing is begun."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"

    rig.begin("POST", pieces())
    assert rig.errand is None
    first = rig.begin()
    rig.begin()
    assert rig.errand is None
    await first.reply()
    assert (rig.idle, len(rig.heads)) == (1, 2)


async def test_what_may_not_be_sent(rig: Rig) -> None:
    """A request whose lease may be over is not sent."""
    with pytest.raises(NotSent):
        rig.begin(may_be_sent=False)
    assert len(rig.heads) == 1


LARGE = b"x" * 100_000


@answers(
    answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", LARGE),
    answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + LARGE),
    answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"186a0\r\n" + LARGE + b"\r\n0\r\n\r\n"),
    answering(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", LARGE, b""),
)
async def test_what_is_large_is_handed_over(rig: Rig) -> None:
    """A large response is handed over, and nothing of it is lost by that."""
    async with await rig.begin().handed_over() as response:
        assert await response.whole_if_quick() is None
        assert b"".join([piece async for piece in response.chunks()]) == LARGE


@pytest.mark.parametrize("head", [b"Content-Length: 4", b"Transfer-Encoding: chunked"])
async def test_what_is_slow_is_handed_over(head: bytes) -> None:
    """A response that is not whole soon is handed over as it is, and what comes later is had from it."""
    goes_on = threading.Event()

    def answer(connection: socket.socket, _: bytes) -> None:
        if been_asked.is_set():
            connection.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n")
            goes_on.wait(PATIENCE_SECONDS)
            connection.sendall(b"late" if b"Length" in head else b"4\r\nlate\r\n0\r\n\r\n")
        else:
            been_asked.set()
            connection.sendall(OK)

    been_asked = threading.Event()
    with scripted_target(answer) as (port, heads):
        async with Target(TargetPolicy(f"http://127.0.0.1:{port}", 2.0, 5.0, 0)) as target:
            async with target.exchange("GET", b"/", [], b"") as response:
                assert await response.whole_if_quick() == b"ok"
            async with await Rig(target, heads).begin().handed_over() as response:
                assert await response.whole_if_quick() is None
                goes_on.set()
                assert b"".join([piece async for piece in response.chunks()]) == b"late"


@answers(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nnot all", b""))
async def test_a_response_that_breaks_off(rig: Rig) -> None:
    """A body that ends before it is whole is an error, never a reply."""
    with pytest.raises(ResponseIncomplete):
        async with await rig.begin().handed_over() as response:
            await response.whole_if_quick()
    assert rig.idle == 0


@answers(answering(b""))
async def test_a_target_that_closes(rig: Rig) -> None:
    """A target that closes the connection before it answers is told of as that."""
    with pytest.raises(TargetClosed):
        async with await rig.begin().handed_over():
            pass


@answers(lambda connection: connection.recv(1))  # type: ignore[arg-type]
async def test_a_silent_target(rig: Rig) -> None:
    """A target that says nothing for its timeout is given up."""
    with pytest.raises(TargetTimeout):
        async with await rig.begin().handed_over():
            pass
    assert rig.idle == 0


@answers(answering(b"this is no HTTP\r\n\r\n"))
async def test_nonsense(rig: Rig) -> None:
    """What is no HTTP is told of as that."""
    with pytest.raises(TargetError):
        async with await rig.begin().handed_over():
            pass
    assert rig.idle == 0


@answers(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: a\x01b\r\n\r\nok"))
async def test_a_head_that_cannot_be_sent_on(rig: Rig) -> None:
    """A response that no client may see is a failure, and its connection is closed."""
    assert isinstance(await rig.begin().failure(), TargetError)
    assert rig.idle == 0


@answers(answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"))
async def test_a_response_over_the_limit(rig: Rig) -> None:
    """A body with more bytes than are taken is a failure."""
    assert isinstance(await rig.begin(most_bytes=1).failure(), ResponseBodyTooLarge)


@answers(lambda connection: connection.recv(1))  # type: ignore[arg-type]
async def test_broken_off(rig: Rig) -> None:
    """One that is broken off closes its connection, and nothing comes of it."""
    told = rig.begin()
    assert rig.errand is not None
    rig.errand.break_off()
    assert told.outcome.result() is None
    assert rig.idle == 0


async def test_nothing_is_left_to_the_collector(rig: Rig) -> None:
    """What is over is gone, by no circle kept."""
    with without_collector():
        told = rig.begin()
        await told.reply()
        assert rig.errand is not None
        sender = weakref.ref(told)
        exchange = weakref.ref(rig.errand._exchange)
        del told, rig.errand
        assert [sender(), exchange()] == [None, None]


@answers(answering(OK + OK))
async def test_an_answer_that_nobody_asked_for(rig: Rig) -> None:
    """What comes behind the response is nobody's, and the connection is not used again."""
    assert (await rig.begin().reply()).body == b"ok"
    assert rig.idle == 0
