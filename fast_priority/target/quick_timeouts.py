"""How long the rest of a small response is waited for without a task."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from fast_priority.support.timeout_queue import TimeoutQueue
from fast_priority.target.exchange import Exchange
from fast_priority.target.response import QUICK_AND_DECLARED_SECONDS, QUICK_SECONDS

Key = TypeVar("Key", bound=Hashable)


class QuickTimeouts(Generic[Key]):
    """The timeouts of requests whose response has begun. `expire` is called with each that has not ended in time."""

    def __init__(self, expire: Callable[[Key], object]) -> None:
        self._queues = {
            seconds: TimeoutQueue(seconds, expire) for seconds in (QUICK_SECONDS, QUICK_AND_DECLARED_SECONDS)
        }

    def begin(self, key: Key, exchange: Exchange) -> "TimeoutQueue[Key] | None":
        """Let the time of a request run if the head of its response has come. Return the queue that it runs in."""
        response = exchange.response_now()
        if response is None:
            return None
        queue = self._queues[response.quick_seconds]
        queue.begin(key)
        return queue

    def close(self) -> None:
        """Let no time run any more."""
        for queue in self._queues.values():
            queue.close()
