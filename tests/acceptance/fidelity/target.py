"""The scripted target: keeps all received bytes unchanged, and answers with the bytes of a case."""

import contextlib
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from tests.acceptance.fidelity.case import TARGET, Answer
from tests.acceptance.fidelity.messages import Message, read_head, read_request

ASIDE = {b"/still-there": b"still there", b"/next-client": b"next client"}
"""Paths with which the suite checks whether connections still serve, and the answer to them. No case uses them."""

_UNEXPECTED = Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nunexpected")
_END_SECONDS = 5


@dataclass(slots=True)
class _Inflow:
    """The received bytes of a connection that are no complete request yet, and the case in which they began."""

    data: bytes = b""
    case_number: int = 0
    has_gone_ahead: bool = False


class ScriptedTarget:
    """A server on loopback. Use it as a context manager; it serves one case at a time."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._inflows: dict[socket.socket, _Inflow] = {}
        self._case_number = 0
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
            connections = list(self._inflows)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._accepting.join(_END_SECONDS)

    @property
    def authority(self) -> bytes:
        """Host and port, as a Host field names them."""
        return b"127.0.0.1:%d" % self.port

    def play(self, answers: Sequence[Answer]) -> None:
        """Drop what was received, and answer with these from now on, in order."""
        with self._lock:
            self._case_number += 1
            self._answers, self._requests, self._scraps = answers, [], []

    def received(self) -> tuple[tuple[Message, ...], bytes]:
        """Return the complete requests since `play`, and all other bytes."""
        with self._lock:
            open_ends = [inflow.data for inflow in self._inflows.values() if inflow.case_number == self._case_number]
            return tuple(self._requests), b"".join([*self._scraps, *open_ends])

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._inflows[connection] = _Inflow()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        inflow = self._inflows[connection]
        with connection, contextlib.suppress(OSError):
            while self._answer_all(connection, inflow) and (chunk := connection.recv(65536)):
                with self._lock:
                    if not inflow.data:
                        inflow.case_number = self._case_number
                    inflow.data += chunk
        with self._lock:
            del self._inflows[connection]
            if inflow.case_number == self._case_number:
                self._scraps.append(inflow.data)

    def _answer_all(self, connection: socket.socket, inflow: _Inflow) -> bool:
        """Answer each complete request; return False when the connection must be closed."""
        while read := read_request(inflow.data):
            request, rest = read
            with self._lock:
                inflow.data = rest
                inflow.has_gone_ahead = False
                answer = self._answer_to(request)
            connection.sendall(answer.data.replace(TARGET, self.authority))
            if answer.closes:
                return False
        if not inflow.has_gone_ahead and _waits_for_go_ahead(inflow.data):
            inflow.has_gone_ahead = True
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def _answer_to(self, request: Message) -> Answer:
        aside = ASIDE.get(request.target)
        if aside is not None:
            closes = b"close" in request.values("connection")
            line = b"Connection: close\r\n" if closes else b""
            return Answer(b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s" % (line, len(aside), aside), closes)
        number = len(self._requests)
        self._requests.append(request)
        return self._answers[number] if number < len(self._answers) else _UNEXPECTED


def _waits_for_go_ahead(data: bytes) -> bool:
    found = read_head(data)
    return found is not None and not found[1] and bool(found[0].values("expect"))
