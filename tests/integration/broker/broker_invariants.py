"""The conditions that hold after each step, and what is left at the end."""

import time

from fast_priority.broker import keys
from tests.integration.broker.broker_faults import Faults
from tests.integration.broker.broker_model import CLAIM_KINDS, LEVELS, MOST_CLAIMS, SLOTS

_MAY_STAY = {
    keys.QUEUES,
    keys.SUSPENDED,
    keys.WORKERS,
    *(keys.workers_of(priority.value) for priority in LEVELS),
}
_ENDS_WITH_ITS_REQUEST = (keys.JOB_PREFIX, keys.GATEWAY_PREFIX, keys.INBOX_PREFIX, keys.processing_list(""))
_ENDS_WITH_ALL = ("rq:queue:", "rq:wip:")
_MOST_LOOKS = 10


def check_queues(world: Faults) -> None:
    for priority, queue in world.queues.items():
        assert world.ids_on(priority) == [client.job_id for client in queue], (
            f"the {priority} queue differs from the model"
        )


def check_leases(world: Faults) -> None:
    """Each lease has a holder, and all holders have the leases that the model has."""
    leased = {held.job_id for held in [*world.held(), *world.orphans] if held.is_leased}
    found = set()
    for priority in LEVELS:
        for member, until in world.redis.zrange(keys.started(priority.value), 0, -1, withscores=True):
            job_id = member.decode().rpartition(":")[0]
            has_run_out = until < time.time() and not world.redis.exists(keys.job(job_id))
            found.update([] if has_run_out else [job_id])  # the next renewal removes an ended lease
    assert found == leased, "the leases differ from the model"
    states = {world.redis.hget(keys.job(job_id), "status") for job_id in leased}
    assert states <= {b"started"}, f"leased jobs have the states {states}"


def check_ttls(world: Faults) -> None:
    """No key stays for ever; a processing list gets its TTL a moment after its frames, so there are several looks."""
    left = _without_ttl(world)
    for _ in range(_MOST_LOOKS):
        if not left:
            return
        left &= _without_ttl(world)
    assert not left, f"{left} would stay for ever"


def _without_ttl(world: Faults) -> set[str]:
    """Return the keys without a TTL, except those that may stay, in two calls of Redis."""
    names = world.redis.keys("*")
    with world.redis.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.ttl(name)
        ttls = pipeline.execute()
    return {name.decode() for name, ttl in zip(names, ttls, strict=True) if ttl == -1} - _MAY_STAY


def check_claims(world: Faults) -> None:
    for client in world.clients:
        assert client.claimed <= MOST_CLAIMS[client.method], f"{client.label!r} was claimed {client.claimed} times"


def check_wake_ups(world: Faults) -> None:
    """While work waits and a worker has a free slot, there is a wake-up token, or a worker will claim again."""
    free = [worker for worker in world.workers if worker.free]
    if any(world.queues.values()) and free and not any(worker.looks_again for worker in free):
        assert world.redis.exists(keys.WAKE_UP), "work waits, and no worker is woken"


def end(world: Faults) -> None:
    """Let all workers finish and all gateways close, and compare Redis with an unused one."""
    try:
        _finish(world)
        _check_baseline(world)
    finally:
        world.close()


def _finish(world: Faults) -> None:
    world.suspend(False)
    world.expire_orphans()
    while world.held() or any(world.queues.values()):
        for worker in world.workers:
            for kind in CLAIM_KINDS:
                world.claim(worker, SLOTS, kind)
        while world.streams():
            world.publish_end(*world.streams()[0])
        while world.claims():
            world.reply(*world.claims()[0])
    for gateway in world.gateways:
        world.run(gateway.submitter.__aexit__())
    for worker in world.workers:
        world.renew(worker)  # this removes the leases that other workers have left
        world.redis.delete(keys.inbox(worker.name))  # as it does when it closes its mailbox
        world.close_worker(worker)
    for client in world.clients:
        assert client.task.done(), f"{client.label!r} still waits"
        if client.waits and not client.may_fail:
            assert client.task.exception() is None, f"{client.label!r}: {client.task.exception()!r}"


def _check_baseline(world: Faults) -> None:
    left = {key.decode() for key in world.redis.keys("*")}
    # Frames for a process that is dead stay until they expire.
    left -= {keys.inbox(name) for name in world.killed}
    left_over = [key for key in left if key.startswith((*_ENDS_WITH_ITS_REQUEST, *_ENDS_WITH_ALL))]
    assert left_over == [], f"{left_over} are left over"
