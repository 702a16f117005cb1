"""Asking the target for a WebSocket (RFC 6455, section 4): as a client of one connection that is used for nothing else.

The handshake's own fields are end-to-end and go as they came; only what concerns this connection is written anew.
"""

import asyncio
import functools
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass

import h11
from yarl import URL

from fast_priority.byte_stream import PIECE_BYTES, ByteStream
from fast_priority.errors import (
    ConnectTimeout,
    MalformedRequest,
    ResponseIncomplete,
    TargetClosed,
    TargetError,
    TargetNotFound,
    TargetRefused,
    TargetTimeout,
    TargetUnreachable,
)
from fast_priority.fields import check_response_head, end_to_end_response_fields
from fast_priority.message import Fields, TargetPolicy
from fast_priority.request_head import TargetPath

_LARGEST_HEAD_BYTES = 64 * 1024
_SWITCHES = 101


@dataclass(frozen=True, slots=True)
class Accepted:
    """The target has switched: from now on the stream is a WebSocket's."""

    stream: ByteStream
    fields: Fields
    """The response's end-to-end fields."""
    begun: bytes
    """What came of the WebSocket together with the response."""


class Declined:
    """The target has answered with an ordinary response; whoever has it closes the stream."""

    def __init__(
        self, stream: ByteStream, http: h11.Connection, response: h11.Response, silence_seconds: float
    ) -> None:
        self.stream = stream
        self._http = http
        self._silence_seconds = silence_seconds
        self.status = response.status_code
        self.http_version = response.http_version.decode()
        self.fields = end_to_end_response_fields(list(response.headers))
        check_response_head(self.status, self.fields)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give its body as it comes. Raises TargetTimeout, and ResponseIncomplete when it ends before it is whole."""
        try:
            while isinstance(event := await _next_event(self.stream, self._http, self._silence_seconds), h11.Data):
                yield bytes(event.data)
        except TargetTimeout:
            raise
        except TargetError as error:
            raise ResponseIncomplete("its body ended before it was whole") from error


async def ask_for_websocket(policy: TargetPolicy, raw_target: bytes, fields: Fields) -> Accepted | Declined:
    """Send the handshake and give what the target says to it. Raises TargetError, and MalformedRequest.

    It may be silent for the policy's timeout until it answers.
    """
    base = URL(policy.base_url, encoded=True)
    request = _request(base, raw_target, fields)
    stream = await _connect(base, policy.connect_timeout_seconds)
    try:
        http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LARGEST_HEAD_BYTES)
        stream.writer.write(http.send(request) or b"")
        http.send(h11.EndOfMessage())
        while True:
            event = await _next_event(stream, http, policy.timeout_seconds)
            if isinstance(event, h11.Response):
                return Declined(stream, http, event, policy.timeout_seconds)
            if isinstance(event, h11.InformationalResponse) and event.status_code == _SWITCHES:
                begun, _ = http.trailing_data
                return Accepted(stream, _fields_of_switch(event), begun)
    except BaseException:
        stream.reset()
        raise


def _request(base: URL, raw_target: bytes, fields: Fields) -> h11.Request:
    path = TargetPath(base.raw_path).below(raw_target)
    host = base.host_port_subcomponent or ""
    own = [(b"Host", host.encode()), (b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]
    try:
        return h11.Request(method=b"GET", target=path, headers=[*own, *fields])
    except h11.LocalProtocolError as error:
        raise MalformedRequest("the request cannot be sent as it is") from error


def _fields_of_switch(response: h11.InformationalResponse) -> Fields:
    fields = list(response.headers)
    if [value.lower() for name, value in fields if name == b"upgrade"] != [b"websocket"]:
        raise TargetError("it switched to another protocol than asked for")
    return end_to_end_response_fields(fields)


async def _next_event(stream: ByteStream, http: h11.Connection, silence_seconds: float) -> object:
    """Give the next part of the response. Raises TargetTimeout, TargetClosed and, for what is no HTTP, TargetError."""
    try:
        while (event := http.next_event()) is h11.NEED_DATA:
            async with asyncio.timeout(silence_seconds):
                data = await stream.reader.read(PIECE_BYTES)
            if not data and http.their_state is h11.SEND_RESPONSE:
                raise TargetClosed("the connection ended before a response began")
            http.receive_data(data)
    except TimeoutError as error:
        raise TargetTimeout(f"it was silent for {silence_seconds:g} s") from error
    except OSError as error:
        raise TargetClosed("the connection ended before a response began") from error
    except h11.RemoteProtocolError as error:
        raise TargetError("what it sent is not an HTTP response") from error
    return event


async def _connect(base: URL, timeout_seconds: float) -> ByteStream:
    loop = asyncio.get_running_loop()
    tls = _tls() if base.scheme == "https" else None
    name = base.raw_host if tls else None
    try:
        async with asyncio.timeout(timeout_seconds):
            last: OSError = ConnectionRefusedError()
            for _, _, _, _, address in await loop.getaddrinfo(base.raw_host, base.port, type=socket.SOCK_STREAM):
                try:
                    _, stream = await loop.create_connection(
                        ByteStream, str(address[0]), int(address[1]), ssl=tls, server_hostname=name
                    )
                except ConnectionError as error:
                    last = error
                else:
                    return stream
            raise last
    except TimeoutError as error:
        raise ConnectTimeout("no connection in time (FAST_PRIORITY_CONNECT_TIMEOUT)") from error
    except (socket.gaierror, UnicodeError) as error:
        raise TargetNotFound("its host name does not resolve") from error
    except ConnectionRefusedError as error:
        raise TargetRefused("nothing listens at its address") from error
    except OSError as error:  # TLS errors, too
        raise TargetUnreachable("no connection could be made") from error


@functools.cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
