"""What runs once for each event loop: the lifespan starts it, or the first request where no lifespan runs.

A server runs the lifespan of the application that it serves, and not that of a mounted one. Some servers run none
(`uvicorn --lifespan off`, most test clients).
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from contextvars import Context
from typing import Generic, NamedTuple, TypeVar
from weakref import WeakSet

T = TypeVar("T")

logger = logging.getLogger(__name__)

_AGAIN_SECONDS = 1.0


class _Keeper(NamedTuple):
    """The task that holds the lifespan open where the server does not."""

    opened: asyncio.Future[None]
    """Done when the lifespan has started, or has failed to."""
    task: asyncio.Task[None]


class OncePerLoop(Generic[T]):
    """Holds one T for each event loop: connections of one loop cannot be used on another.

    `lifespan` opens the application's lifespan, which calls `holding`.
    """

    def __init__(self, lifespan: Callable[[], AbstractAsyncContextManager[object]]) -> None:
        self._lifespan = lifespan
        self._running: dict[asyncio.AbstractEventLoop, T] = {}
        self._keepers: dict[asyncio.AbstractEventLoop, _Keeper] = {}
        self._ended: WeakSet[asyncio.AbstractEventLoop] = WeakSet()

    def here(self) -> T | None:
        """Return what runs on this event loop; None if nothing does."""
        return self._running.get(asyncio.get_running_loop())

    @contextmanager
    def holding(self, running: T) -> Iterator[None]:
        """Hold this T for this event loop until the block ends. After that, no request starts another one."""
        loop = asyncio.get_running_loop()
        before = self._running.get(loop)
        self._running[loop] = running
        self._ended.discard(loop)
        try:
            yield
        finally:
            if self._running.get(loop) is running:
                del self._running[loop]
            if before is not None:
                self._running[loop] = before
            else:
                self._ended.add(loop)

    async def started(self) -> T | None:
        """Return what runs on this event loop; start it first if nothing does.

        None if it has ended, or cannot start. A failed start is logged, and a request that comes 1 s later tries again.
        """
        loop = asyncio.get_running_loop()
        if loop not in self._running and loop not in self._ended:
            await asyncio.wait([self._keeper_on(loop).opened])
        return self._running.get(loop)

    def _keeper_on(self, loop: asyncio.AbstractEventLoop) -> _Keeper:
        if loop not in self._keepers:
            for closed in [one for one in [*self._keepers, *self._running] if one.is_closed()]:
                self._keepers.pop(closed, None)
                self._running.pop(closed, None)
            opened = loop.create_future()
            # In a context of its own, because it lasts longer than the request that starts it.
            self._keepers[loop] = _Keeper(opened, loop.create_task(self._keep(loop, opened), context=Context()))
        return self._keepers[loop]

    async def _keep(self, loop: asyncio.AbstractEventLoop, opened: asyncio.Future[None]) -> None:
        """Hold the lifespan open until the event loop ends, which cancels its tasks."""
        try:
            async with self._lifespan():
                logger.warning(
                    "no lifespan runs on this event loop, so a request has started the gateway; "
                    "it is closed when the event loop ends"
                )
                opened.set_result(None)
                await loop.create_future()
        except Exception:
            logger.exception("the gateway cannot start" if not opened.done() else "the gateway did not end in order")
            if not opened.done():
                self._ended.discard(loop)
                loop.call_later(_AGAIN_SECONDS, self._keepers.pop, loop, None)
        finally:
            if not opened.done():
                opened.set_result(None)
