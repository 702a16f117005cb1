"""Requests on the fast path: how they end there, and which of them are handed over to a task."""

import asyncio
import socket
import threading
import weakref
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest

from fast_priority.broker.consumer import Claim
from fast_priority.errors import (
    NotSent,
    ResponseBodyTooLarge,
    ResponseIncomplete,
    TargetClosed,
    TargetError,
    TargetTimeout,
)
from fast_priority.http.message import Reply, TargetPolicy
from fast_priority.protocol.frames import Failure
from fast_priority.slots.fast_path import FastPath
from fast_priority.slots.gateway_channel import GatewayChannel
from fast_priority.slots.in_flight import InFlightRequest, State
from fast_priority.support.elapsed import Moment
from fast_priority.target import Body, Exchange, Target
from tests.harness import scripted_target, without_collector

PATIENCE_SECONDS = 10
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Answer = Callable[[socket.socket], None]
CLAIM = Claim("job", "execution", "high", "gateway", b"")
FOREVER = Moment(float("inf"), float("inf"), float("inf"))


class Sent:
    """A request that was sent on the fast path, if it could be, and how it ended there."""

    def __init__(self) -> None:
        self.outcome: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        outcome = self.outcome
        self.request = InFlightRequest(CLAIM, no_channel, FOREVER, lambda request, final: outcome.set_result(final))

    @property
    def is_on_fast_path(self) -> bool:
        return self.request.state is not State.CLAIMED

    async def reply(self) -> Reply:
        outcome = await self._outcome()
        assert isinstance(outcome, Reply)
        return outcome

    async def failure(self) -> Failure:
        outcome = await self._outcome()
        assert isinstance(outcome, Failure)
        return outcome

    async def handed_over(self) -> Exchange:
        outcome = await self._outcome()
        assert isinstance(outcome, Exchange)
        return outcome

    async def _outcome(self) -> object:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await asyncio.shield(self.outcome)


def no_channel(claim: Claim) -> GatewayChannel:
    pytest.fail("the fast path needs no channel")


class Rig:
    """A target that answers each request, but the first, with `answer`, and has one idle connection."""

    def __init__(self, target: Target, heads: list[bytes]) -> None:
        self.target = target
        self.heads = heads
        self.fast_path = FastPath(self._hand_over)
        self._sent: list[Sent] = []

    def send(self, method: str = "GET", body: Body = b"", *, may_be_sent: bool = True, most_bytes: int = 0) -> Sent:
        sent = Sent()
        exchange = self.target.exchange(
            method, b"/x", [], body, most_response_bytes=most_bytes, may_be_sent=lambda: may_be_sent
        )
        if exchange.begin_now(partial(self.fast_path.look, sent.request, exchange)):
            sent.request.exchange = exchange
            sent.request.move_to(State.ON_FAST_PATH)
            self._sent.append(sent)
        return sent

    def forget(self) -> None:
        self._sent.clear()

    @property
    def idle(self) -> int:
        return len(self.target.pool.idle)

    def _hand_over(self, request: InFlightRequest) -> None:
        (sent,) = [each for each in self._sent if each.request is request]
        sent.outcome.set_result(request.exchange)


@pytest.fixture
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    """A target that answers as the test is parametrized, or with OK."""
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
            rig.fast_path.close()


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
    """A response that comes whole is the reply, and the connection is kept for the next request."""
    for _ in range(3):
        reply = await rig.send().reply()
        assert reply == Reply(200, [(b"Content-Length", b"2")], b"ok", times=reply.times)
        assert rig.idle == 1
    assert len(rig.heads) == 4


@answers(
    answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", b"o", b"k"),
    answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"2\r\nok\r\n0\r\n\r\n"),
    answering(b"HTTP/1.1 103 Early Hints\r\n\r\n", OK),
    answering(b"HTTP/1.1 100 Continue\r\n\r\n" + OK[:9], OK[9:]),
)
async def test_a_response_in_pieces(rig: Rig) -> None:
    """A response whose pieces come soon after each other is the reply as well."""
    assert (await rig.send().reply()).body == b"ok"
    assert rig.idle == 1


@answers(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"))
async def test_a_response_to_head(rig: Rig) -> None:
    """The response to HEAD is whole with its fields, whatever length they declare."""
    assert (await rig.send("HEAD").reply()).body == b""
    assert rig.idle == 1


async def test_what_has_to_wait_takes_another_way(rig: Rig) -> None:
    """Without an idle connection, or with a body that comes in pieces, nothing is sent."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"

    assert not rig.send("POST", pieces()).is_on_fast_path
    first = rig.send()
    assert not rig.send().is_on_fast_path
    await first.reply()
    assert (rig.idle, len(rig.heads)) == (1, 2)


async def test_what_may_not_be_sent(rig: Rig) -> None:
    """A request whose lease may be over is not sent."""
    with pytest.raises(NotSent):
        rig.send(may_be_sent=False)
    assert len(rig.heads) == 1


LARGE = b"x" * 100_000


@answers(
    answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", LARGE),
    answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + LARGE),
    answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"186a0\r\n" + LARGE + b"\r\n0\r\n\r\n"),
    answering(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", LARGE, b""),
)
async def test_what_is_large_is_handed_over(rig: Rig) -> None:
    """A large response is handed over, and no byte of it is lost."""
    async with await rig.send().handed_over() as response:
        assert await response.whole_if_quick() is None
        assert b"".join([piece async for piece in response.chunks()]) == LARGE


@pytest.mark.parametrize("head", [b"Content-Length: 4", b"Transfer-Encoding: chunked"])
async def test_what_is_slow_is_handed_over(head: bytes) -> None:
    """A response that is not whole soon is handed over as it is, and the rest is read from it."""
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
            async with await Rig(target, heads).send().handed_over() as response:
                assert await response.whole_if_quick() is None
                goes_on.set()
                assert b"".join([piece async for piece in response.chunks()]) == b"late"


@answers(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nnot all", b""))
async def test_a_response_that_breaks_off(rig: Rig) -> None:
    """A body that ends before it is whole is an error, never a reply."""
    with pytest.raises(ResponseIncomplete):
        async with await rig.send().handed_over() as response:
            await response.whole_if_quick()
    assert rig.idle == 0


@answers(answering(b""))
async def test_a_target_that_closes(rig: Rig) -> None:
    """A target that closes the connection before it answers is a TargetClosed."""
    with pytest.raises(TargetClosed):
        async with await rig.send().handed_over():
            pass


@answers(lambda connection: connection.recv(1))  # type: ignore[arg-type]
async def test_a_silent_target(rig: Rig) -> None:
    """A target that is silent for its timeout is a TargetTimeout."""
    with pytest.raises(TargetTimeout):
        async with await rig.send().handed_over():
            pass
    assert rig.idle == 0


@answers(answering(b"this is no HTTP\r\n\r\n"))
async def test_what_is_not_http(rig: Rig) -> None:
    """A response that is not HTTP is handed over, and is a TargetError."""
    with pytest.raises(TargetError):
        async with await rig.send().handed_over():
            pass
    assert rig.idle == 0


@answers(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: a\x01b\r\n\r\nok"))
async def test_a_head_that_cannot_be_sent_on(rig: Rig) -> None:
    """A response that cannot be sent on is a failure, and its connection is closed."""
    assert (await rig.send().failure()).slug == TargetError.slug
    assert rig.idle == 0


@answers(answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"))
async def test_a_response_over_the_limit(rig: Rig) -> None:
    """A body with more bytes than the limit is a failure."""
    assert (await rig.send(most_bytes=1).failure()).slug == ResponseBodyTooLarge.slug


@answers(lambda connection: connection.recv(1))  # type: ignore[arg-type]
async def test_a_cancelled_request(rig: Rig) -> None:
    """A request that is cancelled ends without a part, and its connection is closed."""
    sent = rig.send()
    sent.request.cancel()
    assert sent.outcome.result() is None
    assert rig.idle == 0


async def test_nothing_is_left_to_the_collector(rig: Rig) -> None:
    """What has ended is freed: no reference cycle keeps it."""
    with without_collector():
        sent = rig.send()
        assert sent.request.exchange is not None
        kept: list[weakref.ref[Any]] = [weakref.ref(sent.request), weakref.ref(sent.request.exchange)]
        await sent.reply()
        rig.forget()
        del sent
        assert [each() for each in kept] == [None, None]


@answers(answering(OK + OK))
async def test_an_unsolicited_response(rig: Rig) -> None:
    """When more comes behind the response, it is dropped, and the connection is not used again."""
    assert (await rig.send().reply()).body == b"ok"
    assert rig.idle == 0
