"""Bodies of transfers that can be verified: an upload by its checksum, a download byte by byte."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator

from tests.chaos.load.plan import Plan

# Enough pieces to be many frames, few enough to cost little.
_PIECES_PER_SECOND = 20
_PATTERN = bytes(range(256))


class Upload:
    """The body of one upload: bytes derived from the request's id, at the planned rate.

    `ending`, once set, ends it early.
    """

    def __init__(self, plan: Plan, ending: asyncio.Event | None = None) -> None:
        self._plan = plan
        self._ending = ending
        self._hash = hashlib.sha256()
        self.sent_bytes = 0

    @property
    def checksum(self) -> str:
        """Return the SHA-256 of all bytes sent so far, in hexadecimal."""
        return self._hash.hexdigest()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body in pieces, at the planned rate."""
        rng = random.Random(self._plan.request_id)
        began = asyncio.get_running_loop().time()
        max_bytes = max(1, self._plan.bytes_per_second // _PIECES_PER_SECOND)
        while self.sent_bytes < self._plan.size_bytes and not (self._ending and self._ending.is_set()):
            piece = rng.randbytes(min(max_bytes, self._plan.size_bytes - self.sent_bytes))
            self.sent_bytes += len(piece)
            self._hash.update(piece)
            yield piece
            due = began + self.sent_bytes / self._plan.bytes_per_second
            await asyncio.sleep(due - asyncio.get_running_loop().time())


def downloaded(start: int, length: int) -> bytes:
    """Return `length` bytes of the mock target's download from byte `start` on: byte n is n modulo 256."""
    shift = start % len(_PATTERN)
    return (_PATTERN * (length // len(_PATTERN) + 2))[shift : shift + length]
