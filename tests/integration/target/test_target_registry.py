"""A worker's connections to more than one target."""

import pytest

from fast_priority.errors import GatewayError
from fast_priority.http.message import TargetPolicy
from fast_priority.target import TargetRegistry


def policy(number: int) -> TargetPolicy:
    return TargetPolicy(f"http://127.0.0.1:{number + 1}", 1.0, 1.0, 1024)


async def test_a_target_is_kept() -> None:
    """The same policy returns the same target, with its connections."""
    targets = TargetRegistry()
    assert targets.use(policy(1)) is targets.use(policy(1))
    await targets.close()


async def test_idle_targets_make_room() -> None:
    """Of many targets used one after the other each is served, and few are kept."""
    targets = TargetRegistry()
    for number in range(50):
        target = targets.use(policy(number))
        assert target.policy == policy(number)
        targets.release(target)
    assert len(targets) <= 8
    await targets.close()


async def test_the_least_recently_used_is_closed_first() -> None:
    """A target that was used again since is kept longer than one that was not."""
    targets = TargetRegistry()
    opened = [targets.use(policy(number)) for number in range(8)]
    for target in opened:
        targets.release(target)
    targets.release(targets.use(policy(0)))
    targets.release(targets.use(policy(8)))
    assert targets.use(policy(0)) is opened[0]
    assert targets.use(policy(1)) is not opened[1]
    await targets.close()


async def test_targets_in_use_are_not_closed() -> None:
    """When as many targets as allowed are in use, one more is an error, and the others stay usable."""
    targets = TargetRegistry()
    opened = [targets.use(policy(number)) for number in range(8)]
    with pytest.raises(GatewayError, match="8 different targets"):
        targets.use(policy(8))
    assert [targets.use(policy(number)) for number in range(8)] == opened
    await targets.close()
