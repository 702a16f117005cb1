"""What the streaming measurements send, and how it is read: bodies that tell where they were cut, and bare clients.

The clients are bare because a full one would use more CPU than the gateway that they are to measure.
"""

import asyncio
import hashlib
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import httptools

BLOCK_BYTES = 256 * 1024
_PATTERN = bytes(range(256)) * (BLOCK_BYTES // 256 - 1)
_MARK_BYTES = BLOCK_BYTES - len(_PATTERN)
_SILENCE_SECONDS = 120.0  # nothing sent and nothing come for so long: then it hangs
_OK = 200


class TransferFailed(Exception):
    """What was sent or asked for did not go through; the message says how."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """One body that crossed the wire, as its receiver saw it."""

    size_bytes: int
    sha256: str
    seconds: float

    @property
    def mebibytes_per_second(self) -> float:
        """How fast it went."""
        return self.size_bytes / 1024 / 1024 / self.seconds


def blocks(size_bytes: int) -> Iterator[bytes]:
    """Give a body of this size in blocks no two of which are alike: the checksum tells of any that is misplaced."""
    for number, start in enumerate(range(0, size_bytes, BLOCK_BYTES)):
        block = number.to_bytes(_MARK_BYTES, "big") + _PATTERN
        yield block[: size_bytes - start]


def head(method: str, path: str, size_bytes: int | None = None) -> bytes:
    """Give a request's head; `size_bytes` is that of its body, None for none."""
    length = "" if size_bytes is None else f"Content-Length: {size_bytes}\r\n"
    return f"{method} {path} HTTP/1.1\r\nHost: bench\r\n{length}\r\n".encode()


class Answer:
    """A response that is read as its bytes come: httptools calls it."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._sha256 = hashlib.sha256()
        self.status = 0
        self.size_bytes = 0
        self.beginning = b""
        """Of the body: all of a short one."""
        self.is_whole = False

    def feed(self, data: bytes | memoryview) -> None:
        """Take what came. Raises TransferFailed if it is not HTTP."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise TransferFailed(f"not an HTTP response: {error}") from None

    def digest(self) -> str:
        """Give the checksum of the body so far."""
        return self._sha256.hexdigest()

    def on_headers_complete(self) -> None:
        """The head has been read."""
        self.status = self._parser.get_status_code()

    def on_body(self, data: bytes) -> None:
        """A piece of the body has been read."""
        self._sha256.update(data)
        self.size_bytes += len(data)
        if len(self.beginning) < BLOCK_BYTES:
            self.beginning += data[:BLOCK_BYTES]

    def on_message_complete(self) -> None:
        """The body has ended where it says it does."""
        self.is_whole = True


def download(port: int, path: str) -> Transfer:
    """GET a body whole. Raises TransferFailed."""
    return _exchange(port, [head("GET", path)])


def upload(port: int, path: str, size_bytes: int) -> Transfer:
    """POST a body of this size, and give what the target says that it got. Raises TransferFailed."""

    def sent() -> Iterator[bytes]:
        yield head("POST", path, size_bytes)
        yield from blocks(size_bytes)

    began = time.perf_counter()
    got = ask(port, sent())
    return Transfer(got["bytes"], got["sha256"], time.perf_counter() - began)


def ask(port: int, sent: Iterator[bytes]) -> dict[str, Any]:
    """Send a request and give the JSON that answers it. Raises TransferFailed."""
    answer = Answer()
    _exchange(port, sent, answer)
    found: dict[str, Any] = json.loads(answer.beginning)
    return found


def _exchange(port: int, sent: "Iterator[bytes] | list[bytes]", answer: Answer | None = None) -> Transfer:
    answer = answer or Answer()
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), timeout=_SILENCE_SECONDS) as connection:
        try:
            for data in sent:
                connection.sendall(data)
            buffer = memoryview(bytearray(BLOCK_BYTES))
            while not answer.is_whole and (count := connection.recv_into(buffer)):
                answer.feed(buffer[:count])
        except OSError as error:
            raise TransferFailed(f"the connection broke: {type(error).__name__} {error}") from error
    seconds = time.perf_counter() - began
    if answer.status != _OK or not answer.is_whole:
        said = answer.beginning[:300].decode(errors="replace") if answer.status != _OK else "cut short"
        raise TransferFailed(f"answered {answer.status or 'nothing'}: {said}")
    return Transfer(answer.size_bytes, answer.digest(), seconds)


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event; both times by the machine's monotonic clock."""

    number: int
    sent_seconds: float
    received_seconds: float


class _Events(Answer):
    """A response whose body is server-sent events."""

    def __init__(self) -> None:
        super().__init__()
        self._text = b""
        self.events: list[Event] = []

    def on_body(self, data: bytes) -> None:
        """A piece of the stream has been read: none, one or several events, and perhaps the beginning of another."""
        received = time.monotonic()
        *whole, self._text = (self._text + data).split(b"\n\n")
        for event in whole:
            said = json.loads(event.removeprefix(b"data: "))
            self.events.append(Event(said["number"], said["sent"], received))


class EventStream(asyncio.Protocol):
    """Asks for a stream of events and notes when each came; `ended` is set once nothing more will come."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._answer = _Events()
        self._transport: asyncio.WriteTransport | None = None
        self.ended = asyncio.Event()

    @property
    def status(self) -> int:
        """That of the response; 0 before there is one."""
        return self._answer.status

    @property
    def events(self) -> list[Event]:
        """What has come so far, in order."""
        return self._answer.events

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask; asyncio calls this."""
        self._transport = cast(asyncio.WriteTransport, transport)
        self._transport.write(head("GET", self._path))

    def data_received(self, data: bytes) -> None:
        """Take what came; asyncio calls this."""
        self._answer.feed(data)
        if self._answer.is_whole and self._transport is not None:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more will come; asyncio calls this."""
        self.ended.set()
