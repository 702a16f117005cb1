"""The sign of life of a gateway: what it leaves in Redis, and for how long the gateway may rely on it."""

import time
from typing import Any

import pytest
from fakeredis import FakeAsyncRedis

from fast_priority.broker import keys, times
from fast_priority.broker.connection import RedisHealth, send_together
from fast_priority.broker.levels_in_force import LevelsInForce
from fast_priority.broker.producer import heartbeat
from fast_priority.broker.producer.heartbeat import Heartbeat
from fast_priority.http.via import Deployment
from fast_priority.protocol.wire_version import WIRE_VERSION
from fast_priority.settings import Settings
from tests.unit.broker_rig import Rig

KEY = keys.gateway("gateway")


@pytest.fixture
def beating(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Heartbeat:
    """A gateway that beats only when the test lets it."""
    monkeypatch.setattr(heartbeat, "_SECONDS", 0)
    return Heartbeat(
        FakeAsyncRedis(server=rig.server), "gateway", RedisHealth(), Deployment(), LevelsInForce.of(Settings.load())
    )


async def test_a_beat(rig: Rig, beating: Heartbeat) -> None:
    """The sign of life has the wire version, and ends without another beat."""
    await beating.beat_once()
    assert rig.redis.get(KEY) == str(WIRE_VERSION).encode()
    assert 0 < rig.redis.pttl(KEY) <= times.GATEWAY_TTL_MILLISECONDS


async def test_the_next_beat(rig: Rig, beating: Heartbeat) -> None:
    """A beat makes the sign of life last for its whole time again."""
    await beating.beat_once()
    rig.redis.pexpire(KEY, 50)
    await beating.beat_once()
    assert rig.redis.pttl(KEY) > 50


async def test_a_worker_is_woken(rig: Rig, beating: Heartbeat) -> None:
    """A sign of life that was missing wakes an idle worker, which may have passed over requests; the first one not."""
    await beating.beat_once()
    assert rig.tokens() == 0
    rig.redis.delete(KEY)
    await beating.beat_once()
    assert (rig.redis.exists(KEY), rig.tokens()) == (1, 1)
    assert 0 < rig.redis.ttl(keys.WAKE_UP) <= times.WAKE_UP_TTL_SECONDS


async def test_it_counts_from_when_it_was_sent(beating: Heartbeat, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of a sign of life counts from before it was sent, so it is never taken for longer than it is."""
    sent_at = []

    async def noting(*arguments: Any) -> list[Any]:
        sent_at.append(time.monotonic())
        return await send_together(*arguments)

    monkeypatch.setattr(heartbeat, "send_together", noting)
    await beating.beat_once()
    assert beating.last_sign.monotonic <= sent_at[0]


async def test_it_lasts_no_longer(beating: Heartbeat, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway relies on its sign of life for as long as Redis keeps it, and not longer."""
    await beating.beat_once()
    assert beating.has_lasted
    monkeypatch.setattr(times, "GATEWAY_TTL_SECONDS", 0.0)
    assert not beating.has_lasted
