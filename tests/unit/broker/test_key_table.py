"""A used Redis against the key table: it has no key that the table does not name, and every key expires."""

import re

from fast_priority.broker.consumer import Consumer, Leases, OutgoingPart, RqConnection
from fast_priority.broker.keys import KEY_TABLE, KeyRow
from fast_priority.broker.mailbox import Mailbox
from fast_priority.broker.producer import Submitter
from fast_priority.scheduling.priority import DEFAULT_LEVELS, Priority
from fast_priority.settings import Settings
from tests.unit.broker_rig import HELLO, Rig, until

REGISTERS = {"rq:queues", "rq:workers", "rq:workers:<queue>"}
"""rq's registers: small sets of names, which rq itself keeps without a TTL."""


def row_of(key: str) -> KeyRow | None:
    rows = [row for row in KEY_TABLE if re.fullmatch(re.sub(r"<\w+>", "[^:]+", row.pattern), key)]
    assert len(rows) <= 1, f"{key} fits several rows"
    return rows[0] if rows else None


def used(rig: Rig) -> dict[str, str]:
    return {key: rig.redis.type(key).decode() for key in rig.all_keys()}


async def use_everything(rig: Rig, claimer: Consumer, leases: Leases) -> None:
    """Leave a request in each state: queued, started, refused, answered and not read."""
    async with Submitter(Settings.load()) as submitter:
        for priority in (*DEFAULT_LEVELS, *DEFAULT_LEVELS, Priority.LOW):
            await rig.queue(submitter, priority)
        result = await claimer.publish_and_claim([], 4)
        answered, refused, *started = result.claims
        gone = "a gateway that stopped reading"
        rig.redis.set(f"rq:fast-priority:gateway:{gone}", "1", ex=15)
        await claimer.publish_and_claim([OutgoingPart(answered._replace(gateway_id=gone), HELLO)], 0)
        RqConnection(rig.redis).refuse(refused, "not ours")
        await leases.renew({"birth": "now"}, started)
        await claimer.stop_waiting()
        await stop_while_reading(rig)
        cancelled = await rig.queue(submitter, Priority.LOW)
        await rig.queue(submitter, Priority.LOW)
        rig.redis.delete(f"rq:job:{rig.ids(Priority.LOW)[-2]}")
        cancelled.cancel()
        await until("it is marked as cancelled", lambda: bool(rig.all_keys("rq:fast-priority:over:*")))


async def stop_while_reading(rig: Rig) -> None:
    mailbox = Mailbox("stopped", {}, lambda _: None)
    rig.redis.rpush("rq:fast-priority:inbox:stopped", "a frame")
    rig.redis.expire("rq:fast-priority:inbox:stopped", 60)
    await mailbox.read_once()


async def test_every_key_is_in_the_table(rig: Rig, claimer: Consumer, leases: Leases) -> None:
    """Every key in a used Redis has a row in the table, with the right type."""
    await use_everything(rig, claimer, leases)
    for key, kind in used(rig).items():
        row = row_of(key)
        assert row is not None, f"{key} is in no row of the key table"
        assert row.kind == kind


async def test_every_row_is_used(rig: Rig, claimer: Consumer, leases: Leases) -> None:
    """Every row of the table stands for a key in Redis, except the channel, which is not stored."""
    await use_everything(rig, claimer, leases)
    for priority in DEFAULT_LEVELS:
        rig.redis.rpush(f"rq:queue:{priority}", "keeps the queue from being empty")
    seen = {row.pattern for row in map(row_of, used(rig)) if row is not None}
    stored = {row.pattern for row in KEY_TABLE if row.kind != "channel"}
    assert seen == stored


async def test_every_key_expires(rig: Rig, claimer: Consumer, leases: Leases) -> None:
    """Every key in a used Redis expires, except rq's registers."""
    await use_everything(rig, claimer, leases)
    for_ever = {key for key in used(rig) if rig.redis.ttl(key) == -1}
    assert {row.pattern for row in map(row_of, for_ever) if row is not None} <= REGISTERS


async def test_registers_are_small(rig: Rig, claimer: Consumer, leases: Leases) -> None:
    """rq's registers hold two queues and the workers, however many requests came."""
    await use_everything(rig, claimer, leases)
    await use_everything(rig, claimer, leases)
    sizes = {key: rig.redis.scard(key) for key, kind in used(rig).items() if kind == "set"}
    assert sizes == {"rq:queues": 2, "rq:workers": 1, "rq:workers:high": 1, "rq:workers:low": 1}
