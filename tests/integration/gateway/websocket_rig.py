"""Targets with WebSockets, right and wrong ones, and a gateway in front of them whose queues grant permits at once."""

import select
import socket
import struct
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import ServerConnection, serve

from fast_priority.broker.producer import Attempt, Payload, Permit, Submission
from fast_priority.errors import GatewayError
from fast_priority.gateway.handler import Gateway
from fast_priority.gateway.queues import Outcome
from fast_priority.gateway.websockets import WebSocketProxy
from fast_priority.http.message import Bytes, SlotTimes, TargetPolicy
from fast_priority.http.trusted_proxies import TrustedProxies
from fast_priority.http.via import Deployment
from fast_priority.protocol.conversation import Conversation
from fast_priority.protocol.frames import decode_call
from fast_priority.scheduling.priority import Priority
from fast_priority.scheduling.rules import Rules
from fast_priority.target import Target
from tests.integration.server.protocol_rig import PATIENCE_SECONDS, Receive, Send, serving

HANDSHAKE = (
    b"GET /chat?a=%2F HTTP/1.1\r\nHost: gateway\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nCookie: a=1\r\n\r\n"
)
DEPLOYMENT = Deployment()
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Of-Target: 1\r\n\r\n"


class Slots:
    """Queues with a free slot for every handshake. A test can take a slot away, as if its worker was lost."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []
        self.is_closing = False
        self.held: dict[int, Conversation] = {}

    def submit(
        self,
        priority: Priority,
        payload: Payload,
        description: str,
        *,
        is_idempotent: bool,
        attempt: Attempt,
        on_submit: Callable[[str], object] | None = None,
        on_start: Callable[[], object] | None = None,
        on_worker: Callable[[SlotTimes | None], object] | None = None,
    ) -> Submission:
        assert is_idempotent
        self.attempts.append(attempt)
        return Submission(Conversation(), "job", priority, payload, description, is_idempotent, ttl_seconds=30)

    async def outcome(
        self, submission: Submission, body: AsyncIterator[Bytes] | None = None, *, was_woken: bool = False
    ) -> Outcome:
        assert decode_call(submission.payload()).is_permit
        return self.permit()

    def permit(self) -> Permit:
        """Return a slot that the gateway holds from now on."""
        number = len(self.attempts) - 1
        self.held[number] = Conversation()
        return Permit(self.held[number], lambda has_ended: self._free(number))

    def is_granted(self, submission: Submission) -> bool:
        return False

    def give_up(self, submission: Submission, *, has_ended: bool) -> None:
        """Nothing is held for it."""

    def _free(self, number: int) -> None:
        del self.held[number]

    def lose(self, error: GatewayError) -> None:
        """Take all slots away. To be called on any thread."""
        for conversation in self.held.values():
            loop = conversation.becoming_ready().get_loop()
            loop.call_soon_threadsafe(conversation.fail, error)


@contextmanager
def tunnelled(
    target_port: int,
    *,
    base_path: str = "",
    timeout_seconds: float = PATIENCE_SECONDS,
    client_timeout_seconds: float = PATIENCE_SECONDS,
    most: int = 100,
    most_body_bytes: int = 0,
    pass_through: str = "",
    slots: Slots | None = None,
) -> Iterator[int]:
    """Yield the port of a gateway that carries WebSockets, and nothing else."""
    base_url = f"http://127.0.0.1:{target_port}{base_path}"
    policy = TargetPolicy(base_url, PATIENCE_SECONDS, timeout_seconds, most_body_bytes)
    target = Target(policy)
    tunnels = WebSocketProxy(target, most, client_timeout_seconds)
    rules = Rules.of(pass_through=[pass_through] if pass_through else [])
    gateway = Gateway(
        rules,
        TrustedProxies.of([]),
        slots or Slots(),
        target,
        6,
        lambda priority: 1,
        client_timeout_seconds,
        DEPLOYMENT,
        tunnels,
    )

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await gateway(scope, receive, send)

    with serving(application) as port:
        yield port


@contextmanager
def websocket_target(handler: Callable[[ServerConnection], None], **options: Any) -> Iterator[int]:
    """Serve WebSockets with a library; yield the port."""
    with serve(handler, "127.0.0.1", 0, **options) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.socket.getsockname()[1]
        server.shutdown()
        thread.join(PATIENCE_SECONDS)


def opened(port: int, **options: Any) -> ClientConnection:
    """Open one through the gateway."""
    connection: ClientConnection = connect(
        f"ws://127.0.0.1:{port}/chat", proxy=None, open_timeout=PATIENCE_SECONDS, **options
    )
    return connection


class RawTarget:
    """A target whose one connection a test holds itself."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(PATIENCE_SECONDS)
        self.port: int = self._listener.getsockname()[1]
        self.connection = self._listener  # until a client connects
        self.head = b""

    def accept(self, answer: bytes) -> None:
        """Take one more connection, read the head of a request and answer."""
        if self.connection is not self._listener:
            self.connection.close()
        self.connection, _ = self._listener.accept()
        self.head = b""
        self.connection.settimeout(PATIENCE_SECONDS)
        while not self.head.endswith(b"\r\n\r\n"):
            piece = self.connection.recv(1)
            assert piece, "the connection ended"
            self.head += piece
        self.connection.sendall(answer)

    def close(self) -> None:
        self.connection.close()
        self._listener.close()


@contextmanager
def raw_target() -> Iterator[RawTarget]:
    """Yield one, and close it."""
    target = RawTarget()
    try:
        yield target
    finally:
        target.close()


def reset(connection: socket.socket) -> None:
    """Reset the connection, without a close frame."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def is_told_of_a_reset(connection: socket.socket) -> bool:
    """Wait until the other side has reset the connection, without reading from it."""
    poll = select.poll()
    poll.register(connection, 0)  # an error is reported without being asked for
    return any(events & select.POLLERR for _, events in poll.poll(PATIENCE_SECONDS * 1000))


def is_taken(connection: socket.socket, size_bytes: int) -> bool:
    """Return whether the other side accepts this many bytes, or stops before."""
    connection.settimeout(1.0)
    try:
        connection.sendall(b"x" * size_bytes)
    except TimeoutError:
        return False
    finally:
        connection.settimeout(PATIENCE_SECONDS)
    return True
