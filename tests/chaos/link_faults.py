"""Faults for the bytes in one direction of a proxied connection. Each fault is one small class."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

_POLL_SECONDS = 0.01


class Direction(Protocol):
    """One direction of one connection, as a fault uses it."""

    @property
    def fault(self) -> "Fault":
        """Return the current fault; it may change while a piece is held."""
        ...

    @property
    def passed_bytes(self) -> int:
        """Return how many bytes have been forwarded since the fault began."""
        ...

    async def forward(self, piece: bytes) -> None:
        """Forward bytes to the other end."""
        ...

    def half_close(self) -> None:
        """Send an end of file in this direction; the other direction stays open."""
        ...

    def reset(self) -> None:
        """Reset the whole connection."""
        ...


class Fault:
    """No fault: bytes pass. The subclasses do something else with them."""

    async def apply(self, piece: bytes, direction: Direction) -> None:
        """Apply this fault to one piece of bytes."""
        await direction.forward(piece)


@dataclass(frozen=True, slots=True)
class Delay(Fault):
    """Every piece is delayed by `seconds`, and the pieces behind it wait for it."""

    seconds: float

    async def apply(self, piece: bytes, direction: Direction) -> None:
        await asyncio.sleep(self.seconds)
        await direction.forward(piece)


@dataclass(frozen=True, slots=True)
class Throttle(Fault):
    """At most `bytes_per_second` pass."""

    bytes_per_second: float

    async def apply(self, piece: bytes, direction: Direction) -> None:
        await asyncio.sleep(len(piece) / self.bytes_per_second)
        await direction.forward(piece)


@dataclass(frozen=True, slots=True)
class Swallow(Fault):
    """A blackhole: bytes are read and dropped. A connection that lost bytes is reset when the fault ends."""

    async def apply(self, piece: bytes, direction: Direction) -> None:
        await _wait_until_over(self, direction)
        direction.reset()


@dataclass(frozen=True, slots=True)
class Hold(Fault):
    """Bytes are held until the fault ends, as on a link that is down for a while.

    With `where`, only from the first piece on for which it returns true.
    """

    where: Callable[[bytes], bool] = lambda piece: True

    async def apply(self, piece: bytes, direction: Direction) -> None:
        if self.where(piece):
            await _wait_until_over(self, direction)
        await direction.forward(piece)


@dataclass(frozen=True, slots=True)
class _CutAfter(Fault):
    max_bytes: int

    async def apply(self, piece: bytes, direction: Direction) -> None:
        left = self.max_bytes - direction.passed_bytes
        if left > 0:
            await direction.forward(piece[:left])
        if len(piece) >= left:
            self.cut(direction)

    def cut(self, direction: Direction) -> None:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class ResetAfter(_CutAfter):
    """The connection is reset after `most_bytes` bytes."""

    def cut(self, direction: Direction) -> None:
        direction.reset()


@dataclass(frozen=True, slots=True)
class HalfCloseAfter(_CutAfter):
    """This direction is closed in an orderly way after `most_bytes` bytes; the other stays open."""

    def cut(self, direction: Direction) -> None:
        direction.half_close()


async def _wait_until_over(fault: Fault, direction: Direction) -> None:
    while direction.fault is fault:
        await asyncio.sleep(_POLL_SECONDS)
