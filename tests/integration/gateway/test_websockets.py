"""WebSockets pass unchanged: handshake, messages, pings, close, and errors on either side."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Request, Response
from websockets.sync.connection import Connection
from websockets.sync.server import ServerConnection

from fast_priority.local.child_processes import wait_until
from fast_priority.local.free_ports import free_port
from tests.harness import without_collector
from tests.integration.gateway.websocket_rig import (
    DEPLOYMENT,
    HANDSHAKE,
    SWITCH,
    RawTarget,
    is_taken,
    is_told_of_a_reset,
    opened,
    raw_target,
    reset,
    tunnelled,
    websocket_target,
)
from tests.integration.server.protocol_rig import (
    PATIENCE_SECONDS,
    connected,
    kept_of_http,
    read_through,
    read_to_the_end,
)

A_LOT = 5_000_000
MORE_THAN_BUFFERS_HOLD = 64 * 1024 * 1024


def echo(connection: ServerConnection) -> None:
    for message in connection:
        connection.send(message)


def why_closed(connection: Connection) -> tuple[int, str]:
    """Wait until the other side closes, and return its reason."""
    with pytest.raises(ConnectionClosed) as closed:
        connection.recv(PATIENCE_SECONDS)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


@contextmanager
def tunnel() -> Iterator[tuple[socket.socket, RawTarget]]:
    """Yield both ends of an open tunnel."""
    with raw_target() as target, tunnelled(target.port) as port, connected(port) as client:
        client.sendall(HANDSHAKE)
        target.accept(SWITCH)
        read_through(client, b"\r\n\r\n")
        yield client, target


@pytest.mark.parametrize("message", ["Zoë", b"\x00\xff", "", "x" * A_LOT, b"\xff" * A_LOT], ids=len)
@pytest.mark.parametrize("compression", [None, "deflate"])
def test_messages_come_back_from_an_echo(message: str | bytes, compression: str | None) -> None:
    """Text and bytes of any size, compressed or not, pass both ways."""
    with (
        websocket_target(echo, max_size=None) as target,
        tunnelled(target) as port,
        opened(port, max_size=None, compression=compression) as client,
    ):
        assert bool(client.protocol.extensions) == (compression is not None)
        client.send(message)
        assert client.recv(PATIENCE_SECONDS) == message


def test_pings_are_answered_by_the_other_end() -> None:
    """A ping of the client's is answered by the target, and one of the target's by the client."""
    answered = threading.Event()

    def ping(connection: ServerConnection) -> None:
        if connection.ping(b"from the target").wait(PATIENCE_SECONDS):
            answered.set()
        connection.recv(PATIENCE_SECONDS)

    with websocket_target(ping) as target, tunnelled(target) as port, opened(port) as client:
        assert client.ping(b"from the client").wait(PATIENCE_SECONDS)
        assert answered.wait(PATIENCE_SECONDS)
        client.send("done")


def test_the_targets_close_code_reaches_the_client() -> None:
    """The client gets the close code and the reason of the target."""

    def close(connection: ServerConnection) -> None:
        connection.close(4001, "enough")

    with websocket_target(close) as target, tunnelled(target) as port, opened(port) as client:
        assert why_closed(client) == (4001, "enough")


def test_the_clients_close_code_reaches_the_target() -> None:
    """The target gets the close code and the reason of the client."""
    codes: list[tuple[int, str]] = []
    closed = threading.Event()

    def wait(connection: ServerConnection) -> None:
        codes.append(why_closed(connection))
        closed.set()

    with websocket_target(wait) as target, tunnelled(target) as port, opened(port) as client:
        client.close(4002, "bye")
        assert closed.wait(PATIENCE_SECONDS)
    assert codes == [(4002, "bye")]


def test_the_subprotocol_is_the_targets_choice() -> None:
    """The subprotocols that the client offers reach the target, and its choice reaches the client."""
    with (
        websocket_target(echo, subprotocols=["b"]) as target,
        tunnelled(target) as port,
        opened(port, subprotocols=["a", "b"]) as client,
    ):
        assert client.subprotocol == "b"


def test_a_declined_handshake_is_answered_as_the_target_did() -> None:
    """If the target declines with 403, the client gets its fields and its body."""

    def decline(connection: ServerConnection, request: Request) -> Response:
        response = connection.respond(403, "not you\n")
        response.headers["X-Why"] = "because"
        return response

    with (
        websocket_target(echo, process_request=decline) as target,
        tunnelled(target) as port,
        pytest.raises(InvalidStatus) as declined,
    ):
        opened(port)
    response = declined.value.response
    assert (response.status_code, response.headers["X-Why"], response.body) == (403, "because", b"not you\n")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n", b"2\r\nno\r\n0\r\n\r\n"),
        (b"HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno", b"\r\n\r\nno"),
        (b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno", b"\r\n\r\nno"),
    ],
    ids=["chunked", "length", "interim"],
)
def test_after_a_declined_handshake_the_connection_goes_on(answer: bytes, expected: bytes) -> None:
    """However a declining response ends, the client can see its end and send another request, also a pipelined one."""
    with raw_target() as target, tunnelled(target.port) as port, connected(port) as client:
        client.sendall(HANDSHAKE + HANDSHAKE)
        target.accept(answer)
        assert read_through(client, expected).startswith(b"HTTP/1.1 404 ")
        target.accept(answer)
        assert read_through(client, expected).startswith(b"HTTP/1.1 404 ")


def test_a_declined_handshake_that_breaks_off_is_not_whole() -> None:
    """If the body of a declining response is incomplete, the client can see that it is."""
    with raw_target() as target, tunnelled(target.port) as port, connected(port) as client:
        client.sendall(HANDSHAKE)
        target.accept(b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n")
        target.connection.close()
        assert not read_to_the_end(client).endswith(b"0\r\n\r\n")


def test_the_handshake_is_the_clients_own() -> None:
    """The target gets the request unchanged, with its own base path and host, and with the fields about the client."""
    with raw_target() as target, tunnelled(target.port, base_path="/v1") as port, connected(port) as client:
        client.sendall(HANDSHAKE.replace(b"\r\n\r\n", b"\r\nX-Request-ID: r1\r\n\r\n"))
        target.accept(SWITCH)
        answer = read_through(client, b"\r\n\r\n")
    assert target.head.split(b"\r\n")[:-2] == [
        b"GET /v1/chat?a=%2F HTTP/1.1",
        b"Host: 127.0.0.1:%d" % target.port,
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
        b"sec-websocket-version: 13",
        b"cookie: a=1",
        b"x-request-id: r1",
        b"x-forwarded-for: 127.0.0.1",
        b"x-forwarded-host: gateway",
        b"x-forwarded-proto: http",
        b"forwarded: for=127.0.0.1;host=gateway;proto=http",
        b"via: 1.1 " + DEPLOYMENT.name,
    ]
    assert re.sub(rb"dur=[0-9.]+", b"dur=N", answer) == (
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nx-of-target: 1\r\n"
        b"via: 1.1 " + DEPLOYMENT.name + b"\r\n"
        b"server-timing: queue;dur=N, target;dur=N\r\nx-request-id: r1\r\n\r\n"
    )


def test_what_is_said_too_early_arrives() -> None:
    """Bytes that come together with the handshake, from either side, are the first in the tunnel."""
    with raw_target() as target, tunnelled(target.port) as port, connected(port) as client:
        client.sendall(HANDSHAKE + b"from the client")
        target.accept(SWITCH + b"from the server")
        assert read_through(client, b"from the server").endswith(b"\r\n\r\nfrom the server")
        assert read_through(target.connection, b"client") == b"from the client"


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 502),
        (b"HTTP/1.1 101 Switching Protocols\r\nX: " + b"a" * 200_000, 502),
        (b"SSH-2.0\r\n\r\n", 502),
        (b"HTTP/1.1 999 No\r\n\r\n", 502),
        (b"", 504),
    ],
    ids=["other protocol", "too large", "not HTTP", "no status", "silent"],
)
def test_an_unusable_answer_is_told(answer: bytes, status: int) -> None:
    """An unusable answer of the target, or none, is reported as for other requests."""
    timeout_seconds = PATIENCE_SECONDS if answer else 0.2
    with (
        raw_target() as target,
        tunnelled(target.port, timeout_seconds=timeout_seconds) as port,
        connected(port) as client,
    ):
        client.sendall(HANDSHAKE)
        target.accept(answer)
        assert read_through(client, b"\r\n\r\n").startswith(b"HTTP/1.1 %d " % status)


def test_a_target_that_closes_is_told() -> None:
    """A connection that ends before a response, in both attempts, is a 502."""
    with raw_target() as target, tunnelled(target.port) as port, connected(port) as client:
        client.sendall(HANDSHAKE)
        for _ in range(2):
            target.accept(b"")
            target.connection.close()
        assert b'"fault": "target"' in read_through(client, b"}")


def test_a_target_that_is_not_there_is_told() -> None:
    """If no target listens, the response is a 502, as for other requests."""
    with tunnelled(free_port()) as port, connected(port) as client:
        client.sendall(HANDSHAKE)
        assert b"urn:fast-priority:target-refused" in read_through(client, b"}")


def test_an_ambiguous_handshake_is_not_forwarded() -> None:
    """A handshake with two Host fields is refused by the gateway."""
    with raw_target() as target, tunnelled(target.port) as port, connected(port) as client:
        client.sendall(HANDSHAKE.replace(b"Cookie: a=1", b"Host: another"))
        assert read_to_the_end(client).startswith(b"HTTP/1.1 400 ")


def test_a_client_that_leaves_during_the_handshake_ends_it() -> None:
    """The connection to the target is closed when the client has left."""
    with (
        raw_target() as target,
        tunnelled(target.port, timeout_seconds=10 * PATIENCE_SECONDS) as port,
        connected(port) as client,
    ):
        client.sendall(HANDSHAKE)
        target.accept(b"")
        client.close()
        with pytest.raises(ConnectionResetError):
            read_to_the_end(target.connection)


def test_one_direction_can_end_before_the_other() -> None:
    """When the client ends its side, the target gets the end, and can still send."""
    with tunnel() as (client, target):
        client.sendall(b"last")
        client.shutdown(socket.SHUT_WR)
        assert read_to_the_end(target.connection) == b"last"
        target.connection.sendall(b"x" * A_LOT)
        target.connection.close()
        assert len(read_to_the_end(client)) == A_LOT


def test_the_target_can_end_first() -> None:
    """When the target ends its side, the client gets the end, and can still send."""
    with tunnel() as (client, target):
        target.connection.sendall(b"last")
        target.connection.shutdown(socket.SHUT_WR)
        assert read_to_the_end(client) == b"last"
        client.sendall(b"x" * A_LOT)
        client.close()
        assert len(read_to_the_end(target.connection)) == A_LOT


Ends = tuple[socket.socket, socket.socket]
each_way = pytest.mark.parametrize("ends", [lambda c, t: (c, t.connection), lambda c, t: (t.connection, c)])


@each_way
@pytest.mark.parametrize("blocked", [False, True])
def test_a_reset_is_passed_on(ends: Callable[[socket.socket, RawTarget], Ends], blocked: bool) -> None:
    """If one side resets its connection, the other one is reset, too, even while it reads nothing."""
    with tunnel() as (client, target):
        this, other = ends(client, target)
        if blocked:
            assert not is_taken(this, MORE_THAN_BUFFERS_HOLD)
        reset(this)
        assert is_told_of_a_reset(other)


@each_way
def test_nobody_is_sent_more_than_is_taken(ends: Callable[[socket.socket, RawTarget], Ends]) -> None:
    """A side that does not read stops the other; when it reads again, it gets everything."""
    with tunnel() as (client, target):
        this, other = ends(client, target)
        sending = threading.Thread(target=this.sendall, args=(b"x" * MORE_THAN_BUFFERS_HOLD,), daemon=True)
        sending.start()
        sending.join(1.0)
        assert sending.is_alive()
        received = 0
        while received < MORE_THAN_BUFFERS_HOLD:
            received += len(other.recv(1 << 20))
        sending.join(PATIENCE_SECONDS)
        assert not sending.is_alive()


def test_a_connection_that_was_taken_over_leaves_nothing_of_http() -> None:
    """After the end of a tunnel nothing of its request stays in memory, also no reference cycle."""
    with without_collector(), tunnel() as (client, target):
        client.shutdown(socket.SHUT_WR)
        target.close()
        read_to_the_end(client)
        wait_until("nothing is kept", lambda: kept_of_http() == 0)
