"""Responses to clients of HTTP/1.0, which know no chunks.

A response without Content-Length ends when its connection is closed (RFC 9112, section 6.3). So such a client gets it
as it comes. It takes an orderly close for the end of the response: one that breaks off has to end with a reset.
"""

from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from fast_priority.http.fields import may_have_body

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

    from fast_priority.server.transport import ClientTransport


class Http10Cycle(RequestResponseCycle):
    """uvicorn's cycle for one request, whose response has no chunks."""

    transport: "ClientTransport"
    _ends_by_closing = False

    async def send(self, message: "ASGISendEvent") -> None:
        """Send one message of the response."""
        if message["type"] == "http.response.start" and not self.response_started:
            names = {name.lower() for name, _ in message.get("headers", ())}
            if may_have_body(self.scope["method"], message["status"]) and b"content-length" not in names:
                self._ends_by_closing = True
                self.chunked_encoding, self.keep_alive = False, False
                self.transport.reset_unless_answered()
        elif self._ends_by_closing and message["type"] == "http.response.body":
            self.expected_content_length = len(message.get("body", b""))  # uvicorn compares it with each piece
        await super().send(message)
