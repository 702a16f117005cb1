"""Background tasks: their failures are logged, and they end with their owner."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Protocol

from fast_priority.support.outage_log import OutageLog

_AGAIN_SECONDS = 0.1


class Outage(Protocol):
    """What is told of the expected failures of a task; `OutageLog` is one."""

    def failure(self, why: Exception, /) -> None:
        """Note a failure."""

    def recovered(self) -> None:
        """Note a success."""


async def keep_doing(
    what: str,
    step: Callable[[], Awaitable[None]],
    *,
    expected: tuple[type[Exception], ...],
    again_seconds: float,
    logger: logging.Logger,
    outage: Outage | None = None,
) -> None:
    """Do one step after the other until cancelled, also after a step that fails.

    After a failure, wait `again_seconds`. The `expected` errors are noted in `outage`, or else logged as an outage of
    `what`; all others are logged with their traceback: a loop that others depend on must not end because of an error
    that was not foreseen.
    """
    outage = outage or OutageLog(what, logger)
    while True:
        try:
            await step()
            outage.recovered()
        except expected as error:
            outage.failure(error)
            await asyncio.sleep(again_seconds)
        except Exception:
            logger.exception("%s", what)
            await asyncio.sleep(again_seconds)


async def end_all(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel the tasks, and return when all have ended, with or without an error.

    A cancellation can get lost: a library that turns a timeout into an error of its own at the same moment may swallow
    it, and a task that retries without end would go on. So each task is cancelled again until it ends.
    """
    running = {task for task in tasks if not task.done()}
    while running:
        for task in running:
            task.cancel()
        ended, running = await asyncio.wait(running, timeout=_AGAIN_SECONDS)
        for task in ended:
            if not task.cancelled():
                task.exception()  # asyncio logs an error that was never retrieved


class Background:
    """Tasks that nobody waits for.

    The event loop keeps only weak references to tasks; this keeps them until they end.
    """

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run this in a task."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def close(self, within_seconds: float = 0.0) -> None:
        """Wait for so long until all have ended, then cancel the others."""
        if self._running and within_seconds:
            await asyncio.wait(self._running, timeout=within_seconds)
        await end_all(self._running)
