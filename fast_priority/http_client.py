"""Connections to one target, made by aiohttp's connector, kept while they are idle, and what goes wrong with them.

Of aiohttp's client, only the connector and the connections are used. What a session does for people's programs
(cookies, redirects, proxies, second attempts, fields of its own) an intermediary must not do.
"""

import asyncio
import functools
import socket
from collections import deque
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
from fast_priority.message import TargetPolicy
from fast_priority.target_connection import CLIENT_FAILURES, OneAnswerARequest

_KEEP_IDLE_SECONDS = 4.0  # below the 5 s after which uvicorn, among others, closes an idle connection


class Connections:
    """The connections to one target, kept while they are idle; the one that was used last is used first.

    Belongs to the event loop in which it is made.
    """

    def __init__(self, policy: TargetPolicy) -> None:
        self._policy = policy
        self._loop = asyncio.get_running_loop()
        self._connector = aiohttp.TCPConnector(limit=0)
        self._connector._factory = functools.partial(OneAnswerARequest, loop=self._loop)  # type: ignore[assignment]
        self._idle: deque[tuple[OneAnswerARequest, float]] = deque()  # the oldest first
        self._tidying: asyncio.TimerHandle | None = None

    def now(self) -> float:
        """Give the time by which connections are idle."""
        return self._loop.time()

    async def take(self) -> OneAnswerARequest:
        """Give an idle connection, or a new one. Raises TargetError, and MalformedRequest for no URL."""
        idle = self.take_idle()
        return await self._connect() if idle is None else idle

    def take_idle(self) -> OneAnswerARequest | None:
        """Give an idle connection, if there is one."""
        oldest_since = self._loop.time() - _KEEP_IDLE_SECONDS
        while self._idle:
            kept, since = self._idle.pop()
            if kept.is_connected() and since >= oldest_since:
                return kept
            kept.end()
        return None

    def give_back(self, used: OneAnswerARequest, since_seconds: float) -> None:
        """Keep it if it can be used again; otherwise close it. `since_seconds` is when its response was over."""
        if not used.may_be_used_again():
            used.end()
            return
        self._idle.append((used, since_seconds))
        if self._tidying is None:
            self._tidying = self._loop.call_later(_KEEP_IDLE_SECONDS, self._tidy)

    async def close(self) -> None:
        """Close all connections, also those that are in use."""
        if self._tidying is not None:
            self._tidying.cancel()
        await self._connector.close()
        for kept, _ in self._idle:
            kept.end()
        self._idle.clear()

    def _tidy(self) -> None:
        oldest_since = self._loop.time() - _KEEP_IDLE_SECONDS
        while self._idle and self._idle[0][1] <= oldest_since:
            self._idle.popleft()[0].end()
        self._tidying = None
        if self._idle:
            self._tidying = self._loop.call_at(self._idle[0][1] + _KEEP_IDLE_SECONDS, self._tidy)

    async def _connect(self) -> OneAnswerARequest:
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
            raise target_error(error) from error
        made = cast(OneAnswerARequest, connection.protocol)
        made.connection = connection
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
