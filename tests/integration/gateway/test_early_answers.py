"""Responses of the target that come before the whole request was sent."""

import socket
import threading
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from fast_priority.errors import TargetClosed
from tests.harness import scripted_target
from tests.integration.target.target_rig import (
    LARGE,
    PATIENCE_SECONDS,
    Deed,
    Run,
    ask,
    reset,
    target_at,
)

REFUSAL = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 3\r\n\r\nno!"


def refuse_and_close(connection: socket.socket) -> None:
    """Answer and close with the body unread: bytes that are sent after that are reset."""
    connection.sendall(REFUSAL)
    connection.close()


def refuse_and_reset(connection: socket.socket) -> None:
    connection.sendall(REFUSAL)
    reset(connection)


def refuse_and_half_close(connection: socket.socket) -> None:
    connection.sendall(REFUSAL)
    connection.shutdown(socket.SHUT_WR)


refusals = pytest.mark.parametrize("refuse", [refuse_and_close, refuse_and_reset, refuse_and_half_close])


class Refusing:
    """A target that refuses each upload as soon as it has its head."""

    def __init__(self, refuse: Deed) -> None:
        self._refuse = refuse
        self._has_refused, self.is_over = threading.Event(), threading.Event()

    def answer(self, connection: socket.socket, head: bytes) -> None:
        with suppress(OSError):  # the client may have read the answer and closed before the last step
            self._refuse(connection)
        self._has_refused.set()
        self.is_over.wait(PATIENCE_SECONDS)

    async def body(self) -> AsyncIterator[bytes]:
        """A body that continues after the target has refused it, before the event loop has read the refusal."""
        yield LARGE
        assert self._has_refused.wait(PATIENCE_SECONDS)
        for _ in range(10):
            yield LARGE

    async def ask(self, port: int) -> tuple[int, bytes]:
        async with target_at(port) as target:
            try:
                return await ask(target, "POST", self.body())
            finally:
                self.is_over.set()


@refusals
def test_a_response_during_an_upload(run_on_loop: Run, refuse: Deed) -> None:
    """A response that came during the upload is returned, also if the target closed the connection after it."""
    refusing = Refusing(refuse)
    with scripted_target(refusing.answer) as (port, _):
        assert run_on_loop(refusing.ask(port)) == (401, b"no!")


@pytest.mark.parametrize("refuse", [refuse_and_close, refuse_and_reset])
def test_a_response_during_a_large_body(run_on_loop: Run, refuse: Deed) -> None:
    """A response that came while a large body was being sent is returned, too."""

    async def post() -> tuple[int, bytes]:
        async with target_at(port) as target:
            return await ask(target, "POST", b"x" * 8_000_000)

    def answer(connection: socket.socket, head: bytes) -> None:
        with suppress(OSError):
            refuse(connection)

    with scripted_target(answer) as (port, _):
        assert run_on_loop(post()) == (401, b"no!")


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 401 Unauth", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_a_part_of_a_head_is_no_response(run_on_loop: Run, sent: bytes) -> None:
    """A connection that was lost during an upload, without a whole head, is a TargetClosed."""

    def send_and_close(connection: socket.socket) -> None:
        connection.sendall(sent)
        connection.close()

    refusing = Refusing(send_and_close)
    with scripted_target(refusing.answer) as (port, _), pytest.raises(TargetClosed):
        run_on_loop(refusing.ask(port))
