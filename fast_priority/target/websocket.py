"""Asking the target for a WebSocket (RFC 6455, section 4): as a client of one connection that is used for nothing else.

The handshake's own fields are end-to-end and go as they came; only what concerns this connection is written anew.
"""

import asyncio
import functools
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus

import h11
from yarl import URL

from fast_priority.errors import (
    ConnectTimeout,
    MalformedRequest,
    ResponseBodyTooLarge,
    ResponseIncomplete,
    TargetClosed,
    TargetError,
    TargetNotFound,
    TargetRefused,
    TargetTimeout,
    TargetUnreachable,
    without_traces,
)
from fast_priority.http.fields import (
    check_response_fields,
    check_response_head,
    content_length,
    end_to_end_response_fields,
)
from fast_priority.http.limits import MOST_RESPONSE_FIELDS_BYTES
from fast_priority.http.message import Fields, HttpVersion, TargetPolicy
from fast_priority.http.request_target import TargetPath
from fast_priority.support.byte_stream import PIECE_BYTES, ByteStream

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
    """The target has answered with an ordinary response. Its owner has to call `end`.

    A head that the client cannot be sent is a TargetError, a body of over `most_bytes` (0: no limit) a
    ResponseBodyTooLarge.
    """

    def __init__(
        self,
        stream: ByteStream,
        http: h11.Connection,
        response: h11.Response,
        silence_seconds: float,
        most_bytes: int,
    ) -> None:
        self._stream = stream
        self._http = http
        self._silence_seconds = silence_seconds
        self._most_bytes = most_bytes
        self.status = response.status_code
        self.http_version: HttpVersion = "1.0" if response.http_version == b"1.0" else "1.1"
        received = list(response.headers)  # h11 refuses a body that could be read in two ways
        self.fields = end_to_end_response_fields(received)
        check_response_head(self.status, self.fields)
        self._check_size(content_length(received) or 0)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield its body as it comes.

        Raises TargetTimeout, ResponseBodyTooLarge, and ResponseIncomplete when it ends before it is whole.
        """
        size = 0
        while (data := await self._next_data()) is not None:
            size += len(data)
            self._check_size(size)
            yield data

    def end(self, *, is_whole: bool) -> None:
        """End its connection; the target sees a reset if the response was not read to its end."""
        if is_whole:
            self._stream.end()
        else:
            self._stream.reset()

    async def _next_data(self) -> bytes | None:
        try:
            async with asyncio.timeout(self._silence_seconds):
                event = await _next_event(self._stream, self._http)
        except TimeoutError as error:
            raise _was_silent(self._silence_seconds) from error
        except TargetError as error:
            raise ResponseIncomplete("its body ended before it was whole") from error
        return bytes(event.data) if isinstance(event, h11.Data) else None

    def _check_size(self, size_bytes: int) -> None:
        if self._most_bytes and size_bytes > self._most_bytes and self.status != HTTPStatus.NOT_MODIFIED:
            raise ResponseBodyTooLarge(f"its body has more than {self._most_bytes} bytes")


async def ask_for_websocket(
    policy: TargetPolicy, raw_target: bytes, fields: Fields, *, most_response_bytes: int = 0
) -> Accepted | Declined:
    """Send the handshake and return the target's answer to it. Raises TargetError, and MalformedRequest.

    The target has the policy's timeout for the whole head of its answer, interim responses included, as for every
    request. `most_response_bytes` bounds the body of a response that declines; 0 is no limit.
    """
    base = URL(policy.base_url, encoded=True)
    request = _request(base, raw_target, fields)
    stream = await _connect(base, policy.connect_timeout_seconds)
    try:
        http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_RESPONSE_FIELDS_BYTES)
        stream.writer.write(http.send(request) or b"")
        http.send(h11.EndOfMessage())
        response = await _answer(stream, http, policy.timeout_seconds)
        if isinstance(response, h11.Response):
            return Declined(stream, http, response, policy.timeout_seconds, most_response_bytes)
        begun, _ = http.trailing_data
        return Accepted(stream, _fields_of_switch(response), begun)
    except BaseException:
        stream.reset()
        raise


async def _answer(
    stream: ByteStream, http: h11.Connection, within_seconds: float
) -> h11.Response | h11.InformationalResponse:
    try:
        async with asyncio.timeout(within_seconds):
            while True:
                event = await _next_event(stream, http)
                if isinstance(event, h11.Response):
                    return event
                if isinstance(event, h11.InformationalResponse) and event.status_code == _SWITCHES:
                    return event
    except TimeoutError as error:
        raise _was_silent(within_seconds) from error


def _request(base: URL, raw_target: bytes, fields: Fields) -> h11.Request:
    path = TargetPath(base.raw_path).below(raw_target)
    host = base.host_port_subcomponent or ""
    own = [(b"Host", host.encode()), (b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]
    try:
        return h11.Request(method=b"GET", target=path, headers=[*own, *fields])
    except h11.LocalProtocolError as error:
        without_traces(error)  # h11 leaves a reference cycle in them
        raise MalformedRequest("the request cannot be sent as it is") from error


def _fields_of_switch(response: h11.InformationalResponse) -> Fields:
    fields = list(response.headers)
    if [value.lower() for name, value in fields if name == b"upgrade"] != [b"websocket"]:
        raise TargetError("it switched to another protocol than asked for")
    kept = end_to_end_response_fields(fields)
    check_response_fields(kept)
    return kept


async def _next_event(stream: ByteStream, http: h11.Connection) -> object:
    """Return the next part of the response. Raises TargetClosed and, for what is no HTTP, TargetError."""
    try:
        while (event := http.next_event()) is h11.NEED_DATA:
            data = await stream.reader.read(PIECE_BYTES)
            if not data and http.their_state is h11.SEND_RESPONSE:
                raise TargetClosed("the connection ended before a response began")
            http.receive_data(data)
    except OSError as error:
        raise TargetClosed("the connection ended before a response began") from error
    except h11.RemoteProtocolError as error:
        without_traces(error)  # h11 leaves a reference cycle in them
        raise TargetError("what it sent is not an HTTP response") from error
    return event


def _was_silent(seconds: float) -> TargetTimeout:
    return TargetTimeout(f"it was silent for {seconds:g} s")


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
