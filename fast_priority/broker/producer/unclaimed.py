"""How long requests wait for a worker: as long as their level allows."""

from collections.abc import Callable

from fast_priority.protocol.conversation import Conversation
from fast_priority.support.timeout_queue import TimeoutQueue


class UnclaimedTimeouts:
    """Calls `expire` with each conversation that began so many seconds ago and has not ended since.

    Levels have few different times, and all waits of one time share a timer. One that nothing waits for is dropped:
    the times change with the files in which they stand.
    """

    def __init__(self, expire: Callable[[Conversation], object]) -> None:
        self._expire = expire
        self._queues: dict[int, TimeoutQueue[Conversation]] = {}
        self._seconds: dict[Conversation, int] = {}

    def begin(self, conversation: Conversation, seconds: int) -> None:
        """Let a conversation expire after so many seconds."""
        queue = self._queues.get(seconds)
        if queue is None:
            for other in [each for each, waiting in self._queues.items() if not waiting]:
                self._queues.pop(other).close()
            queue = self._queues[seconds] = TimeoutQueue(seconds, self._end_and_expire)
        self._seconds[conversation] = seconds
        queue.begin(conversation)

    def end(self, conversation: Conversation) -> None:
        """Let a conversation expire no more."""
        seconds = self._seconds.pop(conversation, None)
        if seconds is not None:
            self._queues[seconds].end(conversation)

    def close(self) -> None:
        """Let none expire any more."""
        for queue in self._queues.values():
            queue.close()
        self._seconds.clear()

    def _end_and_expire(self, conversation: Conversation) -> None:
        self._seconds.pop(conversation, None)
        self._expire(conversation)
