"""What can happen to the bytes that go one way through a proxy's connection. Each fault is one small class."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

_LOOK_SECONDS = 0.01


class Way(Protocol):
    """One direction of one connection, as a fault sees it."""

    @property
    def fault(self) -> "Fault":
        """What happens on it now; this changes under way."""
        ...

    @property
    def passed_bytes(self) -> int:
        """How many bytes have been passed on since the fault began."""
        ...

    async def pass_on(self, piece: bytes) -> None:
        """Send bytes on to where they were going."""
        ...

    def half_close(self) -> None:
        """Say in this direction that no more comes; the other goes on."""
        ...

    def reset(self) -> None:
        """Break the whole connection off with a reset."""
        ...


class Fault:
    """None: bytes pass. What stands below does something to them instead."""

    async def carry(self, piece: bytes, way: Way) -> None:
        """Do to one piece of the bytes what this fault does."""
        await way.pass_on(piece)


@dataclass(frozen=True, slots=True)
class Delay(Fault):
    """Every piece comes so many seconds later, and those behind it wait for it."""

    seconds: float

    async def carry(self, piece: bytes, way: Way) -> None:
        await asyncio.sleep(self.seconds)
        await way.pass_on(piece)


@dataclass(frozen=True, slots=True)
class Throttle(Fault):
    """No more than so many bytes pass in a second."""

    bytes_per_second: float

    async def carry(self, piece: bytes, way: Way) -> None:
        await asyncio.sleep(len(piece) / self.bytes_per_second)
        await way.pass_on(piece)


@dataclass(frozen=True, slots=True)
class Swallow(Fault):
    """A blackhole: bytes are taken and come out nowhere. A connection that has lost some is reset when it heals."""

    async def carry(self, piece: bytes, way: Way) -> None:
        await _until_over(self, way)
        way.reset()


@dataclass(frozen=True, slots=True)
class Hold(Fault):
    """Bytes stop, and go on when this is over, as on a link that was down for a while.

    With `where`, only from the first piece on that it is true of.
    """

    where: Callable[[bytes], bool] = lambda piece: True

    async def carry(self, piece: bytes, way: Way) -> None:
        if self.where(piece):
            await _until_over(self, way)
        await way.pass_on(piece)


@dataclass(frozen=True, slots=True)
class _CutAfter(Fault):
    most_bytes: int

    async def carry(self, piece: bytes, way: Way) -> None:
        left = self.most_bytes - way.passed_bytes
        if left > 0:
            await way.pass_on(piece[:left])
        if len(piece) >= left:
            self.cut(way)

    def cut(self, way: Way) -> None:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class ResetAfter(_CutAfter):
    """The connection is reset when so many bytes have passed."""

    def cut(self, way: Way) -> None:
        way.reset()


@dataclass(frozen=True, slots=True)
class HalfCloseAfter(_CutAfter):
    """This direction ends in an orderly way when so many bytes have passed; the other goes on."""

    def cut(self, way: Way) -> None:
        way.half_close()


async def _until_over(fault: Fault, way: Way) -> None:
    while way.fault is fault:
        await asyncio.sleep(_LOOK_SECONDS)
