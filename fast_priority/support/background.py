"""Background tasks that neither die unseen nor outlive their owner."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from fast_priority.support.outage_log import OutageLog

_AGAIN_SECONDS = 0.1


async def keep_doing(
    what: str,
    step: Callable[[], Awaitable[None]],
    *,
    expected: tuple[type[Exception], ...],
    again_seconds: float,
    logger: logging.Logger,
) -> None:
    """Do one step after the other until cancelled, whatever goes wrong in them.

    After a failure it waits `again_seconds`. Expected ones are logged as one trouble, any other with its traceback: a
    loop that others depend on must not end because of something nobody thought of.
    """
    trouble = OutageLog(what, logger)
    while True:
        try:
            await step()
            trouble.recovered()
        except expected as error:
            trouble.failure(error)
            await asyncio.sleep(again_seconds)
        except Exception:
            logger.exception("%s", what)
            await asyncio.sleep(again_seconds)


async def end_all(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel the tasks and return when all have ended, however they ended.

    A cancellation can be lost on its way: a library that is just then turning a timeout into an error of its own may
    swallow it, and a task that tries again for ever would go on. So it is repeated until it has been heard.
    """
    running = {task for task in tasks if not task.done()}
    while running:
        for task in running:
            task.cancel()
        ended, running = await asyncio.wait(running, timeout=_AGAIN_SECONDS)
        for task in ended:
            if not task.cancelled():
                task.exception()  # looked at, so that asyncio does not report it as forgotten
