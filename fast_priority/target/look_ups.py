"""Look-ups of host names, which the system may let hang for as long as its name servers do not answer.

A look-up cannot be cancelled: it takes a thread until it ends. So each has a thread of its own, which the end of the
process does not wait for, and there is one at most for each name, however many connections wait for it.
"""

import asyncio
import socket
import threading
from concurrent.futures import Future
from typing import Any, TypeAlias

from aiohttp.abc import AbstractResolver, ResolveResult

MOST_LOOK_UPS = 16
"""The most look-ups at the same time in this process. A worker has at most 8 targets."""

_Found: TypeAlias = list[tuple[Any, ...]]

_lock = threading.Lock()
_running: dict[tuple[str, int], "Future[_Found]"] = {}


class SharedResolver(AbstractResolver):
    """Resolves names for aiohttp's connector. All resolvers of a process share the look-ups that are in progress."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a name.

        Raises OSError if it does not resolve, and TimeoutError if too many other names are being looked up.
        """
        found = await asyncio.wrap_future(_look_up(host, family))
        return [
            ResolveResult(hostname=host, host=_host_of(address), port=port, family=kind, proto=protocol, flags=0)
            for kind, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """Do nothing: a look-up ends by itself."""


def _look_up(host: str, family: int) -> "Future[_Found]":
    """Return the look-up of a name that is in progress, or begin one."""
    with _lock:
        running = _running.get((host, family))
        if running is not None:
            return running
        if len(_running) >= MOST_LOOK_UPS:
            raise TimeoutError
        begun: Future[_Found] = Future()
        begun.set_running_or_notify_cancel()  # from now on, one that waits and is cancelled does not cancel it
        try:
            threading.Thread(target=_run, args=(begun, host, family), name="name look-up", daemon=True).start()
        except RuntimeError as error:
            raise OSError("the system starts no thread for a look-up") from error
        _running[host, family] = begun
        return begun


def _run(look_up: "Future[_Found]", host: str, family: int) -> None:
    try:
        found = socket.getaddrinfo(host, None, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except Exception as error:
        _forget(host, family)
        look_up.set_exception(error.with_traceback(None))  # its traceback would lead back to this frame: a cycle
    else:
        _forget(host, family)
        look_up.set_result(found)


def _forget(host: str, family: int) -> None:
    with _lock:
        _running.pop((host, family), None)


def _host_of(address: tuple[Any, ...]) -> str:
    host, scope = address[0], address[3] if len(address) > 3 else 0
    return f"{host}%{scope}" if scope and "%" not in host else str(host)
