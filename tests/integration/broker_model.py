"""Gateways and workers on a real Redis, and beside them what a plain model says of it: who waits, who has what."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from unittest import mock

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import ConnectionError as RedisConnectionError

from fast_priority.broker import connecting, keys, scripts
from fast_priority.broker.claiming import Claim, Claimer, Saying, Turn
from fast_priority.broker.jobs import payload_of
from fast_priority.broker.streaming import Stream
from fast_priority.broker.submitting import Submitter
from fast_priority.errors import QueueFull, RequestLost
from fast_priority.message import Chunk, End, Head, Reply
from fast_priority.priority import Priority
from fast_priority.settings import Settings
from fast_priority.tasks import end_all

METHODS = ("GET", "POST")
SLOTS = 3
MOST_CLAIMS = {"GET": 2, "POST": 1}
_GATEWAYS = _WORKERS = 2
_MOST_QUEUED = 4
_PATIENCE_SECONDS = 15
_POLL_SECONDS = 0.03  # ten looks are longer than the pause after a failed read
_MAY_STAY = {keys.QUEUES, keys.SUSPENDED, keys.WORKERS, *(keys.workers_of(priority.value) for priority in Priority)}

Result = TypeVar("Result")


@dataclass(eq=False)
class Gateway:
    submitter: Submitter
    connections: list[AsyncRedis]
    lives: bool = True


@dataclass(eq=False)
class Asker:
    """Somebody who waits for an answer; the payload of the request is its label, and so has to be its answer."""

    label: bytes
    method: str
    priority: Priority
    gateway: Gateway
    task: "asyncio.Task[bytes]" = field(init=False)
    claimed: int = 0
    has_left: bool = False
    may_fail: bool = False
    """As far as the model knows, it is to fail."""
    read: list[bytes] | None = None
    """What has come of a response that is under way."""

    @property
    def listens(self) -> bool:
        return self.gateway.lives and not self.has_left


@dataclass(eq=False)
class Held:
    """A claim in a worker's hands."""

    asker: Asker
    claim: Claim
    is_lost: bool = False
    said: list[bytes] | None = None


@dataclass(eq=False)
class Worker:
    name: str
    claimer: Claimer
    holds: list[Held] = field(default_factory=list)
    unheard: list[Asker] = field(default_factory=list)
    """What it has claimed without hearing of it."""

    @property
    def free(self) -> int:
        return SLOTS - len(self.holds) - len(self.unheard)


class World:
    """All of it. Whatever a method does, it returns when all whom it concerns have heard of it."""

    def __init__(self, redis_port: int) -> None:
        self.redis: Any = Redis(port=redis_port)
        self.redis.flushall()
        self._loop = asyncio.new_event_loop()
        chosen = {"redis_port": redis_port, "max_queued_high": _MOST_QUEUED, "max_queued_low": _MOST_QUEUED}
        self._settings = Settings.load().model_copy(
            update={**chosen, "redis_host": "127.0.0.1", "poll_interval": _POLL_SECONDS}
        )
        self._queues: dict[Priority, list[Asker]] = {priority: [] for priority in Priority}
        self._askers: list[Asker] = []
        self.suspended = False
        self._worker_number = 0
        self._connections: list[AsyncRedis] = []
        self._killed: list[str] = []
        self.orphans: list[Asker] = []
        """Requests whose worker is dead, while their leases last."""
        self._gateways = [self._new_gateway() for _ in range(_GATEWAYS)]
        self._workers = [self._new_worker() for _ in range(_WORKERS)]

    # What there is to choose from.

    def waiting(self) -> list[Asker]:
        return [asker for queue in self._queues.values() for asker in queue if asker.gateway.lives]

    def asking(self) -> list[Asker]:
        return [asker for asker in self._askers if asker.listens and not asker.task.done()]

    def may_claim(self) -> bool:
        return any(worker.free or worker.unheard for worker in self._workers) and any(self._queues.values())

    def busy(self) -> list[Worker]:
        return [worker for worker in self._workers if worker.holds or worker.unheard]

    def claims(self) -> list[tuple[Worker, Held]]:
        return [(worker, held) for worker in self._workers for held in worker.holds if held.said is None]

    def streams(self) -> list[tuple[Worker, Held]]:
        return [(worker, held) for worker in self._workers for held in worker.holds if held.said is not None]

    # What happens.

    def submit(self, gateway: int, method: str, priority: Priority) -> None:
        asker = Asker(b"request %d" % len(self._askers), method, priority, self._gateways[gateway % _GATEWAYS])
        queue = self._queues[priority]
        asker.task = self._loop.create_task(self._ask(asker))
        self._askers.append(asker)
        if len(queue) == _MOST_QUEUED:
            self._fails_with(asker, QueueFull)
        else:
            queue.append(asker)
            self._until("the request is on its queue", self._queues_fit)

    def claim(self, worker: int, slots: int) -> None:
        claiming = self._workers[worker % _WORKERS]
        free = min(slots, SLOTS - len(claiming.holds)) if claiming.unheard else min(slots, claiming.free)
        if free < 1:
            return
        expected = claiming.unheard or self._taken(free)
        turn = self._turn(claiming, [], free)
        assert [payload_of(claim.data, 1024) for claim in turn.claims] == [asker.label for asker in expected]
        claiming.holds += [Held(asker, claim) for asker, claim in zip(expected, turn.claims, strict=True)]
        claiming.unheard = []

    def claim_unheard(self, worker: int, slots: int) -> None:
        claiming = self._workers[worker % _WORKERS]
        free = min(slots, claiming.free)
        if free < 1 and not claiming.unheard:
            return
        run_together = scripts.run_together

        async def lose_the_answer(*arguments: Any) -> list[Any]:
            await run_together(*arguments)
            raise RedisConnectionError("the answer was lost")

        expected = claiming.unheard or self._taken(free)
        with mock.patch.object(scripts, "run_together", lose_the_answer), contextlib.suppress(RedisConnectionError):
            self._turn(claiming, [], max(free, 1))
        claiming.unheard = expected

    def renew(self, worker: int) -> None:
        renewing = _one_of(self.busy() or self._workers, worker)
        lost = self._run(renewing.claimer.show_life({"slots": SLOTS}, [held.claim for held in renewing.holds]))
        expected = [held for held in renewing.holds if held.is_lost or not held.asker.gateway.lives]
        assert lost == [held.claim for held in expected]
        renewing.holds = [held for held in renewing.holds if held not in expected]

    def reply(self, which: int) -> None:
        worker, held = _one_of(self.claims(), which)
        self._say_last(worker, held, Reply(200, [], held.asker.label), held.asker.label)

    def say_head(self, which: int) -> None:
        worker, held = _one_of(self.claims(), which)
        saying = Saying(held.claim, Head(200, [], worker.name), is_last=False)
        turn = self._turn(worker, [saying], 0)
        if held.is_lost or not held.asker.gateway.lives:
            assert turn.dropped == [saying]
            self._give_up(worker, held)
            return
        assert turn.dropped == []
        held.said = []
        if held.asker.listens:
            self._until("the response has begun", lambda: held.asker.read is not None)

    def say_chunk(self, which: int, *, again: bool) -> None:
        worker, held = _one_of(self.streams(), which)
        assert held.said is not None
        said = held.said
        chunk = Chunk(len(said), memoryview(b"%s, piece %d\n" % (held.asker.label, len(said))))
        said.append(bytes(chunk.data))
        for _ in range(1 + again):
            self._turn(worker, [Saying(held.claim, chunk, is_last=False)], 0)
        if held.asker.listens and not held.is_lost:
            self._until("the client has the chunk, once", lambda: held.asker.read == said)

    def say_end(self, which: int) -> None:
        worker, held = _one_of(self.streams(), which)
        assert held.said is not None
        self._say_last(worker, held, End(len(held.said)), b"".join(held.said))

    def leave(self, which: int) -> None:
        asker = _one_of(self.asking(), which)
        asker.has_left = True
        asker.task.cancel()
        if asker in self._queues[asker.priority]:
            self._queues[asker.priority].remove(asker)
            self._until("the request is off its queue", self._queues_fit)
        elif job := self._job_of(asker):
            inbox = keys.inbox(self.redis.hget(job, "worker_name").decode())
            self._until("its worker is told", lambda: bool(self.redis.exists(inbox)))
            self.redis.delete(inbox)  # as a worker reads it

    def kill_worker(self, worker: int) -> None:
        dead = _one_of(self.busy(), worker)
        self.orphans += [held.asker for held in dead.holds] + dead.unheard
        self._run(dead.claimer.close())
        self._workers[self._workers.index(dead)] = self._new_worker()

    def expire_orphans(self) -> None:
        for asker in self.orphans:
            self._expire(asker)
        orphans, self.orphans = self.orphans, []
        for asker in orphans:
            self._lost(asker)

    def freeze(self, worker: int, *, speaks: bool) -> None:
        frozen = _one_of(self.busy(), worker)
        for asker in [*(held.asker for held in frozen.holds), *frozen.unheard]:
            self._expire(asker)
        self.redis.delete(keys.last_claim(frozen.name))
        for held in frozen.holds:
            held.is_lost = True
        unheard, frozen.unheard = frozen.unheard, []
        for asker in [*(held.asker for held in frozen.holds), *unheard]:
            self._lost(asker)
        if speaks and frozen.holds and frozen.holds[0].said is None:
            self._say_last(frozen, frozen.holds[0], Reply(200, [], b"late"), b"late")

    def lose_waiting(self, which: int) -> None:
        asker = _one_of(self.waiting(), which)
        self.redis.delete(self._job_of(asker))
        self._queues[asker.priority].remove(asker)
        self._lost(asker)
        self._until("its id is off the queue", self._queues_fit)

    def kill_gateway(self, gateway: int) -> None:
        dead = self._gateways[gateway % _GATEWAYS]
        self._run(_cut_off(dead.connections))
        dead.lives = False
        self._killed.append(dead.submitter.gateway_id)
        for asker in self._askers:
            if asker.gateway is dead:
                asker.task.cancel()
        self._run(dead.submitter.__aexit__())
        # As when its time has run out.
        self.redis.delete(keys.gateway(dead.submitter.gateway_id), keys.inbox(dead.submitter.gateway_id))
        self._gateways[gateway % _GATEWAYS] = self._new_gateway()

    def suspend(self, suspended: bool) -> None:
        self.suspended = suspended
        if suspended:
            self.redis.set(keys.SUSPENDED, 1)
        else:
            self.redis.delete(keys.SUSPENDED)

    # What is expected of a request that has lost its job, with the worker that had it or without any: the one place
    # that knows whether it is queued again.

    def _lost(self, asker: Asker) -> None:
        if asker.listens:
            self._fails_with(asker, RequestLost)

    # What must hold after each step.

    def check_queues(self) -> None:
        assert self._queues_fit()

    def check_leases(self) -> None:
        held = {held.asker.label for worker in self._workers for held in worker.holds if not held.is_lost}
        unheard = {asker.label for worker in self._workers for asker in worker.unheard}
        known = held | unheard | {asker.label for asker in self.orphans}
        for priority in Priority:
            for member in self.redis.zrange(keys.started(priority.value), 0, -1):
                label = self._label_in(keys.job(member.decode().rpartition(":")[0]))
                assert label is None or label in known, f"nobody has the lease of {label!r}"

    def check_ends(self) -> None:
        endless = {key.decode() for key in self.redis.keys("*") if self.redis.ttl(key) == -1}
        assert endless <= _MAY_STAY

    def check_claims(self) -> None:
        for asker in self._askers:
            assert asker.claimed <= MOST_CLAIMS[asker.method], f"{asker.label!r} was claimed {asker.claimed} times"

    # The end.

    def end(self) -> None:
        """Let all workers finish and all gateways close, and hold Redis against an unused one."""
        try:
            self._finish()
            self._check_baseline()
        finally:
            self._run(end_all(asyncio.all_tasks(self._loop)))
            self._run(_disconnect(self._connections))
            self._loop.close()
            self.redis.flushall()
            self.redis.close()

    def _finish(self) -> None:
        self.suspend(False)
        self.expire_orphans()
        while self.claims() or self.streams() or any(self._queues.values()) or any(w.unheard for w in self._workers):
            for number in range(_WORKERS):
                self.claim(number, SLOTS)
            while self.streams():
                self.say_end(0)
            while self.claims():
                self.reply(0)
        for gateway in self._gateways:
            self._run(gateway.submitter.__aexit__())
        for worker in self._workers:
            self.renew(0)  # which clears the leases that others have left
            self._run(worker.claimer.close())
        for asker in self._askers:
            assert asker.task.done(), f"{asker.label!r} still waits"
            if asker.listens and not asker.may_fail:
                assert asker.task.exception() is None, f"{asker.label!r}: {asker.task.exception()!r}"

    def _check_baseline(self) -> None:
        ended = (keys.JOB_PREFIX, keys.GATEWAY_PREFIX, f"{keys.OURS}:inbox", "rq:queue:", "rq:wip")
        left = {key.decode() for key in self.redis.keys("*")}
        # Chunks are pushed unseen: what was said to a gateway after its death stays until it expires.
        left -= {keys.inbox(dead) for dead in self._killed}
        assert [key for key in left if key.startswith(ended)] == []

    # How.

    async def _ask(self, asker: Asker) -> bytes:
        outcome = await asker.gateway.submitter.ask(asker.priority, asker.label, f"{asker.method} /somewhere")
        if isinstance(outcome, Reply):
            return outcome.body
        assert isinstance(outcome, Stream)
        with contextlib.closing(outcome):
            asker.read = []
            async for chunk in outcome.chunks():
                asker.read.append(bytes(chunk))
        return b"".join(asker.read)

    def _say_last(self, worker: Worker, held: Held, part: Reply | End, body: bytes) -> None:
        saying = Saying(held.claim, part)
        turn = self._turn(worker, [saying], 0)
        worker.holds.remove(held)
        is_heard = held.asker.gateway.lives and not held.is_lost
        assert turn.dropped == ([] if is_heard else [saying])
        if is_heard and held.asker.listens:
            self._until("the request is answered", held.asker.task.done)
            assert held.asker.task.result() == body

    def _give_up(self, worker: Worker, held: Held) -> None:
        worker.holds.remove(held)
        if not held.is_lost:
            self.orphans.append(held.asker)  # until the lease runs out, which is renewed no more

    def _taken(self, free: int) -> list[Asker]:
        """Take from the queues what a claim for so many slots has to give."""
        taken: list[Asker] = []
        for queue in (self._queues[Priority.HIGH], self._queues[Priority.LOW]):
            while queue and len(taken) < free and not self.suspended:
                asker = queue.pop(0)
                if asker.gateway.lives:
                    asker.claimed += 1
                    taken.append(asker)
        return taken

    def _turn(self, worker: Worker, sayings: Sequence[Saying], free: int) -> Turn:
        return self._run(worker.claimer.take_turn(sayings, free))

    def _expire(self, asker: Asker) -> None:
        job = self._job_of(asker)
        if job is not None:
            self.redis.delete(job)
            member = job.removeprefix(keys.JOB_PREFIX)
            for found, _ in self.redis.zscan_iter(keys.started(asker.priority.value), f"{member}:*"):
                self.redis.zadd(keys.started(asker.priority.value), {found: time.time() - 1}, xx=True)

    def _job_of(self, asker: Asker) -> str | None:
        names = (key.decode() for key in self.redis.keys(f"{keys.JOB_PREFIX}*"))
        return next((name for name in names if self._label_in(name) == asker.label), None)

    def _label_in(self, job: str) -> bytes | None:
        data = self.redis.hget(job, "data")
        return None if data is None else payload_of(data, 1024)

    def _queues_fit(self) -> bool:
        return all(self.redis.llen(keys.queue(priority)) == len(self._queues[priority]) for priority in Priority)

    def _fails_with(self, asker: Asker, error: type[Exception]) -> None:
        asker.may_fail = True
        self._until(f"{asker.label!r} fails", asker.task.done)
        assert isinstance(asker.task.exception(), error)

    def _new_gateway(self) -> Gateway:
        made: list[AsyncRedis] = []
        connect = connecting.connect

        def remembering(*arguments: Any) -> AsyncRedis:
            made.append(connect(*arguments))
            return made[-1]

        with mock.patch.object(connecting, "connect", remembering):
            submitter = Submitter(self._settings)
        self._connections += made
        self._run(submitter.__aenter__())
        return Gateway(submitter, made)

    def _new_worker(self) -> Worker:
        self._worker_number += 1
        name = f"worker-{self._worker_number}"
        return Worker(name, Claimer(connecting.redis_options(self._settings), name))

    def _until(self, what: str, condition: Callable[[], bool]) -> None:
        async def wait() -> None:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while not condition():
                    await asyncio.sleep(0.001)

        try:
            self._run(wait())
        except TimeoutError:
            raise AssertionError(f"waited in vain until {what}") from None

    def _run(self, doing: Coroutine[Any, Any, Result]) -> Result:
        return self._loop.run_until_complete(doing)


def _one_of(choices: Sequence[Result], which: int) -> Result:
    return choices[which % len(choices)]


async def _cut_off(connections: Sequence[AsyncRedis]) -> None:
    """Let nothing more get through to Redis, as when a process is killed."""

    async def no_connection(*_: Any, **__: Any) -> Any:
        raise RedisConnectionError("killed")

    for redis in connections:
        redis.connection_pool.get_connection = no_connection  # type: ignore[method-assign]
    await _disconnect(connections)


async def _disconnect(connections: Sequence[AsyncRedis]) -> None:
    for redis in connections:
        await redis.connection_pool.disconnect(inuse_connections=True)
    await asyncio.sleep(0)  # the transports close in the next turn
