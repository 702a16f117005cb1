"""A peer that takes too little of what is sent to it: how long its unsent bytes are kept.

Counted is only what waits in this process. What the system's own buffers hold is out of sight.
"""

import asyncio
from collections.abc import Callable


class Unsent:
    """The bytes that wait in this process for one peer.

    `give_up` is called once, when bytes have waited for `patience_seconds` without a break, and the peer has taken
    fewer than `least_bytes` in that time. A peer for which nothing waits has no limit. `waiting_bytes` returns how many
    bytes wait now.
    """

    def __init__(
        self,
        waiting_bytes: Callable[[], int],
        patience_seconds: float,
        least_bytes: int,
        give_up: Callable[[], None],
    ) -> None:
        self._waiting_bytes = waiting_bytes
        self._patience_seconds = patience_seconds
        self._least_bytes = least_bytes
        self._give_up = give_up
        self._loop = asyncio.get_running_loop()
        self._written_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._is_given_up = False
        self._begin()
        self._look_later()

    def write(self, send: Callable[[bytes], None], data: bytes) -> None:
        """Send data, and look after what of it is not taken at once."""
        if not self._waiting_bytes():
            self._begin()
        send(data)
        self._written_bytes += len(data)
        self._look_later()

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _begin(self) -> None:
        """Count from now on."""
        self._since = self._loop.time()
        self._taken_before = self._taken_bytes

    @property
    def _taken_bytes(self) -> int:
        return self._written_bytes - self._waiting_bytes()

    def _look(self) -> None:
        self._timer = None
        if self._waiting_bytes() and self._loop.time() >= self._since + self._patience_seconds:
            if self._taken_bytes - self._taken_before < self._least_bytes:
                self._is_given_up = True
                self._give_up()
            self._begin()
        self._look_later()

    def _look_later(self) -> None:
        if self._timer is None and not self._is_given_up and self._waiting_bytes():
            self._timer = self._loop.call_at(self._since + self._patience_seconds, self._look)
