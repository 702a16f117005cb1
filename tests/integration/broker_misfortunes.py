"""What can go wrong: processes die or freeze, Redis forgets, another server takes its place."""

import time
from collections.abc import Sequence

from fast_priority.broker import keys
from fast_priority.http.message import Reply
from fast_priority.scheduling.priority import Priority
from tests.integration.broker_model import SLOTS, WAYS, Asker, Held, Worker
from tests.integration.broker_work import Work, one_of


class Misfortunes(Work):
    """After each of them everybody has learnt what there is to learn, and nobody more than that."""

    def kill_worker(self, worker: Worker) -> None:
        self.orphans += [held for held in worker.has if held.is_leased]
        self.killed.append(worker.name)
        self.close_worker(worker)
        self.workers[self.workers.index(worker)] = self.new_worker()

    def expire_orphans(self) -> None:
        orphans, self.orphans = self.orphans, []
        self._expire(orphans)

    def freeze(self, worker: Worker, *, speaks: bool) -> None:
        """Let it do nothing until its leases have run out; then it may say what it had to say."""
        frozen = worker.has
        self._forget_claims(worker)
        self._expire([held for held in frozen if held.is_leased])
        if speaks and worker.holds and worker.holds[0].said is None:
            self._say_last(worker, worker.holds[0], Reply(200, [], b"late"), b"late")

    def lose_waiting(self, asker: Asker) -> None:
        self.redis.delete(keys.job(asker.job_id))
        self.settle_lost([asker])

    def seem_gone(self, gateway: int, worker: Worker, way: str) -> None:
        """Let a gateway's sign of life run out, as when Redis was held up, until a worker has claimed."""
        late = one_of(self.gateways, gateway)
        self.redis.delete(keys.gateway(late.submitter.gateway_id))
        late.seems_gone = True
        self.claim(worker, 1, way)
        late.seems_gone = False
        self.show_life()

    def change_server(self, those: Sequence[Asker], worker: Worker, way: str) -> None:
        """Let another server have taken these; a worker looks before their gateways do."""
        with self.a_server_that_nobody_knows(), self.redis.pipeline() as pipeline:
            for asker in those:
                asker.is_of_another_server = True
                pipeline.hset(keys.job(asker.job_id), "server", "another")
            pipeline.execute()
            self.claim(worker, 1, way)
        self.settle_lost(those)

    def lose_everything(self, *, speaks: bool) -> None:
        """Let Redis come back empty; workers take out anew what they have, one of them perhaps after its answer."""
        held = [held for worker in self.workers for held in worker.holds]
        kept = {one.asker for one in held if one.is_awaited}
        lost = [asker for asker in self.asking() if asker not in kept]
        with self.a_server_that_nobody_knows():
            self.redis.flushall()
            self.suspended, self.orphans = False, []
            for queue in self.queues.values():
                queue.clear()
            for one in held:
                one.is_leased = one.is_marked = False
            if speaks and self.claims():
                self.reply(*self.claims()[0])
            for worker in self.workers:
                worker.unheard = {way: [] for way in WAYS}
                self.renew(worker, gateways_may_be_late=True)
            self.show_life()
        self.settle_lost(lost)

    def stand_twice(self, worker: Worker) -> None:
        """Let the id of what a worker takes first stand on its queue twice, as rq's tools may leave it."""
        first = (self.queues[Priority.HIGH] or self.queues[Priority.LOW])[0]
        self.redis.lpush(keys.queue(first.priority), first.job_id)
        self.claim(worker, SLOTS, "turn")

    def kill_gateway(self, gateway: int) -> None:
        dead = one_of(self.gateways, gateway)
        self.cut_off(dead)
        name = dead.submitter.gateway_id
        self.killed.append(name)
        self.redis.delete(
            keys.gateway(name), keys.inbox(name), keys.processing_list(name)
        )  # as when its time has run out
        self.gateways[self.gateways.index(dead)] = self.new_gateway()

    def suspend(self, suspended: bool) -> None:
        self.suspended = suspended
        if suspended:
            self.redis.set(keys.SUSPENDED, 1)
        else:
            self.redis.delete(keys.SUSPENDED)

    def _forget_claims(self, worker: Worker) -> None:
        self.redis.delete(*(keys.last_claim(worker.name, way) for way in WAYS))
        worker.unheard = {way: [] for way in WAYS}

    def _expire(self, leased: Sequence[Held]) -> None:
        """Let these leases run out in one moment, and their gateways decide."""
        with self.redis.pipeline() as pipeline:
            for held in leased:
                registry = keys.started(held.asker.priority.value)
                for member, _ in self.redis.zscan_iter(registry, f"{held.job_id}:*"):
                    pipeline.zadd(registry, {member: time.time() - 1}, xx=True)
                pipeline.delete(keys.job(held.job_id))
                held.is_leased = False
            pipeline.execute()
        awaited = [held for held in leased if held.is_awaited]
        self.settle_lost([held.asker for held in awaited])
        for held in awaited:
            self.until("it is marked as over", lambda held=held: bool(self.redis.exists(keys.cancelled(held.job_id))))  # type: ignore[misc]
            held.is_marked = True
