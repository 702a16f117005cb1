"""The part outbox of a worker: the parts of responses that wait to be published, in order."""

import asyncio
from collections.abc import Callable

from fast_priority.broker.consumer import Claim, OutgoingPart
from fast_priority.http.message import Reply
from fast_priority.protocol.frames import Chunk, Part

_MOST_BYTES_AT_ONCE = 4 * 1024 * 1024


class PartOutbox:
    """The parts that the worker loop publishes with its next round trip. `on_put` is called after each new part."""

    def __init__(self, on_put: Callable[[], None]) -> None:
        self._parts: list[OutgoingPart] = []
        self._on_put = on_put

    def __len__(self) -> int:
        return len(self._parts)

    def put(self, part: OutgoingPart) -> None:
        """Add a part behind all others."""
        self._parts.append(part)
        self._on_put()

    async def publish(self, claim: Claim, part: Part) -> None:
        """Add a part that is not the last of its claim, and return once it is on its way.

        What comes from the target until then goes into the next chunk: the busier the worker, the larger its chunks.
        """
        published = asyncio.get_running_loop().create_future()
        self.put(OutgoingPart(claim, part, is_last=False, published=published))
        await published

    def take(self) -> list[OutgoingPart]:
        """Take parts from the front: all, or so many that one round trip with them is still a short one."""
        taken_bytes, length = 0, 0
        while length < len(self._parts) and taken_bytes < _MOST_BYTES_AT_ONCE:
            taken_bytes += _body_bytes(self._parts[length].part)
            length += 1
        taken, self._parts = self._parts[:length], self._parts[length:]
        return taken

    def put_back(self, parts: list[OutgoingPart]) -> None:
        """Put parts that could not be published before all others."""
        self._parts = [*parts, *self._parts]

    def clear(self) -> list[OutgoingPart]:
        """Take all parts, whatever their size."""
        taken, self._parts = self._parts, []
        return taken


def _body_bytes(part: Part | None) -> int:
    if isinstance(part, Reply):
        return len(part.body)
    return len(part.data) if isinstance(part, Chunk) else 0
