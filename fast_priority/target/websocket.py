"""Asking the target for a WebSocket (RFC 6455, section 4), on a new connection that is used for nothing else.

A handshake is an exchange like any other: the same connections, limits, timeouts and errors. It differs in three ways.
It goes out on a new connection, its response may be a 101, and its connection is not used again.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from fast_priority.errors import TargetClosed, TargetError
from fast_priority.http.fields import check_response_fields, check_response_framing, end_to_end_response_fields
from fast_priority.http.limits import MOST_RESPONSE_FIELDS_BYTES
from fast_priority.http.message import Bytes, Fields
from fast_priority.support.byte_stream import ByteStream
from fast_priority.target.connection import SWITCHING_PROTOCOLS, TargetConnection
from fast_priority.target.exchange import Exchange
from fast_priority.target.response import Response
from fast_priority.target.target import Target

_UPGRADE: Fields = [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The target has switched: from now on the stream carries the WebSocket."""

    stream: ByteStream
    fields: Fields
    """The response's end-to-end fields."""
    begun: bytes
    """The bytes of the WebSocket that were received together with the response."""


class Declined:
    """The target has answered with an ordinary response. Call `end` in any case."""

    def __init__(self, handshake: "_Handshake", response: Response) -> None:
        self._handshake = handshake
        self._response = response
        self.status = response.status
        self.http_version = response.http_version
        self.fields = response.fields

    def chunks(self) -> AsyncIterator[Bytes]:
        """Return the body as it arrives. Raises TargetTimeout, ResponseBodyTooLarge and ResponseIncomplete."""
        return self._response.chunks()

    def end(self, *, is_whole: bool) -> None:
        """End its connection. The target sees a reset if the response was not read to its end."""
        self._handshake.end(is_whole=is_whole)


async def ask_for_websocket(
    target: Target, raw_target: bytes, fields: Fields, *, most_response_bytes: int = 0
) -> Accepted | Declined:
    """Send the handshake and return the target's answer to it. Raises TargetError, and MalformedRequest.

    The target has the policy's timeout for the whole head of its answer, interim responses included, as for every
    request. `most_response_bytes` bounds the body of a response that declines; 0 is no limit.
    """
    handshake = _Handshake(
        target.pool,
        target.timeouts,
        target.head("GET", raw_target, [*_UPGRADE, *fields]),
        b"",
        is_head=False,
        declared_bytes=None,
        most_response_bytes=most_response_bytes,
        may_be_sent=lambda: True,
    )
    return await handshake.answer()


class _Handshake(Exchange):
    """The exchange of a handshake."""

    async def answer(self) -> Accepted | Declined:
        """Send it and return the answer."""
        await self._begin_on_new()
        try:
            message, content = await self._receive_head()
            if message.code != SWITCHING_PROTOCOLS:
                return Declined(self, self._respond(message, content))
            fields = _fields_of_switch(list(message.raw_headers))
            stream, begun = self._connection.switch()
        except ConnectionResetError as error:
            self.end(is_whole=False)
            raise TargetClosed("the connection ended before a response began") from error
        except BaseException:
            self.end(is_whole=False)
            raise
        return Accepted(stream, fields, begun)

    def end(self, *, is_whole: bool) -> None:
        """End its connection, with a reset unless it is whole."""
        if is_whole:
            self._connection.end()
        else:
            self._connection.reset()

    def _expect_response(self, connection: TargetConnection) -> None:
        connection.expect_response(to_head=False, may_switch=True)


def _fields_of_switch(fields: Fields) -> Fields:
    check_response_framing(fields, MOST_RESPONSE_FIELDS_BYTES)
    if [value.lower() for name, value in fields if name.lower() == b"upgrade"] != [b"websocket"]:
        raise TargetError("it switched to another protocol than asked for")
    kept = end_to_end_response_fields(fields)
    check_response_fields(kept)
    return kept
