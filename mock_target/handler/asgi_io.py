"""Sends answers over ASGI, piece by piece as they are due, and notices when the client leaves."""

import asyncio
from collections.abc import Iterable
from time import monotonic

from mock_target.handler.asgi_types import Receive, Send
from mock_target.responses import NO_CONTENT, Answer, Piece, ReceivedBody


async def send_answer(answer: Answer, receive: Receive, send: Send) -> None:
    """Send a whole answer; a client that leaves between two pieces gets no more."""
    await send_head(answer, send)
    await send_pieces(answer.pieces, receive, send, is_whole=True)


async def send_head(answer: Answer, send: Send) -> None:
    """Send the status and the fields, with Content-Length where the length is known."""
    fields = answer.fields
    if answer.length_bytes is not None:
        fields = [*fields, (b"content-length", b"%d" % answer.length_bytes)]
    await send({"type": "http.response.start", "status": answer.status, "headers": fields})


async def send_pieces(pieces: Iterable[Piece], receive: Receive, send: Send, is_whole: bool) -> None:
    """Send pieces when they are due; with `is_whole` the last one ends the answer, else the answer stays unfinished."""
    started_at = monotonic()
    coming = iter(pieces)
    piece = next(coming, NO_CONTENT)
    while True:
        following = next(coming, None)
        if piece.due_seconds and await client_leaves_within(started_at + piece.due_seconds - monotonic(), receive):
            return
        is_last = following is None
        await send({"type": "http.response.body", "body": piece.content, "more_body": not (is_last and is_whole)})
        if following is None:
            return
        piece = following


async def read_body(receive: Receive) -> ReceivedBody | None:
    """Read the whole request body; None when the client left before its end."""
    body = ReceivedBody()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body.add(message.get("body", b""))
        if not message.get("more_body", False):
            return body


async def client_leaves_within(seconds: float, receive: Receive) -> bool:
    """Wait so many seconds, or until the client disconnects; say whether it did. Nothing is awaited for 0 or less."""
    if seconds <= 0:
        return False
    try:
        async with asyncio.timeout(seconds):
            await wait_until_client_leaves(receive)
    except TimeoutError:
        return False
    return True


async def wait_until_client_leaves(receive: Receive) -> None:
    """Wait until the client disconnects, for ever if need be."""
    while (await receive())["type"] != "http.disconnect":
        pass
