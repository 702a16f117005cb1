"""The raw client: sends the bytes of a case, and returns what came back and the state of its connection.

Whether a connection was closed is seen, not timed: once the case has its answers, one more request goes the same way.
"""

import contextlib
import socket
import time
from dataclasses import dataclass

from tests.acceptance.fidelity.case import Case, Ending
from tests.acceptance.fidelity.messages import Message, read_responses
from tests.acceptance.fidelity.target import ASIDE

LIMIT_SECONDS = 10.0
"""The longest time for a case. Only a case that hangs takes so long; its verdict says so."""

_STILL_THERE, _NEXT_CLIENT = b"/still-there", b"/next-client"
_GO_AHEAD = 100


@dataclass(frozen=True, slots=True)
class Received:
    """What came back."""

    responses: tuple[Message, ...]
    rest: bytes
    ending: Ending


def converse(port: int, case: Case) -> Received:
    """Send the bytes of the case, and then find out whether the connection still serves."""
    methods = [piece.partition(b" ")[0] for piece in case.sent]
    with _Conversation(port, methods) as conversation:
        for number, piece in enumerate(case.sent, start=1):
            conversation.send(piece)
            conversation.read_until_answered(number, case.body_on_continue)
        conversation.send(_asking(_STILL_THERE))
        conversation.read_until_closed()
        responses, rest = conversation.responses()
    if responses and responses[-1].body == ASIDE[_STILL_THERE] and not rest:
        return Received(tuple(responses[:-1]), rest, "kept")
    return Received(tuple(responses), rest, "closed" if conversation.ended else "silent")


def next_client_is_well(port: int) -> bool:
    """Return whether a client with a new connection gets the answer to its own request, and nothing else."""
    with _Conversation(port, [b"GET"]) as conversation:
        conversation.send(_asking(_NEXT_CLIENT))
        conversation.read_until_closed()
        responses, rest = conversation.responses()
    return [response.body for response in responses] == [ASIDE[_NEXT_CLIENT]] and not rest


def _asking(path: bytes) -> bytes:
    return b"GET %s HTTP/1.1\r\nHost: client.example\r\nConnection: close\r\n\r\n" % path


class _Conversation:
    """One connection of a client, and the bytes received on it."""

    def __init__(self, port: int, methods: list[bytes]) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=LIMIT_SECONDS)
        self._deadline = time.monotonic() + LIMIT_SECONDS
        self._methods = methods
        self._received = b""
        self._is_over = False
        self.ended = False
        """Whether the other side has closed."""

    def __enter__(self) -> "_Conversation":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def responses(self) -> tuple[list[Message], bytes]:
        return read_responses(self._received, self._methods, ended=self._is_over)

    def send(self, piece: bytes) -> None:
        # A gateway that refuses may close before it has read everything; its answer can still be read.
        with contextlib.suppress(OSError):
            self._socket.sendall(piece)

    def read_until_answered(self, finals: int, body_on_continue: bytes) -> None:
        """Read until this many final responses have come, and send the body after 100 Continue."""
        while not self._is_over:
            responses, _ = self.responses()
            if sum(response.is_final for response in responses) >= finals:
                return
            if body_on_continue and any(response.status == _GO_AHEAD for response in responses):
                self.send(body_on_continue)
                body_on_continue = b""
            self._read()

    def read_until_closed(self) -> None:
        while not self._is_over:
            self._read()

    def _read(self) -> None:
        self._socket.settimeout(max(0.001, self._deadline - time.monotonic()))
        try:
            chunk = self._socket.recv(65536)
        except TimeoutError:
            self._is_over = True
        except OSError:
            self._is_over = self.ended = True
        else:
            self._received += chunk
            self._is_over = self.ended = not chunk
