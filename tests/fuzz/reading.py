"""Reads the requests in bytes, with two independent parsers. Pure."""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

import h11
import httptools

_LARGEST_HEAD_BYTES = 1 << 20


class ReadRequest(NamedTuple):
    """The parts that distinguish one request from another."""

    method: bytes
    target: bytes
    body: bytes

    @property
    def path(self) -> bytes:
        """Return the target without its query."""
        return self.target.partition(b"?")[0]


@dataclass(slots=True)
class Reading:
    """The complete requests at the start of some bytes, and why reading stopped."""

    requests: list[ReadRequest] = field(default_factory=list)
    is_refused: bool = False
    """Whether the bytes after them are not a request."""
    is_open: bool = False
    """Whether the bytes after them are the start of a request."""


class _Parsing:
    def __init__(self) -> None:
        self.reading = Reading()
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def on_message_begin(self) -> None:
        self._target = self._body = b""
        self.reading.is_open = True

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self.reading.is_open = False
        self.reading.requests.append(ReadRequest(self.parser.get_method(), self._target, self._body))


def read_by_httptools(data: bytes) -> Reading:
    """Return what uvicorn's parser reads in the bytes that a client sends."""
    parsing = _Parsing()
    try:
        while data:
            try:
                parsing.parser.feed_data(data)
                data = b""
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
    except httptools.HttpParserError:
        parsing.reading.is_refused, parsing.reading.is_open = True, False
    return parsing.reading


def read_by_h11(data: bytes) -> Reading:
    """Return what h11, a strict parser, reads in the bytes that a target receives."""
    reading, connection = Reading(), h11.Connection(h11.SERVER, max_incomplete_event_size=_LARGEST_HEAD_BYTES)
    connection.receive_data(data)
    method = target = body = b""
    try:
        while (event := connection.next_event()) is not h11.NEED_DATA:
            if isinstance(event, h11.Request):
                method, target, body, reading.is_open = event.method, event.target, b"", True
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                reading.requests.append(ReadRequest(method, target, body))
                reading.is_open = False
                connection = _next(connection)
            else:
                break
    except h11.RemoteProtocolError:
        reading.is_refused = True
    return reading


def _next(connection: h11.Connection) -> h11.Connection:
    """Return a connection for the bytes that follow; the request before them needs no answer here."""
    following = h11.Connection(h11.SERVER, max_incomplete_event_size=_LARGEST_HEAD_BYTES)
    following.receive_data(connection.trailing_data[0])
    return following


def in_origin_form(request: ReadRequest) -> ReadRequest:
    """Return the request with its target as a path, also if it was a URL (RFC 9112, section 3.2.2)."""
    found = re.match(rb"(?i)https?://[^/?#]*", request.target)
    if found is None:
        return request
    target = request.target[found.end() :]
    return request._replace(target=target if target.startswith(b"/") else b"/" + target)
