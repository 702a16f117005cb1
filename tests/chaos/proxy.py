"""TCP proxies on loopback into which a test injects faults; each stands in front of one port.

They run on an event loop in a thread of their own, so that a test can block and change them at the same time.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from fast_priority.local.free_ports import free_port
from tests.chaos.link_faults import Fault

_PIECE_BYTES = 64 * 1024
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_TIMEOUT_SECONDS = 10.0
_LOOP_ITERATIONS = 5
_NO_FAULT = Fault()


class Proxies:
    """The thread in which the proxies run while the block lasts."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="proxies")
        self._made: list[Proxy] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for proxy in self._made:
            proxy.refuse()
            proxy.reset()
        self.run(_cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_TIMEOUT_SECONDS)
        self._loop.close()

    def before(self, port: int) -> "Proxy":
        """Return a proxy in front of this port, without a fault."""
        proxy = Proxy(port, self.run)
        self._made.append(proxy)
        proxy.accept()
        return proxy

    def run(self, doing: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine on the loop of the proxies, and return when it is done."""
        asyncio.run_coroutine_threadsafe(doing, self._loop).result(_TIMEOUT_SECONDS)


class Proxy:
    """Forwards connections to a port. `upstream` is the fault towards that port, `downstream` the one from it."""

    def __init__(self, to_port: int, run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        self.port = free_port()
        self.to_port = to_port
        self.upstream: Fault = _NO_FAULT
        self.downstream: Fault = _NO_FAULT
        self._run = run
        self._listener: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections: set[_Connection] = set()

    def inject(self, fault: Fault) -> None:
        """Inject this fault in both directions."""
        self.upstream = self.downstream = fault

    def heal(self) -> None:
        """Remove all faults and accept connections. A connection that lost bytes is reset."""
        self.inject(_NO_FAULT)
        self.accept()

    def refuse(self) -> None:
        """Refuse new connections; existing ones stay open."""
        self._run(self._close())

    def accept(self) -> None:
        """Accept new connections again."""
        self._run(self._listen())

    def reset(self) -> None:
        """Reset all connections, at both ends."""
        self._run(self._reset_all())

    async def _listen(self) -> None:
        # Not asyncio's server: closed at the wrong moment, it leaks a connection that it has just accepted.
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port))
            self._listener.setblocking(False)
            asyncio.get_running_loop().add_reader(self._listener, self._accept_one, self._listener)

    async def _close(self) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    def _accept_one(self, listener: socket.socket) -> None:
        with suppress(BlockingIOError, ConnectionAbortedError):
            accepted, _ = listener.accept()
            task = asyncio.create_task(self._serve(accepted))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _reset_all(self) -> None:
        for connection in list(self._connections):
            connection.reset()

    async def _serve(self, accepted: socket.socket) -> None:
        client = await asyncio.open_connection(sock=accepted, limit=_PIECE_BYTES)
        try:
            server = await asyncio.open_connection("127.0.0.1", self.to_port, limit=_PIECE_BYTES)
        except OSError:
            _reset(client[1])  # the connection is accepted already, so a reset is the nearest thing to a refusal
            return
        except asyncio.CancelledError:
            client[1].close()
            raise
        connection = _Connection(self, client, server)
        self._connections.add(connection)
        try:
            await connection.forward()
        finally:
            self._connections.discard(connection)


_End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Connection:
    def __init__(self, proxy: Proxy, client: _End, server: _End) -> None:
        self._writers = (client[1], server[1])
        self._directions = (
            _Direction(lambda: proxy.upstream, client[0], server[1], self.reset),
            _Direction(lambda: proxy.downstream, server[0], client[1], self.reset),
        )

    async def forward(self) -> None:
        pumps = [asyncio.ensure_future(direction.forward_all()) for direction in self._directions]
        try:
            await asyncio.wait(pumps)
        finally:
            for pump in pumps:
                pump.cancel()
            for writer in self._writers:
                writer.close()

    def reset(self) -> None:
        for writer in self._writers:
            _reset(writer)


@dataclass
class _Direction:
    fault_now: Callable[[], Fault]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    reset: Callable[[], None]
    passed_bytes: int = 0
    _seen: Fault = field(default_factory=lambda: _NO_FAULT)

    @property
    def fault(self) -> Fault:
        return self.fault_now()

    async def forward_all(self) -> None:
        with suppress(OSError):
            while piece := await self.reader.read(_PIECE_BYTES):
                if self._seen is not self.fault:
                    self._seen, self.passed_bytes = self.fault, 0
                await self._seen.apply(piece, self)
            self.half_close()
            return
        self.reset()

    async def forward(self, piece: bytes) -> None:
        self.passed_bytes += len(piece)
        self.writer.write(piece)
        await self.writer.drain()

    def half_close(self) -> None:
        if not self.writer.is_closing() and self.writer.can_write_eof():
            self.writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    if raw is not None and raw.fileno() >= 0:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()


async def _cancel_all() -> None:
    await _run_loop_iterations()  # a task that is cancelled before its first step never closes its socket
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await _run_loop_iterations()  # a closed transport closes its socket an iteration or two later


async def _run_loop_iterations() -> None:
    for _ in range(_LOOP_ITERATIONS):
        await asyncio.sleep(0)
