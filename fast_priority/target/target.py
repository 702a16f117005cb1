"""A target: where requests go, and the connections to it. A worker keeps a few of them in a `TargetRegistry`."""

import asyncio
from collections.abc import Callable

from yarl import URL

from fast_priority.errors import GatewayError, MalformedRequest
from fast_priority.http.fields import content_length
from fast_priority.http.head import request_head
from fast_priority.http.message import Fields, Request, TargetPolicy
from fast_priority.settings import TlsFiles
from fast_priority.support.timeout_queue import TimeoutQueue
from fast_priority.target.base_url import BaseUrlPath
from fast_priority.target.connection import InactivityTimer
from fast_priority.target.exchange import Body, Exchange
from fast_priority.target.pool import ConnectionPool
from fast_priority.target.tls_problems import CLOSED as _CLOSED_TLS

_MOST_TARGETS = 8
_REFUSAL_SECONDS = 0.2  # how long a look waits for a target that refuses the client certificate after the handshake


class Target:
    """One target and the connections to it.

    It belongs to the event loop on which it is first used. Use it as an async context manager, or close it.
    """

    def __init__(self, policy: TargetPolicy, tls_files: TlsFiles = TlsFiles()) -> None:  # noqa: B008 - it is frozen
        self.policy = policy
        self._tls_files = tls_files
        self.uses = 0
        """How many requests use it now: the TargetRegistry counts them."""
        base = URL(policy.base_url, encoded=True)
        self._path = BaseUrlPath(base.raw_path)
        self._host = (base.host_port_subcomponent or "").encode()
        self.timeouts = TimeoutQueue(policy.timeout_seconds, InactivityTimer.expire)
        """The inactivity timeouts of all requests to it."""
        self._pool: ConnectionPool | None = None

    async def __aenter__(self) -> "Target":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def pool(self) -> ConnectionPool:
        """The connections to it."""
        if self._pool is None:
            self._pool = ConnectionPool(self.policy, self._tls_files)
        return self._pool

    async def close(self) -> None:
        """Close all connections, also those in use."""
        self.timeouts.close()
        if self._pool is not None:
            await self._pool.close()

    async def problem(self) -> str | None:
        """Return why no connection to it can be made, in words without secrets; None if it accepts one.

        No request is sent, so none of its slots is used.
        """
        try:
            connection = await self.pool.connect()
            if connection is None:
                return _CLOSED_TLS if self.policy.base_url.startswith("https:") else None
            try:
                await connection.wait_until_accepted(_REFUSAL_SECONDS)
            finally:
                connection.end()
        except GatewayError as error:
            return error.detail
        return None

    def check(self, raw_target: bytes) -> None:
        """Raise MalformedRequest for a request target that cannot be sent below the base URL."""
        self._path.check(raw_target)

    def head(self, method: str, raw_target: bytes, fields: Fields) -> bytes:
        """Return the head of a request. Raises MalformedRequest for what cannot be sent."""
        return request_head(method, self._path.below(raw_target), self._host, fields)

    def exchange(
        self,
        method: str,
        raw_target: bytes,
        fields: Fields,
        body: Body,
        *,
        most_response_bytes: int = 0,
        may_be_sent: Callable[[], bool] = lambda: True,
    ) -> Exchange:
        """Return what sends this request, once, when it is entered, and returns the response once its head has come.

        The target may be silent for the policy's timeout: until its response begins, once it has the request, and
        between two pieces of the response. Time in which it waits for the request's body, or for the reader of the
        response, does not count. `most_response_bytes` bounds the response's body; 0 is no limit. Leaving the
        `async with` block early closes the connection. `may_be_sent` is called once there is a connection, before the
        first byte is sent. Raises TargetError, MalformedRequest for what cannot be sent, NotSent, and what the body
        itself raises.
        """
        fields, declared_bytes = _framed(fields, body)
        return Exchange(
            self.pool,
            self.timeouts,
            self.head(method, raw_target, fields),
            body,
            is_head=method == "HEAD",
            declared_bytes=declared_bytes,
            most_response_bytes=most_response_bytes,
            may_be_sent=may_be_sent,
        )

    def exchange_of(self, request: Request, body: Body, may_be_sent: Callable[[], bool] = lambda: True) -> Exchange:
        """Return the exchange of a request that a gateway has queued. The policy bounds the response's body."""
        return self.exchange(
            request.method,
            request.raw_target,
            request.fields,
            body,
            most_response_bytes=self.policy.max_body_bytes,
            may_be_sent=may_be_sent,
        )


class TargetRegistry:
    """The targets of one worker: one, unless gateways with different targets share the queues.

    A target is opened with its first use, and its connections are kept. There are at most 8; the one that has been idle
    for the longest time is closed first.
    """

    def __init__(self, tls_files: TlsFiles = TlsFiles()) -> None:  # noqa: B008 - it is frozen
        self._tls_files = tls_files
        self._open: dict[TargetPolicy, Target] = {}  # least recently used first
        self._closing: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._open)

    def use(self, policy: TargetPolicy) -> Target:
        """Return the target of this policy; call `release` after the use.

        Raises GatewayError if too many others are in use.
        """
        target = self._open.get(policy)
        if target is None:
            self._make_room()
            target = self._open[policy] = Target(policy, self._tls_files)
        elif len(self._open) > 1:
            self._open[policy] = self._open.pop(policy)
        target.uses += 1
        return target

    def release(self, target: Target) -> None:
        """Note that one use of the target is over."""
        target.uses -= 1

    async def close(self) -> None:
        """Close all connections."""
        await asyncio.gather(*self._closing, return_exceptions=True)
        while self._open:
            await self._open.popitem()[1].close()

    def _make_room(self) -> None:
        if len(self._open) < _MOST_TARGETS:
            return
        idle = next((target for target in self._open.values() if not target.uses), None)
        if idle is None:
            raise GatewayError(f"a worker forwards to {_MOST_TARGETS} different targets at once at most")
        del self._open[idle.policy]
        closing = asyncio.create_task(idle.close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)


def _framed(fields: Fields, body: Body) -> tuple[Fields, int | None]:
    """Return the fields, with one that shows where the body ends, and the body's length.

    A request without a body gets no such field.
    """
    if not body:
        return fields, None
    if any(name.lower() == b"transfer-encoding" for name, _ in fields):
        raise MalformedRequest("the end of its body would be declared in two ways")
    try:
        declared = content_length(fields)
    except ValueError as error:
        raise MalformedRequest("its Content-Length is not a number") from error
    if isinstance(body, bytes):
        if declared is None:
            return [*fields, (b"content-length", b"%d" % len(body))], len(body)
        if declared != len(body):
            raise MalformedRequest("its body is not as long as its Content-Length")
    elif declared is None:
        return [*fields, (b"Transfer-Encoding", b"chunked")], None
    return fields, declared
