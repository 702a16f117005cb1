"""All gateways on one Redis share one name. A bad value in Redis can do no more than prevent that."""

import pytest

from fast_priority.broker import times
from fast_priority.broker.connection import send_together
from fast_priority.broker.producer import Submitter
from fast_priority.broker.producer.deployment_id import adopt_identity, identity_steps
from fast_priority.http.via import Deployment
from fast_priority.settings import Settings
from tests.unit.broker_rig import Rig, until

KEY = "rq:fast-priority:deployment"


async def agree(rig: Rig, *deployments: Deployment) -> None:
    redis = rig.connect({})
    for deployment in deployments:
        *_, found = await send_together(redis, identity_steps(deployment))
        await adopt_identity(redis, deployment, found)
    await redis.aclose()


async def test_the_others_adopt_the_first_identity(rig: Rig) -> None:
    """On an empty Redis all gateways adopt the identity of the first, and its name does not change."""
    one, other, third = Deployment(), Deployment(), Deployment()
    name = one.name
    await agree(rig, one, other, third)
    assert one.name == other.name == third.name == name
    assert one.names == (name,)
    assert rig.redis.get(KEY) == one.identity


async def test_the_identity_expires(rig: Rig) -> None:
    """The key expires a minute after the last gateway, and each gateway renews it."""
    one = Deployment()
    await agree(rig, one)
    rig.redis.expire(KEY, 5)
    await agree(rig, one)
    assert 5 < rig.redis.ttl(KEY) <= times.DEPLOYMENT_TTL_SECONDS


async def test_an_empty_redis_gets_the_same_identity_again(rig: Rig) -> None:
    """After Redis has lost all data, the gateways write the identity that they had."""
    one, other = Deployment(), Deployment()
    await agree(rig, one, other)
    name = one.name
    rig.redis.flushall()
    await agree(rig, other, one)
    assert one.name == other.name == name


async def test_two_that_differ_agree(rig: Rig) -> None:
    """Gateways with different identities adopt the one in Redis, and still know the former one."""
    one, other = Deployment(), Deployment()
    await agree(rig, one)
    before = other.name
    rig.redis.set(KEY, b"0123456789abcdef")
    await agree(rig, other, one)
    assert one.name == other.name == b"fast-priority-0123456789abcdef"
    assert before in other.names


@pytest.mark.parametrize("written", [b"", b"x", b"0123456789abcdef0", b"0123456789ABCDEF", b"a\r\nb: c", b"x" * 99_000])
async def test_a_value_that_is_no_identity_is_replaced(rig: Rig, written: bytes) -> None:
    """A value that cannot be an identity is replaced by one, with a TTL."""
    one, other = Deployment(), Deployment()
    rig.redis.set(KEY, written)
    await agree(rig, one, other)
    assert one.name == other.name
    assert rig.redis.get(KEY) == one.identity
    assert 0 < rig.redis.ttl(KEY) <= times.DEPLOYMENT_TTL_SECONDS


@pytest.mark.parametrize("kind", ["list", "set", "hash", "zset"])
async def test_a_key_of_another_type_is_replaced(rig: Rig, kind: str) -> None:
    """A key of another type raises no error, and is replaced by an identity."""
    write = {
        "list": lambda: rig.redis.rpush(KEY, "x"),
        "set": lambda: rig.redis.sadd(KEY, "x"),
        "hash": lambda: rig.redis.hset(KEY, "x", "y"),
        "zset": lambda: rig.redis.zadd(KEY, {"x": 1}),
    }
    write[kind]()
    one, other = Deployment(), Deployment()
    await agree(rig, one, other)
    assert one.name == other.name
    assert rig.redis.get(KEY) == one.identity


async def test_gateways_agree_as_they_start(rig: Rig) -> None:
    """A gateway reads the identity with its first sign of life."""
    async with Submitter(Settings.load()) as one, Submitter(Settings.load()) as other:
        await until("they agree", lambda: one.deployment.name == other.deployment.name)
        assert rig.redis.get(KEY) == one.deployment.identity


async def test_gateways_agree_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway reads the identity with each sign of life, so it learns of a change."""
    monkeypatch.setattr("fast_priority.broker.producer.heartbeat._SECONDS", 0.01)
    async with Submitter(Settings.load()) as one:
        await until("it is there", lambda: bool(rig.redis.exists(KEY)))
        rig.redis.set(KEY, b"0123456789abcdef")
        await until("it follows", lambda: one.deployment.identity == b"0123456789abcdef")
