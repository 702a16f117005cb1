"""New connections to the target that are closed before anything was sent on them."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aiohttp import TCPConnector
from aiohttp.connector import Connection

from fast_priority.errors import TargetClosed, TargetRefused
from fast_priority.target.connection import TargetConnection
from tests.harness import free_port, wait_until
from tests.integration.target.target_rig import (
    OK,
    PATIENCE_SECONDS,
    AnyBody,
    Deed,
    Run,
    ask,
    close,
    post_to,
    reset,
    target_at,
)


@contextmanager
def closing_target(
    monkeypatch: pytest.MonkeyPatch, *deeds: Deed, is_read: bool = False
) -> Iterator[tuple[int, list[bytes], list[Deed]]]:
    """Run a target that does one of the deeds to each connection, in this order, and closes it; then it answers.

    Yields its port, the requests that it has read, and the deeds that are left. A new connection is used only once the
    effect of its deed has arrived, and with `is_read` the event loop has read it.
    """
    heads: list[bytes] = []
    left, is_closed = list(deeds), dict[int, bool]()  # by the client's port
    has_ended = TargetConnection.has_ended

    def has_ended_by_now(connection: TargetConnection) -> bool:
        if connection.transport is not None:
            port: int = connection.transport.get_extra_info("sockname")[1]
            wait_until("it is accepted, and its deed done", lambda: port in is_closed)
            wait_until("its end has arrived", lambda: not is_closed[port] or not connection._look.is_quiet())
        return has_ended(connection)

    connect = TCPConnector.connect

    async def connect_and_read(connector: TCPConnector, *args: Any, **named: Any) -> Connection:
        made = await connect(connector, *args, **named)
        protocol = made.protocol
        assert isinstance(protocol, TargetConnection)
        has_ended_by_now(protocol)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while is_read and protocol.is_connected() and not protocol._look.is_quiet():
                await asyncio.sleep(0)
        return made

    monkeypatch.setattr(TargetConnection, "has_ended", has_ended_by_now)
    monkeypatch.setattr(TCPConnector, "connect", connect_and_read)

    def serve() -> None:
        while True:
            try:
                connection, peer = listener.accept()
            except OSError:
                return
            if left:
                with connection:
                    left.pop(0)(connection)
                is_closed[peer[1]] = True
                continue
            is_closed[peer[1]] = False
            with connection:
                if head := connection.recv(65536):
                    heads.append(head)
                    connection.sendall(OK)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1], heads, left
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(PATIENCE_SECONDS)


@pytest.mark.parametrize("deed", [close, reset])
@pytest.mark.parametrize("body", [b"body", (b"one", b"two")], ids=["whole", "upload"])
def test_a_new_connection_that_is_closed_at_once(
    run_on_loop: Run, monkeypatch: pytest.MonkeyPatch, deed: Deed, body: AnyBody
) -> None:
    """A POST is sent on a second new connection if the target closed the first one before anything was sent."""
    with closing_target(monkeypatch, deed) as (port, heads, _):
        assert run_on_loop(post_to(port, body)) == (200, b"ok")
    assert len(heads) == 1


@pytest.mark.parametrize("deed", [close, reset])
def test_new_connections_are_tried_twice(run_on_loop: Run, monkeypatch: pytest.MonkeyPatch, deed: Deed) -> None:
    """A target that closes each new connection at once is a TargetClosed, after two of them."""
    with closing_target(monkeypatch, *[deed] * 10) as (port, heads, left), pytest.raises(TargetClosed):
        run_on_loop(post_to(port, b"body"))
    assert len(left) == 8
    assert heads == []


def be_busy(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy")


def be_half_busy(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbu")


def be_silent(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 102 Processing\r\n\r\n")


@pytest.mark.parametrize("is_read", [True, False])
@pytest.mark.parametrize("body", [b"body", (b"one", b"two")], ids=["whole", "upload"])
def test_a_response_before_the_request(
    run_on_loop: Run, monkeypatch: pytest.MonkeyPatch, body: AnyBody, is_read: bool
) -> None:
    """When a busy target answers a new connection and closes it, its response is returned."""
    with closing_target(monkeypatch, be_busy, is_read=is_read) as (port, heads, _):
        assert run_on_loop(post_to(port, body)) == (503, b"busy")
    assert heads == []


@pytest.mark.parametrize("deed", [be_half_busy, be_silent])
def test_a_part_of_a_response_before_the_request(run_on_loop: Run, monkeypatch: pytest.MonkeyPatch, deed: Deed) -> None:
    """A new connection that ended before anything was sent, with a part of a response, counts as closed."""
    with closing_target(monkeypatch, deed, is_read=True) as (port, heads, _):
        assert run_on_loop(post_to(port, b"body")) == (200, b"ok")
    assert len(heads) == 1


def test_a_refused_connection_costs_no_body(run_on_loop: Run) -> None:
    """When no connection can be made, no piece of an upload is read: it can be sent again later."""
    taken: list[bytes] = []

    async def body() -> AsyncIterator[bytes]:
        taken.append(b"piece")
        yield taken[-1]

    async def put() -> None:
        async with target_at(free_port()) as target:
            with pytest.raises(TargetRefused):
                await ask(target, "PUT", body())

    run_on_loop(put())
    assert taken == []
