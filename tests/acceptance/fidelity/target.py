"""The scripted target: takes bytes as they come, keeps them as they are, and answers bytes that a case gives it."""

import contextlib
import socket
import threading
from collections.abc import Sequence

from tests.acceptance.fidelity.case import Answer
from tests.acceptance.fidelity.messages import Message, read_head, read_request

ASIDE = {b"/still-there": b"still there", b"/next-client": b"next client"}
"""Paths that belong to no case, by which the suite looks whether connections still serve; and what is answered."""

_UNEXPECTED = Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nunexpected")
_END_SECONDS = 5


class ScriptedTarget:
    """A server on loopback. Use it as a context manager; it serves one case at a time."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, bytes] = {}
        """What each open connection has received that is no whole request (yet)."""
        self._answers: Sequence[Answer] = ()
        self._requests: list[Message] = []
        self._scraps: list[bytes] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> "ScriptedTarget":
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._accepting.join(_END_SECONDS)

    @property
    def authority(self) -> bytes:
        """Host and port, as a Host field names them."""
        return b"127.0.0.1:%d" % self.port

    def play(self, answers: Sequence[Answer]) -> None:
        """Forget what was received, and answer these from now on, in order."""
        with self._lock:
            self._answers, self._requests, self._scraps = answers, [], []

    def received(self) -> tuple[tuple[Message, ...], bytes]:
        """Give the whole requests since `play`, and all other bytes."""
        with self._lock:
            return tuple(self._requests), b"".join([*self._scraps, *self._connections.values()])

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._connections[connection] = b""
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while self._answer_all(connection):
                chunk = connection.recv(65536)
                if not chunk:
                    break
                with self._lock:
                    is_begin = not self._connections[connection]
                    self._connections[connection] += chunk
                if is_begin:
                    self._go_ahead_if_asked(connection)
        with self._lock:
            self._scraps.append(self._connections.pop(connection))

    def _go_ahead_if_asked(self, connection: socket.socket) -> None:
        found = read_head(self._connections[connection])
        if found is not None and not found[1] and found[0].values("expect"):
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _answer_all(self, connection: socket.socket) -> bool:
        """Answer each whole request that has come; false when the connection is to be closed."""
        while read := read_request(self._connections[connection]):
            request, rest = read
            with self._lock:
                self._connections[connection] = rest
                answer = self._answer_to(request)
            connection.sendall(answer.data)
            if answer.closes:
                return False
        return True

    def _answer_to(self, request: Message) -> Answer:
        aside = ASIDE.get(request.target)
        if aside is not None:
            return Answer(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(aside), aside))
        number = len(self._requests)
        self._requests.append(request)
        return self._answers[number] if number < len(self._answers) else _UNEXPECTED
