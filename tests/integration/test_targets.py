"""A worker's connections to more than one target."""

from contextlib import AsyncExitStack

import pytest

from fast_priority.errors import GatewayError
from fast_priority.http.message import TargetPolicy
from fast_priority.target import TargetRegistry


def policy(number: int) -> TargetPolicy:
    return TargetPolicy(f"http://127.0.0.1:{number + 1}", 1.0, 1.0, 1024)


async def test_a_target_is_kept() -> None:
    """The same policy gives the same target, with its connections."""
    targets = TargetRegistry()
    async with targets.use(policy(1)) as first, targets.use(policy(1)) as second:
        assert first is second
    await targets.close()


async def test_idle_targets_make_room() -> None:
    """However many targets come one after the other, each is served, and few are kept."""
    targets = TargetRegistry()
    for number in range(50):
        async with targets.use(policy(number)) as target:
            assert target.policy == policy(number)
    assert len(targets._open) <= 8
    await targets.close()


async def test_targets_in_use_are_not_closed() -> None:
    """When as many targets as may be are in use, one more is an error, and the others go on."""
    targets = TargetRegistry()
    async with AsyncExitStack() as uses:
        for number in range(8):
            await uses.enter_async_context(targets.use(policy(number)))
        with pytest.raises(GatewayError, match="8 different targets"):
            await uses.enter_async_context(targets.use(policy(8)))
    await targets.close()
