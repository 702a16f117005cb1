"""ConnectionPool to one target, made by aiohttp's connector, kept while they are idle, and what goes wrong with them.

Of aiohttp's client, only the connector and the connections are used. What a session does for people's programs
(cookies, redirects, proxies, second attempts, fields of its own) an intermediary must not do.
"""

import asyncio
import functools
import socket
from typing import cast

import aiohttp
from yarl import URL

from fast_priority.errors import (
    ConnectTimeout,
    GatewayError,
    MalformedRequest,
    TargetClosed,
    TargetError,
    TargetNotFound,
    TargetRefused,
    TargetTimeout,
    TargetUnreachable,
)
from fast_priority.http.message import TargetPolicy
from fast_priority.target.connection import CLIENT_FAILURES, TargetConnection
from fast_priority.target.idle_connections import IdleConnections
from fast_priority.target.tls import readable_context

_MOST_AGE_SECONDS = 300.0
"""After so long a connection is closed, once its response is over: a name that has moved is followed, and a target that
was made larger gets its share. It is long enough that making connections costs nothing, also those of TLS."""
_NAME_HOLDS_SECONDS = 10
"""For so long a resolved name is used for new connections, without asking again."""


class ConnectionPool:
    """The connections to one target, kept while they are idle.

    Belongs to the event loop in which it is made.
    """

    def __init__(self, policy: TargetPolicy) -> None:
        self._policy = policy
        self._loop = asyncio.get_running_loop()
        tls = readable_context() if policy.base_url.lower().startswith("https:") else True
        self._connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=_NAME_HOLDS_SECONDS, ssl=tls)
        self._connector._factory = functools.partial(TargetConnection, loop=self._loop)  # type: ignore[assignment]
        self._idle: IdleConnections[TargetConnection] = IdleConnections(self._loop)

    def now(self) -> float:
        """Give the time by which connections are idle."""
        return self._loop.time()

    def take_idle(self) -> TargetConnection | None:
        """Give an idle connection, if there is one."""
        return self._idle.take()

    def give_back(self, used: TargetConnection, since_seconds: float, idle_seconds: float) -> None:
        """Keep it if it can be used again; otherwise close it.

        `since_seconds` is when its response was over, `idle_seconds` for how long it may be idle from then on.
        """
        if not used.may_be_used_again():
            used.end()
            return
        self._idle.put(used, min(since_seconds + idle_seconds, used.made_at_seconds + _MOST_AGE_SECONDS))

    async def close(self) -> None:
        """Close all connections, also those that are in use."""
        await self._connector.close()
        self._idle.close()

    async def connect(self) -> TargetConnection | None:
        """Return a new connection; None if the target has closed it already, so that nothing can be sent on it.

        Raises TargetError, and MalformedRequest for no URL.
        """
        policy = self._policy
        limits = aiohttp.ClientTimeout(total=None, sock_connect=policy.connect_timeout_seconds)
        try:
            async with asyncio.timeout(policy.timeout_seconds) as silence:
                # The connector reads from it where to connect; it is never sent.
                request = aiohttp.ClientRequest("GET", URL(policy.base_url, encoded=True), loop=self._loop)
                connection = await self._connector.connect(request, traces=[], timeout=limits)
        except TimeoutError as error:
            if silence.expired():
                raise TargetTimeout(f"it was silent for {policy.timeout_seconds:g} s") from error
            raise ConnectTimeout("no connection in time (FAST_PRIORITY_CONNECT_TIMEOUT)") from error
        except CLIENT_FAILURES as error:
            if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ConnectionResetError):
                return None  # what is refused is another error: it was accepted, and then reset
            raise target_error(error) from error
        made = cast(TargetConnection, connection.protocol)
        made.connection = connection
        made.made_at_seconds = self._loop.time()
        if made.has_ended():
            made.end()
            return None
        return made


def target_error(error: Exception) -> GatewayError:
    """Say in our own words what went wrong on the way to the target, or on the way back."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return TargetNotFound("its host name does not resolve")
    if isinstance(error, aiohttp.ClientSSLError):
        return TargetUnreachable("no TLS connection could be made")
    if isinstance(error, aiohttp.ClientConnectorError):
        if isinstance(error.os_error, ConnectionRefusedError):
            return TargetRefused("nothing listens at its address")
        if isinstance(error.os_error, socket.gaierror):
            return TargetNotFound("its host name does not resolve")
        return TargetUnreachable("no connection could be made")
    if isinstance(error, aiohttp.ServerDisconnectedError | OSError):
        return TargetClosed("the connection ended before a response began")
    if isinstance(error, ValueError):  # InvalidURL is one
        return MalformedRequest("the request cannot be sent as it is")
    return TargetError(f"what it sent is not an HTTP response ({type(error).__name__})")
