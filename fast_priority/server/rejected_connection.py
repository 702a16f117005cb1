"""Connections over the limit: each hears so as soon as it asks something, and nothing of it is read.

It is answered when it asks, and not when it comes: a client that hears an answer before it has asked takes it for
nonsense. What asks for the gateway's health is let in, for once: whoever starts and ends gateways would otherwise end
one for having many clients.
"""

import asyncio
from collections.abc import Callable

_ASKING_SECONDS = 2.0
_LINGER_SECONDS = 2.0
MOST_OVER_THE_LIMIT = 256
"""Most such connections at once; more are closed without a word."""

LetIn = Callable[[asyncio.Transport, bytes], None]
"""Takes over the connection of somebody who has sent these bytes."""


class RejectedConnection(asyncio.Protocol):
    """One connection over the limit. `others` are all such of the process, `answer` is what they hear."""

    def __init__(
        self, others: set["RejectedConnection"], answer: Callable[[], bytes], probes: frozenset[bytes], let_in: LetIn
    ):
        self._others = others
        self._answer = answer
        self._probes = probes
        self._let_in = let_in
        self._was_answered = False
        self._end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has come."""
        self._transport = transport
        if len(self._others) >= MOST_OVER_THE_LIMIT:
            transport.abort()
            return
        self._others.add(self)
        self._end_in(_ASKING_SECONDS)

    def data_received(self, data: bytes) -> None:
        """It has asked something."""
        if self._was_answered or self._transport.is_closing():
            return
        if _path_asked_for(data) in self._probes:
            self._forget()
            self._let_in(self._transport, data)
            return
        self._was_answered = True
        self._transport.write(self._answer())
        # It may still send, and would lose the answer if the connection were closed now (RFC 9112, section 9.6).
        if not self._transport.is_closing():
            self._transport.write_eof()
        self._end_in(_LINGER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone."""
        self._forget()

    def _forget(self) -> None:
        self._others.discard(self)
        if self._end is not None:
            self._end.cancel()

    def _end_in(self, seconds: float) -> None:
        if self._end is not None:
            self._end.cancel()
        self._end = asyncio.get_running_loop().call_later(seconds, self._transport.abort)


def _path_asked_for(data: bytes) -> bytes | None:
    method, _, rest = data.partition(b" ")
    target = rest.partition(b" ")[0]
    return target.partition(b"?")[0].rstrip(b"/") if method in (b"GET", b"HEAD") else None
