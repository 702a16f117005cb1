"""aiohttp, made to add nothing, follow nothing, keep nothing, undo nothing and try nothing twice.

It is a client for people's programs, and helpful; an intermediary must not be. What has no public switch is turned
off by the attributes named here, and tests/integration/test_target.py fails when one of them stops working.
"""

import functools
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import aiohttp
from aiohttp import http_writer
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from multidict import CIMultiDict

from fast_priority.errors import NotSent

_NOT_ADDED = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
_KEEP_IDLE_SECONDS = 4.0  # below the 5 s after which uvicorn, among others, closes an idle connection
LARGEST_FIELDS_BYTES = 64 * 1024
"""Most bytes of a response's fields together. aiohttp bounds each, and their number; the sum is for its caller."""
_MOST_FIELDS = 512
_FIRST_FINAL_STATUS = 200
_READ_BUFFER_BYTES = 256 * 1024  # twice as many are read ahead at most; what is read at once is one piece of a body
_NOT_UTF8 = "surrogateescape"  # Python's way to carry bytes that are not UTF-8 through text (PEP 383)
is_still_wanted: ContextVar[Callable[[], bool]] = ContextVar("is_still_wanted", default=lambda: True)
"""Is asked at the last moment before a request is sent, in the task that sends it; aiohttp hands on nothing of ours."""
_serialized_as_utf8 = http_writer._serialize_headers


def text_of(value: bytes) -> str:
    """Give a field value as the text from which a session sends exactly these bytes."""
    return value.decode("utf-8", _NOT_UTF8)


def _serialized_with_all_bytes(status_line: str, headers: "CIMultiDict[str]") -> bytes:
    """Do what aiohttp's own function does, and keep the bytes of values that are not UTF-8."""
    if all(map(str.isascii, headers.values())):
        return _serialized_as_utf8(status_line, headers)
    # With one character for each byte there is nothing to leave out, and controls are still refused.
    spelt = ((name, value.encode("utf-8", _NOT_UTF8).decode("latin-1")) for name, value in headers.items())
    return _serialized_as_utf8(status_line, CIMultiDict(spelt)).decode().encode("latin-1")


# Every session writes its requests through this name of the module, and none can be given another. aiohttp's function
# leaves out, without a word, the bytes that are not UTF-8; a value may have them (RFC 9110, section 5.5: obs-text).
http_writer._serialize_headers = _serialized_with_all_bytes


class _AllMethods(set[str]):
    def __contains__(self, method: object) -> bool:
        return True


class RequestAsItIs(aiohttp.ClientRequest):
    """A request that says nothing of a body it does not have, and is not sent when nobody wants it any more.

    aiohttp gives it a Content-Length of 0 unless its method is among these.
    """

    GET_METHODS = _AllMethods()

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Send it, now that there is a connection. Raises NotSent."""
        if not is_still_wanted.get()():
            raise NotSent("its worker was away for so long that somebody else may have it")
        return await super().send(conn)


class OneAnswerARequest(ResponseHandler):
    """A connection that is closed when the target sends anything that nobody asked for.

    aiohttp keeps such bytes and gives them to whoever uses the connection next: another client's request would be
    answered with them (RFC 9112, section 9.2: unsolicited responses).
    """

    _answered = False

    def set_response_params(self, **params: Any) -> None:
        """A request is about to be sent: from now on one answer is awaited."""
        self._answered = False
        super().set_response_params(**params)

    def feed_data(self, data: Any, size: int = 0) -> None:
        """A head has been read; if it is a final one, nothing but its body may follow."""
        self._answered = data[0].code >= _FIRST_FINAL_STATUS
        super().feed_data(data, size)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection has ended; a body that it ended with an error is not whole.

        aiohttp takes a body that lasts until the end of its connection for whole, however that came (RFC 9112, section
        8), and does not tell whoever reads a body in the midst of which it has found what is no HTTP.
        """
        failure = exc or self.exception()
        if failure is not None and self._payload is not None and not self._payload.is_eof():
            self._payload.set_exception(aiohttp.ClientPayloadError("the connection broke off"), failure)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what the target sends, if it was asked for."""
        if data and self._answered and self._payload is not None and self._payload.is_eof():
            self.force_close()
            if self.transport is not None:
                self.transport.close()
            return
        super().data_received(data)


def plain_session(connect_timeout_seconds: float) -> aiohttp.ClientSession:
    """Make a session that sends what it is given and gives what it gets. Raises RuntimeError outside an event loop."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_IDLE_SECONDS)
    connector._factory = functools.partial(OneAnswerARequest, loop=connector._loop)  # type: ignore[assignment]
    session = aiohttp.ClientSession(
        connector=connector,
        request_class=RequestAsItIs,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=_NOT_ADDED,
        auto_decompress=False,
        trust_env=False,
        read_bufsize=_READ_BUFFER_BYTES,
        max_line_size=LARGEST_FIELDS_BYTES,
        max_field_size=LARGEST_FIELDS_BYTES,
        max_headers=_MOST_FIELDS,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout_seconds),
    )
    session._retry_connection = False  # an idempotent request is otherwise sent again when a kept connection is closed
    return session
