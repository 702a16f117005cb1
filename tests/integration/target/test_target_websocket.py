"""A handshake at the target, on both event loops, with and without TLS: the connection becomes a stream of bytes."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, suppress

import pytest

from fast_priority.errors import TargetError
from fast_priority.target import Accepted, ask_for_websocket
from tests.harness import scripted_target
from tests.integration.target.target_rig import PATIENCE_SECONDS, Run, target_at
from tests.integration.target.test_target_tls import TlsTarget

SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nX-A: 1\r\n\r\n"
A_LOT = 5_000_000

Answer = Callable[[socket.socket], None]


class Server:
    """A target that answers a handshake, and then does what `answer` does with the connection."""

    def __init__(self, answer: Answer, head: bytes, *, uses_tls: bool) -> None:
        self._tls = TlsTarget(answer, head) if uses_tls else None
        if self._tls is not None:
            self._tls._may_act.set()

        def answer_plainly(connection: socket.socket, _: bytes) -> None:
            connection.sendall(head)
            answer(connection)

        self._answer = answer_plainly

    def running(self) -> AbstractContextManager[object]:
        return self._tls.running() if self._tls else scripted_target(self._answer)

    @asynccontextmanager
    async def asked(self, running: object) -> AsyncIterator[Accepted]:
        port = running[0] if isinstance(running, tuple) else running
        assert isinstance(port, int)
        async with target_at(port, "https" if self._tls else "http") as target:
            if self._tls is not None:
                target.pool._connector._ssl = self._tls.client_context
            async with asyncio.timeout(PATIENCE_SECONDS):
                answer = await ask_for_websocket(target, b"/chat", [(b"Sec-WebSocket-Version", b"13")])
                assert isinstance(answer, Accepted)
                try:
                    yield answer
                finally:
                    answer.stream.reset()


tls = pytest.mark.parametrize("uses_tls", [False, True], ids=["plain", "tls"])


def echo(connection: socket.socket) -> None:
    with suppress(OSError):  # the test ends with a reset
        while piece := connection.recv(65536):
            connection.sendall(piece)


@tls
def test_bytes_pass_both_ways(run_on_loop: Run, *, uses_tls: bool) -> None:
    """After a 101, what is written reaches the target, and what it sends is read, however much it is."""
    server = Server(echo, SWITCH, uses_tls=uses_tls)

    async def talk(running: object) -> int:
        async with server.asked(running) as accepted:
            assert (b"X-A", b"1") in accepted.fields
            writer, reader = accepted.stream.writer, accepted.stream.reader

            async def write() -> None:
                for _ in range(A_LOT // 50_000):
                    writer.write(bytes(50_000))
                    await writer.drain()

            writing = asyncio.create_task(write())
            received = 0
            while received < A_LOT:
                received += len(await reader.read(65536))
            await writing
            return received

    with server.running() as running:
        assert run_on_loop(talk(running)) == A_LOT


@tls
def test_bytes_behind_the_101(run_on_loop: Run, *, uses_tls: bool) -> None:
    """What the target sends together with the 101, and right after it, is not lost."""
    server = Server(lambda connection: connection.sendall(b" and later"), SWITCH + b"at once", uses_tls=uses_tls)

    async def read(running: object) -> bytes:
        async with server.asked(running) as accepted:
            received = accepted.begun
            while not received.endswith(b"later"):
                piece = await accepted.stream.reader.read(100)
                assert piece
                received += piece
            return received

    with server.running() as running:
        assert run_on_loop(read(running)) == b"at once and later"


@tls
@pytest.mark.parametrize(
    "head",
    [SWITCH.replace(b"WebSocket", b"h2c"), SWITCH.replace(b"Upgrade: WebSocket\r\n", b""), b"HTTP/1.1 101\r\n\r\n"],
)
def test_a_switch_to_another_protocol(run_on_loop: Run, head: bytes, *, uses_tls: bool) -> None:
    """A 101 that does not name the WebSocket protocol is a TargetError."""
    server = Server(lambda connection: None, head, uses_tls=uses_tls)

    async def ask(running: object) -> None:
        async with server.asked(running):
            pytest.fail("the handshake was accepted")

    with server.running() as running, pytest.raises(TargetError):
        run_on_loop(ask(running))
