"""What must hold after each step, whatever has happened, and what is left at the end."""

import time

from fast_priority.broker import keys
from fast_priority.scheduling.priority import Priority
from tests.integration.broker_misfortunes import Misfortunes
from tests.integration.broker_model import MOST_CLAIMS, SLOTS, WAYS

_MAY_STAY = {keys.QUEUES, keys.SUSPENDED, keys.WORKERS, *(keys.workers_of(priority.value) for priority in Priority)}
_ENDS_WITH_ITS_REQUEST = (keys.JOB_PREFIX, keys.GATEWAY_PREFIX, keys.INBOX_PREFIX, keys.processing_list(""))
_ENDS_WITH_ALL = ("rq:queue:", "rq:wip:")


def check_queues(world: Misfortunes) -> None:
    for priority, queue in world.queues.items():
        assert world.ids_on(priority) == [asker.job_id for asker in queue], f"the {priority} queue is another"


def check_leases(world: Misfortunes) -> None:
    """Each lease is somebody's, and everybody has those that the model says."""
    leased = {held.job_id for held in [*world.held(), *world.orphans] if held.is_leased}
    found = set()
    for priority in Priority:
        for member, until in world.redis.zrange(keys.started(priority.value), 0, -1, withscores=True):
            job_id = member.decode().rpartition(":")[0]
            has_run_out = until < time.time() and not world.redis.exists(keys.job(job_id))
            found.update([] if has_run_out else [job_id])  # what has run out goes with the next renewal
    assert found == leased, "the leases are not those that somebody has"
    states = {world.redis.hget(keys.job(job_id), "status") for job_id in leased}
    assert states <= {b"started"}, f"what is leased is {states}"


def check_ends(world: Misfortunes) -> None:
    # Looked at twice: a frame that has just been moved aside is given its end a moment later.
    endless = _endless(world) & _endless(world)
    assert endless <= _MAY_STAY, f"{endless - _MAY_STAY} would stay for ever"


def _endless(world: Misfortunes) -> set[str]:
    return {key.decode() for key in world.redis.keys("*") if world.redis.ttl(key) == -1}


def check_claims(world: Misfortunes) -> None:
    for asker in world.askers:
        assert asker.claimed <= MOST_CLAIMS[asker.method], f"{asker.label!r} was claimed {asker.claimed} times"


def check_wake_ups(world: Misfortunes) -> None:
    """While work waits and somebody has a slot for it, there is a token for who sleeps, or somebody looks again."""
    free = [worker for worker in world.workers if worker.free]
    if any(world.queues.values()) and free and not any(worker.looks_again for worker in free):
        assert world.redis.exists(keys.WAKE_UP), "work waits, and nobody is woken"


def end(world: Misfortunes) -> None:
    """Let all workers finish and all gateways close, and hold Redis against an unused one."""
    try:
        _finish(world)
        _check_baseline(world)
    finally:
        world.close()


def _finish(world: Misfortunes) -> None:
    world.suspend(False)
    world.expire_orphans()
    while world.held() or any(world.queues.values()):
        for worker in world.workers:
            for way in WAYS:
                world.claim(worker, SLOTS, way)
        while world.streams():
            world.say_end(*world.streams()[0])
        while world.claims():
            world.reply(*world.claims()[0])
    for gateway in world.gateways:
        world.run(gateway.submitter.__aexit__())
    for worker in world.workers:
        world.renew(worker)  # which clears the leases that others have left
        world.redis.delete(keys.inbox(worker.name))  # as it does when it closes its mailbox
        world.close_worker(worker)
    for asker in world.askers:
        assert asker.task.done(), f"{asker.label!r} still waits"
        if asker.listens and not asker.may_fail:
            assert asker.task.exception() is None, f"{asker.label!r}: {asker.task.exception()!r}"


def _check_baseline(world: Misfortunes) -> None:
    left = {key.decode() for key in world.redis.keys("*")}
    # What was said to somebody after his death stays until it expires.
    left -= {keys.inbox(name) for name in world.killed}
    left_over = [key for key in left if key.startswith((*_ENDS_WITH_ITS_REQUEST, *_ENDS_WITH_ALL))]
    assert left_over == [], f"{left_over} are left over"
