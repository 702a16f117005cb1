"""Ending asyncio tasks for certain."""

import asyncio
from collections.abc import Iterable

_AGAIN_SECONDS = 0.1


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
