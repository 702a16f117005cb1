"""The connections to one target: aiohttp's connector makes them, and idle ones are kept for the next request.

Only the connector and the connections of aiohttp's client are used. A session adds what programs want (cookies,
redirects, proxies, second attempts, fields of its own) and an intermediary must not do.
"""

import asyncio
import functools
from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar, cast

import aiohttp
from yarl import URL

from fast_priority.errors import ConnectTimeout
from fast_priority.http.message import TargetPolicy
from fast_priority.settings import TlsFiles
from fast_priority.target.connection import TargetConnection
from fast_priority.target.failures import CLIENT_FAILURES, silent_for, target_error
from fast_priority.target.look_ups import SharedResolver
from fast_priority.target.tls import tls_context

_MOST_AGE_SECONDS = 300.0
"""A connection that is older than this is closed once its response is over. So requests follow a name that has moved,
and a target that was enlarged gets its share. The age is large enough that new connections cost nothing, also with TLS.
"""
_NAME_HOLDS_SECONDS = 10
"""For so long a resolved name is used for new connections without a new look-up."""
_NO_TIMEOUT = aiohttp.ClientTimeout(total=None)  # aiohttp's would be for each address


class Clock(Protocol):
    """The time and the timers of an event loop."""

    def time(self) -> float:
        """Return the time in seconds."""
        ...

    def call_at(self, when: float, callback: Callable[[], None], /) -> asyncio.TimerHandle:
        """Call back at this time."""
        ...


class Closable(Protocol):
    """A connection; `TargetConnection` is one."""

    def end(self) -> None:
        """Close it."""
        ...


Connection = TypeVar("Connection", bound=Closable)


class IdleConnections(Generic[Connection]):
    """Idle connections, each kept until its own time is over. The one that was used last is used first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: deque[tuple[Connection, float]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, connection: Connection, until_seconds: float) -> None:
        """Keep a connection until this time of the clock. Close it if that time is over already."""
        if until_seconds <= self._clock.time():
            connection.end()
            return
        self._kept.append((connection, until_seconds))
        if self._timer is None or until_seconds < self._timer_at:
            self._close_at(until_seconds)

    def take(self) -> Connection | None:
        """Return a connection whose time is not over, or None. Close those whose time is over."""
        now = self._clock.time()
        while self._kept:
            connection, until_seconds = self._kept.pop()
            if until_seconds > now:
                return connection
            connection.end()
        return None

    def close(self) -> None:
        """Close all of them."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._kept:
            self._kept.pop()[0].end()

    def _close_at(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = when
        self._timer = self._clock.call_at(when, self._close_overdue)

    def _close_overdue(self) -> None:
        self._timer = None
        now = self._clock.time()
        kept, self._kept = self._kept, deque()
        for connection, until_seconds in kept:
            if until_seconds > now:
                self._kept.append((connection, until_seconds))
            else:
                connection.end()
        if self._kept:
            self._close_at(min(until_seconds for _, until_seconds in self._kept))


class ConnectionPool:
    """The connections to one target. A pool belongs to the event loop on which it was made."""

    def __init__(self, policy: TargetPolicy, tls_files: TlsFiles) -> None:
        self._policy = policy
        self._loop = asyncio.get_running_loop()
        tls = tls_context(tls_files) if policy.base_url.lower().startswith("https:") else True
        self._connector = aiohttp.TCPConnector(
            limit=0, ttl_dns_cache=_NAME_HOLDS_SECONDS, ssl=tls, resolver=SharedResolver()
        )
        self._connector._factory = functools.partial(TargetConnection, loop=self._loop)  # type: ignore[assignment]
        self.idle: IdleConnections[TargetConnection] = IdleConnections(self._loop)
        """The connections that no request uses. The target may have closed one since: see `is_still_idle`."""

    def give_back(self, used: TargetConnection, since_seconds: float, idle_seconds: float) -> None:
        """Keep a connection if it can be used again; otherwise close it.

        `since_seconds` is when its response was over, by the clock of the event loop. From then on it may be idle for
        `idle_seconds`.
        """
        if not used.may_be_used_again():
            used.end()
            return
        self.idle.put(used, min(since_seconds + idle_seconds, used.made_at_seconds + _MOST_AGE_SECONDS))

    async def close(self) -> None:
        """Close all connections, also those in use."""
        await self._connector.close()
        self.idle.close()

    async def connect(self) -> TargetConnection | None:
        """Return a new connection, or None if the target has closed it already and nothing can be sent on it.

        The policy's timeout for connecting is for the look-up of the name, all its addresses, and TLS together: the
        next address is tried 0.25 s after the one before it. Raises TargetError, and MalformedRequest if the base URL
        is no URL.
        """
        policy = self._policy
        try:
            async with (
                asyncio.timeout(policy.timeout_seconds) as silence,
                asyncio.timeout(policy.connect_timeout_seconds),
            ):
                # The connector reads from it where to connect; it is never sent.
                request = aiohttp.ClientRequest("GET", URL(policy.base_url, encoded=True), loop=self._loop)
                connection = await self._connector.connect(request, traces=[], timeout=_NO_TIMEOUT)
        except TimeoutError as error:
            if silence.expired():
                raise silent_for(policy.timeout_seconds) from error
            raise ConnectTimeout("no connection in time (FAST_PRIORITY_CONNECT_TIMEOUT)") from error
        except CLIENT_FAILURES as error:
            if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ConnectionResetError):
                return None  # it was accepted and then reset; a connection that is refused raises another error
            raise target_error(error) from error
        made = cast(TargetConnection, connection.protocol)
        made.connection = connection
        made.made_at_seconds = self._loop.time()
        if made.has_ended():
            made.end()
            made.raise_refusal()
            return None
        return made
