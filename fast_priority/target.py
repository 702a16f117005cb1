"""The module that sends requests to the target; `handshake.py` asks it for WebSockets.

One boundary maps everything that the HTTP client raises to our own errors.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
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
from fast_priority.fields import (
    check_response_framing,
    check_response_head,
    content_length,
    end_to_end_response_fields,
)
from fast_priority.http_client import LARGEST_FIELDS_BYTES, is_still_wanted, plain_session, text_of
from fast_priority.message import Bytes, Fields, HttpVersion, TargetPolicy

Body = bytes | AsyncIterator[Bytes]

MOST_WHOLE_BYTES = 64 * 1024
"""Most bytes of a body that is carried in one piece."""
_QUICK_SECONDS = 0.002
# A response that says how long it is, and is short, was most likely made whole: it is worth a little more waiting.
_QUICK_AND_DECLARED_SECONDS = 0.02
_CHUNK_BYTES = 64 * 1024
_INLINE_BYTES = 256 * 1024  # aiohttp writes bytes in one piece; larger bodies are handed to it in chunks


class Patience:
    """How long the target may stay silent: it is counted only while we wait for it, and it for nobody."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timeout = asyncio.timeout(seconds)
        self._is_awaited = True
        self._waits_for_body = False

    def await_target(self, is_awaited: bool) -> None:
        """Whether somebody waits for the target to say something; each time anew it has its whole time."""
        self._is_awaited = is_awaited
        self._count()

    def wait_for_body(self, waits: bool) -> None:
        """Whether the target waits for more of the request's body, which whoever sends it has not sent yet."""
        self._waits_for_body = waits
        self._count()

    def break_off(self) -> None:
        """Let whoever waits for the target not wait any longer."""
        self._reschedule(asyncio.get_running_loop().time())

    def _count(self) -> None:
        counts = self._is_awaited and not self._waits_for_body
        self._reschedule(asyncio.get_running_loop().time() + self._seconds if counts else None)

    def _reschedule(self, when: float | None) -> None:
        if not self._timeout.expired():
            self._timeout.reschedule(when)

    async def __aenter__(self) -> "Patience":
        await self._timeout.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        try:
            await self._timeout.__aexit__(*error)
        except TimeoutError as timeout:
            raise TargetTimeout(f"it was silent for {self._seconds:g} s") from timeout


class Response:
    """The head of the target's response, and its body as it comes. A head that cannot be sent on is a TargetError."""

    def __init__(self, response: aiohttp.ClientResponse, most_bytes: int, patience: Patience) -> None:
        self._response = response
        self._most_bytes = most_bytes
        self._patience = patience
        patience.await_target(False)
        self._begun: list[bytes] = []
        self._size = 0
        self.status = response.status
        self.http_version: HttpVersion = "1.0" if response.version == aiohttp.HttpVersion10 else "1.1"
        received: Fields = list(response.raw_headers)
        check_response_framing(received, LARGEST_FIELDS_BYTES)
        self.fields: Fields = end_to_end_response_fields(received)
        check_response_head(self.status, self.fields)
        declared = response.content_length
        if most_bytes and response.method != "HEAD" and declared is not None and declared > most_bytes:
            raise ResponseBodyTooLarge(f"its body has {declared} bytes, and {most_bytes} are taken")

    async def chunks(self) -> AsyncIterator[Bytes]:
        """Give the body as it arrives, in pieces of any size.

        Raises ResponseIncomplete when it ends before it is whole, and ResponseBodyTooLarge over the limit.
        """
        begun, self._begun = self._begun, []
        for piece in begun:
            yield piece
        while piece := await self._next_piece():
            yield piece

    async def whole_if_quick(self) -> bytes | None:
        """Give the body if it is small and comes at once; None if not: then `chunks` gives all of it.

        Most responses are so, and are cheaper to carry in one piece. Raises as `chunks` does.
        """
        declared, content = self._response.content_length, self._response.content
        if declared is not None and declared > MOST_WHOLE_BYTES and not content.is_eof():
            return None
        try:
            # What is there already needs no timer.
            async with asyncio.timeout(None if content.is_eof() else _quick_seconds(declared)):
                while self._size <= MOST_WHOLE_BYTES:
                    piece = await self._next_piece()
                    if not piece:
                        return b"".join(self._begun)
                    self._begun.append(piece)
        except TimeoutError:
            pass
        return None

    async def _next_piece(self) -> bytes:
        self._patience.await_target(True)
        try:
            piece = await self._response.content.readany()
        except aiohttp.ClientError as error:
            raise ResponseIncomplete("its body ended before it was whole") from error
        finally:
            self._patience.await_target(False)
        self._size += len(piece)
        if self._most_bytes and self._size > self._most_bytes:
            raise ResponseBodyTooLarge(f"its body has more than {self._most_bytes} bytes")
        return piece


class Target:
    """Connections to one target. Use it as an async context manager, on one event loop."""

    def __init__(self, policy: TargetPolicy) -> None:
        self.policy = policy
        self._base = URL(policy.base_url, encoded=True)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Target":
        self._session = plain_session(self.policy.connect_timeout_seconds)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    @asynccontextmanager
    async def exchange(
        self,
        method: str,
        raw_target: bytes,
        fields: Fields,
        body: Body,
        *,
        most_response_bytes: int = 0,
        may_be_sent: Callable[[], bool] = lambda: True,
    ) -> AsyncIterator[Response]:
        """Send a request, once, and give the response as soon as its head is there.

        The target may be silent for the policy's timeout: until its response begins, once it has the request, and
        between two pieces of the response. What waits for the body of the request, or for whoever takes the response,
        does not count. `most_response_bytes` bounds the response's body; 0 is no limit. Leaving the `async with` block
        early closes the connection. `may_be_sent` is asked once there is a connection, before the first byte is sent.
        Raises TargetError, MalformedRequest for what cannot be sent, NotSent, and what the body itself raises.
        """
        if self._session is None:
            raise RuntimeError("use Target as an async context manager")
        if isinstance(body, bytes) and body and content_length(fields) is None:
            fields = [*fields, (b"content-length", b"%d" % len(body))]
        patience = Patience(self.policy.timeout_seconds)
        supply = _Supply(body, patience)
        with _failures_of(supply):
            async with patience:
                is_still_wanted.set(may_be_sent)
                with _as_target_errors():
                    response = await self._session.request(
                        method,
                        self._url(raw_target),
                        headers=_headers(fields),
                        data=supply.data(),
                        allow_redirects=False,
                    )
                async with response:
                    yield Response(response, most_response_bytes, patience)

    def _url(self, raw_target: bytes) -> URL:
        # Both sides are kept as they are: the base URL's path, one slash, the rest as the client wrote it. The query is
        # a part of the path here, for a query that is empty would be lost.
        written = raw_target.decode("ascii") if raw_target.isascii() else _quoted(raw_target)
        path = self._base.raw_path.rstrip("/") + "/" + written.removeprefix("/") if written != "*" else written
        return URL.build(scheme=self._base.scheme, authority=self._base.authority, path=path, encoded=True)


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


def _quick_seconds(declared_bytes: int | None) -> float:
    return _QUICK_SECONDS if declared_bytes is None else _QUICK_AND_DECLARED_SECONDS


def _quoted(raw_target: bytes) -> str:
    # A request line is ASCII (RFC 9112, section 3.2); what is not is sent percent-encoded.
    return "".join(chr(byte) if byte < 0x80 else f"%{byte:02X}" for byte in raw_target)


def _headers(fields: Fields) -> CIMultiDict[str]:
    return CIMultiDict((name.decode("ascii"), text_of(value)) for name, value in fields)


class _Supply:
    """A request body on its way to the HTTP client, which hides what the body itself raises."""

    def __init__(self, body: Body, patience: Patience) -> None:
        self._body = body
        self._patience = patience
        self.failure: Exception | None = None

    def data(self) -> Body | None:
        if isinstance(self._body, bytes):
            return self._body or None if len(self._body) <= _INLINE_BYTES else _in_chunks(self._body)
        return self._watched(self._body)

    async def _watched(self, body: AsyncIterator[Bytes]) -> AsyncIterator[Bytes]:
        try:
            self._patience.wait_for_body(True)
            async for chunk in body:
                self._patience.wait_for_body(False)
                yield chunk
                self._patience.wait_for_body(True)
            self._patience.wait_for_body(False)
        except Exception as error:
            self.failure = error
            self._patience.break_off()  # the HTTP client does not tell whoever reads the response
            raise


async def _in_chunks(body: bytes) -> AsyncIterator[Bytes]:
    view = memoryview(body)
    for start in range(0, len(body), _CHUNK_BYTES):
        yield bytes(view[start : start + _CHUNK_BYTES])


@contextmanager
def _failures_of(supply: _Supply) -> Iterator[None]:
    """Raise what the body raised in the place of what the target's side made of it."""
    try:
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
