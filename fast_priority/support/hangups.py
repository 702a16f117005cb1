"""Noticing that a peer has closed its connection while nobody reads from it.

A socket that is not read does not tell of its end: neither asyncio nor uvloop polls it then. So the sockets of paused
connections wait on an epoll object of their own, which the event loop watches as it watches any other file. It asks
for no data, only for the end. Only Linux has this; elsewhere the end is noticed when reading goes on.
"""

import asyncio
import contextlib
import select
import sys
from collections.abc import Callable
from weakref import WeakKeyDictionary


class PeerCloseWatcher:
    """The connections of one event loop whose end is waited for."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._watched: dict[int, tuple[Callable[[], None], bool]] = {}
        if sys.platform == "linux":
            self._epoll = select.epoll()
            loop.add_reader(self._epoll.fileno(), self._tell)

    def watch(self, fd: int, on_end: Callable[[], None], *, resets_only: bool = False) -> None:
        """Call `on_end`, once, when the peer has closed its side of the connection; or only when it has reset it.

        Unwatch it before it is closed: a number that is free is given to the next connection.
        """
        if sys.platform == "linux":
            self.unwatch(fd)
            self._epoll.register(fd, select.EPOLLERR if resets_only else select.EPOLLERR | select.EPOLLRDHUP)
            self._watched[fd] = on_end, resets_only

    def unwatch(self, fd: int) -> None:
        """Wait for it no longer; if nobody does, nothing happens."""
        if self._watched.pop(fd, None) is not None:
            with contextlib.suppress(OSError, ValueError):  # it is closed, and forgotten with that
                self._epoll.unregister(fd)

    def _tell(self) -> None:
        for fd, events in self._epoll.poll(0):
            on_end, resets_only = self._watched.get(fd, (None, False))
            self.unwatch(fd)
            # That both sides are closed is always told, but there may be something to read yet.
            if on_end is not None and (events & select.EPOLLERR or not resets_only):
                on_end()


_of_loop: "WeakKeyDictionary[asyncio.AbstractEventLoop, PeerCloseWatcher]" = WeakKeyDictionary()


def close_watcher_of(loop: asyncio.AbstractEventLoop) -> PeerCloseWatcher:
    """Give the one there is for this event loop; a process has one loop."""
    found = _of_loop.get(loop)
    if found is None:
        found = _of_loop[loop] = PeerCloseWatcher(loop)
    return found
