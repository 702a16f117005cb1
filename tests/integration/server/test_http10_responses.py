"""Responses to clients of HTTP/1.0, which know no chunks: by a length, or by the end of the connection."""

import asyncio
import socket
import threading
from typing import Any

import pytest

from tests.integration.server.protocol_rig import PATIENCE_SECONDS, Receive, Send, connected, read_to_the_end, serving

ASKS = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"


def start(**fields: str) -> dict[str, Any]:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()]
    return {"type": "http.response.start", "status": 200, "headers": named}


def piece(body: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}


def test_a_piece_comes_when_it_is_sent() -> None:
    """A response without a length arrives as it is sent, without chunks, and ends with the connection."""
    received = threading.Event()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await send(start())
        await send(piece(b"first,"))
        await asyncio.to_thread(received.wait, PATIENCE_SECONDS)
        await send(piece(b"second,"))
        await send(piece(b"last", more=False))

    with serving(application) as port, connected(port) as client:
        client.sendall(ASKS)
        answer = b""
        while not answer.endswith(b"first,"):
            answer += client.recv(65536)
        received.set()
        answer += read_to_the_end(client)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert body == b"first,second,last"
    assert b"connection: close" in head
    assert b"transfer-encoding" not in head


def test_a_response_with_a_length_keeps_it() -> None:
    """A response that states its length is sent with it."""

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await send(start(content_length="4"))
        await send(piece(b"four", more=False))

    with serving(application) as port, connected(port) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert read_to_the_end(client).endswith(b"content-length: 4\r\nconnection: close\r\n\r\nfour")


@pytest.mark.parametrize("ends", ["raises", "returns"])
def test_a_response_that_breaks_off_is_reset(ends: str) -> None:
    """A response without a length that is not sent whole ends with a reset, never with an orderly end."""

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await send(start())
        await send(piece(b"first,"))
        if ends == "raises":
            raise RuntimeError("in the middle of a response")

    with serving(application) as port, connected(port) as client:
        client.sendall(ASKS)
        with pytest.raises(ConnectionResetError):
            read_to_the_end(client)


def test_a_server_that_is_killed_resets_what_it_has_begun() -> None:
    """While such a response is sent, the system itself resets the connection if the process dies."""
    found: list[bytes] = []

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await send(start())
        connection = scope["extensions"]["fast_priority.connection"]["connection"]
        raw = connection._protocol.transport.get_extra_info("socket")
        found.append(raw.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8))
        await send(piece(b"all", more=False))

    with serving(application) as port, connected(port) as client:
        client.sendall(ASKS)
        assert read_to_the_end(client).endswith(b"\r\n\r\nall")
    assert found == [b"\x01\0\0\0\0\0\0\0"]
