"""The targets that one worker has connections to: one, unless gateways with different targets share the queues."""

from contextlib import AbstractAsyncContextManager

from fast_priority.errors import GatewayError
from fast_priority.http.message import TargetPolicy
from fast_priority.target.target import Target

_MOST = 8


class TargetRegistry:
    """Opens targets when they are asked for and keeps their connections; at most 8, the idle ones go first."""

    def __init__(self) -> None:
        self._open: dict[TargetPolicy, Target] = {}  # least recently used first
        self._in_use: dict[TargetPolicy, int] = {}

    async def close(self) -> None:
        """Close all connections."""
        for policy in list(self._open):
            await self._open.pop(policy).__aexit__()

    def use(self, policy: TargetPolicy) -> AbstractAsyncContextManager[Target]:
        """Give the target of this policy. Raises GatewayError if too many others are in use."""
        return _Use(self, policy)

    def use_now(self, policy: TargetPolicy) -> Target | None:
        """Give the target of this policy, to be used until `end`, if it is open."""
        return self._use(policy) if policy in self._open else None

    def end(self, policy: TargetPolicy) -> None:
        """One use of the target of this policy is over."""
        self._in_use[policy] -= 1
        if not self._in_use[policy]:
            del self._in_use[policy]

    async def _begin(self, policy: TargetPolicy) -> Target:
        if policy not in self._open:
            await self._make_room()
        if policy not in self._open:  # nor has anybody opened it meanwhile
            self._open[policy] = await Target(policy).__aenter__()
        return self._use(policy)

    def _use(self, policy: TargetPolicy) -> Target:
        target = self._open[policy] = self._open.pop(policy)
        self._in_use[policy] = self._in_use.get(policy, 0) + 1
        return target

    async def _make_room(self) -> None:
        if len(self._open) < _MOST:
            return
        idle = next((policy for policy in self._open if policy not in self._in_use), None)
        if idle is None:
            raise GatewayError(f"a worker forwards to {_MOST} different targets at once at most")
        await self._open.pop(idle).__aexit__()


class _Use:
    """One request's use of a target. It is no generator, which would cost more than all else here."""

    def __init__(self, targets: TargetRegistry, policy: TargetPolicy) -> None:
        self._targets = targets
        self._policy = policy

    async def __aenter__(self) -> Target:
        return await self._targets._begin(self._policy)

    async def __aexit__(self, *_: object) -> None:
        self._targets.end(self._policy)
