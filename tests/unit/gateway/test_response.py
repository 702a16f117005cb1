"""One response in messages, for a server that does not limit slow clients itself."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.types import Message

from fast_priority.errors import RequestTimeout
from fast_priority.gateway import response as answering
from fast_priority.gateway.response import ClientResponse
from fast_priority.http.message import Bytes, Fields, HttpVersion


class Response:
    """A response whose body comes in these pieces."""

    http_version: HttpVersion = "1.1"

    def __init__(self, *pieces: Bytes, fields: Fields | None = None, status: int = 200) -> None:
        self.status = status
        self.fields: Fields = fields or []
        self._pieces = pieces

    async def chunks(self) -> AsyncIterator[Bytes]:
        for piece in self._pieces:
            yield piece


class Client:
    """Reads so many messages, and then no more."""

    def __init__(self, takes: int = 1000) -> None:
        self.taken: list[Message] = []
        self._takes = takes

    async def send(self, message: Message) -> None:
        if len(self.taken) == self._takes:
            await asyncio.Event().wait()
        self.taken.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.taken[1:])


def scope(method: str = "GET", http_version: str = "1.1") -> dict[str, Any]:
    return {"method": method, "http_version": http_version, "headers": [(b"x-request-id", b"r1")]}


@pytest.mark.parametrize("takes", [0, 1, 2])
async def test_a_client_that_does_not_take_its_response_is_given_up(
    takes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that does not read the head or a piece in time is a RequestTimeout."""
    monkeypatch.setattr(answering, "MOST_CHUNK_BYTES", 0)
    client = Client(takes)
    with pytest.raises(RequestTimeout):
        await ClientResponse(scope(), client.send, 0.05).stream(Response(b"a", b"b"))
    assert len(client.taken) == takes


async def test_large_pieces_have_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second for each 500 bytes, those of the piece before included: the server may still be sending it."""
    allowed: list[float | None] = []

    def timeout(seconds: float | None) -> asyncio.Timeout:
        allowed.append(seconds)
        return asyncio.Timeout(None)

    monkeypatch.setattr(answering.asyncio, "timeout", timeout)  # type: ignore[attr-defined]
    await ClientResponse(scope(), Client().send, 15.0).stream(Response(b"a" * 500, b"b" * 1000))
    assert allowed[1:] == [15 + 1, 15 + 3, 15 + 2]


async def test_a_client_of_http_1_0_is_told_the_length_first() -> None:
    """Under a server without our extension, a body of unknown length is buffered, and sent with its length."""
    client = Client()
    await ClientResponse(scope(http_version="1.0"), client.send, 15.0).stream(Response(b"a" * 70_000, b"b" * 70_000))
    assert (b"content-length", b"140000") in client.taken[0]["headers"]
    assert client.body == b"a" * 70_000 + b"b" * 70_000


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
async def test_a_client_of_http_1_0_is_told_no_length_of_no_body(method: str, status: int) -> None:
    """A response without a body has no Content-Length."""
    client = Client()
    await ClientResponse(scope(method, "1.0"), client.send, 15.0).stream(Response(status=status))
    assert client.taken[0]["headers"] == [(b"via", b"1.1 fast-priority"), (b"x-request-id", b"r1")]
    assert client.body == b""
