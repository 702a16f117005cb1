"""The only module that speaks HTTP to the target.

One boundary maps everything that the HTTP client raises to our own errors.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import urlsplit

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict
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
)
from fast_priority.fields import check_response_head, content_length, end_to_end_response_fields
from fast_priority.http_client import plain_session
from fast_priority.message import Fields, Reply, Request, TargetPolicy

Body = bytes | AsyncIterator[bytes]

_CHUNK_BYTES = 64 * 1024
_INLINE_BYTES = 256 * 1024  # aiohttp writes bytes in one piece; larger bodies are handed to it in chunks


class Response:
    """The head of the target's response, and its body as it comes. A head that cannot be sent on is a TargetError."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.fields: Fields = end_to_end_response_fields(list(response.raw_headers))
        check_response_head(self.status, self.fields)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the body as it arrives. Raises ResponseIncomplete when it ends before it is whole."""
        try:
            async for chunk in self._response.content.iter_any():
                yield chunk
        except aiohttp.ClientError as error:
            raise ResponseIncomplete("its body ended before it was whole") from error

    async def whole_body(self, most_bytes: int) -> bytes:
        """Give the whole body. Raises ResponseBodyTooLarge over `most_bytes`, without reading on; 0 is no limit."""
        declared = self._response.content_length
        if most_bytes and self._response.method != "HEAD" and declared is not None and declared > most_bytes:
            raise ResponseBodyTooLarge(f"its body has {declared} bytes, and {most_bytes} are taken")
        pieces, size = [], 0
        async for chunk in self.chunks():
            size += len(chunk)
            if most_bytes and size > most_bytes:
                raise ResponseBodyTooLarge(f"its body has more than {most_bytes} bytes")
            pieces.append(chunk)
        return b"".join(pieces)


class Target:
    """Connections to one target. Use it as an async context manager, on one event loop."""

    def __init__(self, policy: TargetPolicy) -> None:
        self.policy = policy
        self._base = policy.base_url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Target":
        self._session = plain_session(self.policy.connect_timeout_seconds)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def forward(self, request: Request) -> Reply:
        """Send the request and give the whole response, within the policy's timeout and body limit.

        Raises TargetError, or MalformedRequest for what cannot be sent.
        """
        async with self.exchange(request.method, request.raw_target, request.fields, request.body) as response:
            body = await response.whole_body(self.policy.max_body_bytes)
            return Reply(response.status, response.fields, body)

    @asynccontextmanager
    async def exchange(self, method: str, raw_target: bytes, fields: Fields, body: Body) -> AsyncIterator[Response]:
        """Send a request, once, and give the response as soon as its head is there.

        The timeout spans everything up to the end of the `async with` block. Leaving the block early closes the
        connection. Raises TargetError, MalformedRequest for what cannot be sent, and what the body itself raises.
        """
        if self._session is None:
            raise RuntimeError("use Target as an async context manager")
        if isinstance(body, bytes) and body and content_length(fields) is None:
            fields = [*fields, (b"content-length", b"%d" % len(body))]
        supply = _Supply(body)
        try:
            async with asyncio.timeout(self.policy.timeout_seconds):
                with _mapped_errors(supply):
                    response = await self._session.request(
                        method,
                        self._url(raw_target),
                        headers=_headers(fields),
                        data=supply.data(),
                        allow_redirects=False,
                    )
                async with response:
                    yield Response(response)
        except TimeoutError as error:
            raise TargetTimeout(f"no whole response within {self.policy.timeout_seconds:g} s") from error

    def _url(self, raw_target: bytes) -> URL:
        # Both sides are kept as they are: the base URL's path, one slash, the rest as the client wrote it.
        path_and_query = raw_target.decode("ascii") if raw_target.isascii() else _quoted(raw_target)
        return URL(self._base + "/" + path_and_query.removeprefix("/"), encoded=True)


async def is_reachable(base_url: str, within_seconds: float) -> bool:
    """Tell whether the target takes connections. No request is sent, so no slot of it is used."""
    parts = urlsplit(base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        async with asyncio.timeout(within_seconds):
            _, writer = await asyncio.open_connection(parts.hostname, port)
    except (OSError, TimeoutError, UnicodeError):  # a name that is too long to be one raises the last
        return False
    writer.close()
    return True


def _quoted(raw_target: bytes) -> str:
    # A request line is ASCII (RFC 9112, section 3.2); what is not is sent percent-encoded.
    return "".join(chr(byte) if byte < 0x80 else f"%{byte:02X}" for byte in raw_target)


def _headers(fields: Fields) -> CIMultiDict[str]:
    try:
        return CIMultiDict((name.decode("ascii"), value.decode()) for name, value in fields)
    except UnicodeDecodeError as error:
        raise MalformedRequest("a field is not UTF-8") from error


class _Supply:
    """A request body on its way to the HTTP client, which hides what the body itself raises."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self.failure: Exception | None = None

    def data(self) -> Body | None:
        if isinstance(self._body, bytes):
            return self._body or None if len(self._body) <= _INLINE_BYTES else _in_chunks(self._body)
        return self._watched(self._body)

    async def _watched(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            async for chunk in body:
                yield chunk
        except Exception as error:
            self.failure = error
            raise


async def _in_chunks(body: bytes) -> AsyncIterator[bytes]:
    view = memoryview(body)
    for start in range(0, len(body), _CHUNK_BYTES):
        yield bytes(view[start : start + _CHUNK_BYTES])


@contextmanager
def _mapped_errors(supply: _Supply) -> Iterator[None]:
    try:
        with _as_target_errors():
            yield
    except TargetError:
        if supply.failure is not None:
            raise supply.failure from None
        raise


@contextmanager
def _as_target_errors() -> Iterator[None]:
    try:
        yield
    except aiohttp.ConnectionTimeoutError as error:
        raise ConnectTimeout("no connection in time (FAST_PRIORITY_CONNECT_TIMEOUT)") from error
    except aiohttp.ClientConnectorDNSError as error:
        raise TargetNotFound("its host name does not resolve") from error
    except aiohttp.ClientSSLError as error:
        raise TargetUnreachable("no TLS connection could be made") from error
    except aiohttp.ClientConnectorError as error:
        if isinstance(error.os_error, ConnectionRefusedError):
            raise TargetRefused("nothing listens at its address") from error
        if isinstance(error.os_error, socket.gaierror):
            raise TargetNotFound("its host name does not resolve") from error
        raise TargetUnreachable("no connection could be made") from error
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
        raise TargetClosed("the connection ended before a response began") from error
    except (aiohttp.InvalidURL, ValueError) as error:
        raise MalformedRequest("the request cannot be sent as it is") from error
    except (aiohttp.ClientError, HttpProcessingError) as error:
        raise TargetError(f"what it sent is not an HTTP response ({type(error).__name__})") from error
