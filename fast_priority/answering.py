"""One response to a client, in the ASGI server's messages: the target's, whole or as it comes, or the gateway's own."""

import json
from collections.abc import AsyncIterator
from email.utils import formatdate
from http import HTTPStatus
from typing import Protocol

from fast_priority.asgi import Scope, Send
from fast_priority.errors import GatewayError, ResponseBodyTooLarge
from fast_priority.fields import content_length
from fast_priority.forwarding import onward_response_fields
from fast_priority.message import Bytes, Fields, HttpVersion, Reply

_MOST_BYTES_WITHOUT_CHUNKS = 16 * 1024 * 1024
_WITHOUT_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT, HTTPStatus.NOT_MODIFIED})


class Response(Protocol):
    """A response whose body is still coming."""

    @property
    def status(self) -> int:
        """Its status."""
        ...

    @property
    def fields(self) -> Fields:
        """Its fields."""
        ...

    @property
    def http_version(self) -> HttpVersion:
        """What the target spoke."""
        ...

    def chunks(self) -> AsyncIterator[Bytes]:
        """Give its body as it comes. Raises GatewayError where it breaks off."""
        ...


class Answer:
    """Sends one response."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._method: str = scope["method"]
        self._knows_chunks = scope["http_version"] != "1.0"
        self._send = send
        self.has_begun = False
        self.has_ended = False

    async def relay(self, reply: Reply) -> None:
        """Send a whole response of the target's."""
        fields = onward_response_fields(reply.fields, reply.http_version)
        await self.send(Reply(reply.status, fields, reply.body))

    async def send(self, reply: Reply) -> None:
        """Send a whole response of the gateway's own."""
        fields = reply.fields
        # To HEAD, the target may have left its Content-Length out; then nobody knows it.
        if content_length(fields) is None and (reply.body or self._method != "HEAD"):
            fields = [*fields, (b"content-length", b"%d" % len(reply.body))]
        await self._begin(reply.status, fields)
        await self._end(b"" if self._has_no_body(reply.status) else reply.body)

    async def stream(self, response: Response) -> None:
        """Send a response of the target's as it comes."""
        if not self._knows_chunks and content_length(response.fields) is None:
            # A client of HTTP/1.0 knows no chunks, so it must be told the length first.
            await self.relay(Reply(response.status, response.fields, await _whole(response), response.http_version))
            return
        await self._begin(response.status, onward_response_fields(response.fields, response.http_version))
        async for chunk in response.chunks():
            if not self._has_no_body(response.status):
                await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        await self._end(b"")

    async def send_error(self, error: GatewayError) -> None:
        """Say in a response of our own what went wrong (RFC 9457, RFC 9209)."""
        problem = {
            "type": f"urn:fast-priority:{error.slug}",
            "title": error.title,
            "status": error.status,
            "detail": error.detail,
            "fault": error.fault,
        }
        fields = [
            (b"content-type", b"application/problem+json"),
            (b"date", formatdate(usegmt=True).encode()),
            (b"proxy-status", _proxy_status(error)),
        ]
        if error.retry_after_seconds is not None:
            fields.append((b"retry-after", b"%d" % error.retry_after_seconds))
        if error.closes_connection:
            fields.append((b"connection", b"close"))
        await self.send(Reply(error.status, fields, json.dumps(problem).encode()))

    def _has_no_body(self, status: int) -> bool:
        return self._method == "HEAD" or status in _WITHOUT_BODY

    async def _begin(self, status: int, fields: Fields) -> None:
        if status in _WITHOUT_BODY and self._method != "HEAD":
            # The server would wait for as many bytes as the field names. RFC 9110, section 8.6, lets it be left out; a
            # 205 says that it has none (section 15.3.6), where the server would otherwise announce chunks.
            fields = [field for field in fields if field[0].lower() != b"content-length"]
            fields += [(b"content-length", b"0")] if status == HTTPStatus.RESET_CONTENT else []
        await self._send({"type": "http.response.start", "status": status, "headers": fields})
        self.has_begun = True

    async def _end(self, body: bytes) -> None:
        self.has_ended = True  # before the last message: with it, the server reports a disconnect
        await self._send({"type": "http.response.body", "body": body})


def _proxy_status(error: GatewayError) -> bytes:
    """The field of RFC 9209: who speaks, what went wrong, in words (a structured-field string is printable ASCII)."""
    words = error.detail.encode("ascii", "replace").decode().replace("\\", "\\\\").replace('"', '\\"')
    words = "".join(character if character.isprintable() else " " for character in words)
    return f'fast-priority; error={error.proxy_error}; details="{words}"'.encode()


async def _whole(response: Response) -> bytes:
    pieces, size = [], 0
    async for chunk in response.chunks():
        size += len(chunk)
        if size > _MOST_BYTES_WITHOUT_CHUNKS:
            raise ResponseBodyTooLarge(f"over {_MOST_BYTES_WITHOUT_CHUNKS} bytes of unknown length need HTTP/1.1")
        pieces.append(chunk)
    return b"".join(pieces)
