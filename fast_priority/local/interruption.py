"""Ctrl-C and SIGTERM interrupt this process only while it waits, so that all it has started is also stopped."""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

Result = TypeVar("Result")

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):
    """The signal `number` has asked this process to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Interruption:
    """Turns the first signal into Interrupted, in the blocks that wait; later signals are ignored."""

    # An exception between the fork of a process and its entry in our list would leave that process running.

    def __init__(self) -> None:
        self._number: int | None = None
        self._react: Callable[[], object] | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handle signals while the block lasts. A signal that was ignored (nohup) is still ignored."""
        before = {number: signal.getsignal(number) for number in _SIGNALS}
        for number in _SIGNALS:
            if number != signal.SIGHUP or before[number] is not signal.SIG_IGN:
                signal.signal(number, self._note)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def may_interrupt(self) -> Iterator[None]:
        """Raise Interrupted in this block as soon as a signal comes, whatever the block waits for."""
        self._react = self.raise_if_asked
        try:
            self.raise_if_asked()
            yield
        finally:
            self._react = None

    def raise_if_asked(self) -> None:
        """Raise Interrupted if a signal has come."""
        if self._number is not None:
            raise Interrupted(self._number)

    def run(self, work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """Run a coroutine on an event loop of its own. A signal cancels it; then Interrupted is raised."""
        return asyncio.run(self._cancellable(work))

    async def _cancellable(self, work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine that runs is in a task
        # Not cancelled in the handler: the signal may come while the loop works on its own state.
        self._react = lambda: loop.call_soon_threadsafe(task.cancel)
        try:
            self.raise_if_asked()
            return await work()
        except asyncio.CancelledError:
            self.raise_if_asked()
            raise
        finally:
            self._react = None

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._number is None:
            self._number = number
            if self._react:
                self._react()
