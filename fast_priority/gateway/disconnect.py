"""A client that leaves before it has its response ends the work on its request."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from fast_priority.errors import ClientLeft
from fast_priority.gateway.response import ClientResponse


class Disconnect(Protocol):
    """Reports that the client has closed its connection; `server.DisconnectEvent` is one."""

    def add_callback(self, callback: Callable[[], object]) -> None:
        """Call `callback` when the client leaves, or at once if it has left, until `remove_callback`."""
        ...

    def remove_callback(self, callback: Callable[[], object]) -> None:
        """Call it no more."""
        ...


class AwaitedDisconnect:
    """The Disconnect for a server that reports it only as an answer to `receive`: a task waits for that.

    `client_left` returns when the client has left.
    """

    def __init__(self, client_left: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._client_left = client_left
        self._waiting: asyncio.Task[None] | None = None

    def add_callback(self, callback: Callable[[], object]) -> None:
        """Call `callback` when the client leaves, until `remove_callback`."""

        def end(waiting: "asyncio.Task[None]") -> None:
            if not waiting.cancelled():
                waiting.exception()  # a server that cannot be asked any more has lost its client
                callback()

        self._waiting = asyncio.create_task(self._client_left())
        self._waiting.add_done_callback(end)

    def remove_callback(self, callback: Callable[[], object]) -> None:
        """Stop waiting."""
        if self._waiting is not None:
            self._waiting.cancel()


async def until_disconnect(answering: Coroutine[Any, Any, None], disconnect: Disconnect, reply: ClientResponse) -> None:
    """Run `answering`. If the client leaves before `reply` has ended, cancel it and raise ClientLeft."""
    task: asyncio.Task[Any] = asyncio.current_task()  # type: ignore[assignment]  # a coroutine runs in a task
    cancellations_before = task.cancelling()
    has_left = False

    def leave() -> None:
        nonlocal has_left
        if not has_left and not reply.has_ended:
            has_left = True
            task.cancel()

    disconnect.add_callback(leave)
    try:
        await answering
    except asyncio.CancelledError:
        if has_left and task.cancelling() == cancellations_before + 1:
            raise ClientLeft from None
        raise  # another cancellation than ours
    finally:
        disconnect.remove_callback(leave)
        if has_left:
            task.uncancel()
