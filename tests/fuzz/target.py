"""A target that records the bytes of each request, and answers once the request is complete."""

import contextlib
import socket
import threading
from dataclasses import dataclass, field

import httptools

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
_END_SECONDS = 5


@dataclass(slots=True)
class _Answering:
    """A parser's protocol that makes one answer for each complete request, without a body for HEAD."""

    answers: list[bytes] = field(default_factory=list)
    parser: httptools.HttpRequestParser | None = None

    def on_message_complete(self) -> None:
        assert self.parser is not None
        self.answers.append(_ANSWER if self.parser.get_method() == b"HEAD" else _ANSWER + b"ok")


class RecordingTarget:
    """A server on loopback, used as a context manager; it serves one case at a time."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._received: list[bytes] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> "RecordingTarget":
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._accepting.join(_END_SECONDS)

    def begin(self) -> None:
        """Drop what was received before."""
        with self._lock:
            self._received = []

    def received(self) -> list[bytes]:
        """Return what came since `begin`, one item a request, in order, if requests come one at a time."""
        with self._lock:
            return list(self._received)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            self._answer_all(connection)
        with self._lock:
            self._open.discard(connection)

    def _answer_all(self, connection: socket.socket) -> None:
        answering, data, is_request = _Answering(), b"", True
        answering.parser = httptools.HttpRequestParser(answering)
        answering.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        while is_request and (chunk := connection.recv(65536)):
            data += chunk
            try:
                answering.parser.feed_data(chunk)
            except (httptools.HttpParserError, httptools.HttpParserUpgrade):
                is_request = False
            if answering.answers or not is_request:
                with self._lock:
                    self._received.append(data)
                connection.sendall(b"".join(answering.answers))
                answering.answers, data = [], b""
