"""Sending and receiving over ASGI: pieces are sent when due, until the client disconnects."""

import asyncio
from collections.abc import Iterable
from time import monotonic

from mock_target.handler.asgi_types import Receive, Send
from mock_target.responses import NO_CONTENT, MockResponse, Piece, ReceivedBody


async def send_response(response: MockResponse, receive: Receive, send: Send) -> None:
    """Send a complete response; stop when the client disconnects between two pieces."""
    await send_head(response, send)
    await send_pieces(response.pieces, receive, send, ends_response=True)


async def send_head(response: MockResponse, send: Send) -> None:
    """Send the status and the fields, with Content-Length where the length is known."""
    fields = response.fields
    if response.length_bytes is not None:
        fields = [*fields, (b"content-length", b"%d" % response.length_bytes)]
    await send({"type": "http.response.start", "status": response.status, "headers": fields})


async def send_pieces(pieces: Iterable[Piece], receive: Receive, send: Send, ends_response: bool) -> None:
    """Send pieces when they are due; with `ends_response` the last one ends the response, else it stays incomplete."""
    started_at = monotonic()
    remaining = iter(pieces)
    piece = next(remaining, NO_CONTENT)
    while True:
        next_piece = next(remaining, None)
        if piece.due_seconds and await disconnects_within(started_at + piece.due_seconds - monotonic(), receive):
            return
        is_last = next_piece is None
        await send({"type": "http.response.body", "body": piece.content, "more_body": not (is_last and ends_response)})
        if next_piece is None:
            return
        piece = next_piece


async def read_body(receive: Receive) -> ReceivedBody | None:
    """Return the complete request body; None if the client disconnected before its end."""
    body = ReceivedBody()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body.add(message.get("body", b""))
        if not message.get("more_body", False):
            return body


async def disconnects_within(seconds: float, receive: Receive) -> bool:
    """Wait until the client disconnects; return False if it has not after so many seconds, at once for 0 or less."""
    if seconds <= 0:
        return False
    try:
        async with asyncio.timeout(seconds):
            await wait_for_disconnect(receive)
    except TimeoutError:
        return False
    return True


async def wait_for_disconnect(receive: Receive) -> None:
    """Wait until the client disconnects, without a timeout."""
    while (await receive())["type"] != "http.disconnect":
        pass
