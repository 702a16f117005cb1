"""Faults: processes die or freeze, Redis loses data, another server replaces it."""

import time
from collections.abc import Sequence

from fast_priority.broker import keys, times
from fast_priority.http.message import Reply
from tests.integration.broker.broker_model import CLAIM_KINDS, LEVELS, SLOTS, Client, Held, Worker
from tests.integration.broker.broker_work import Work, one_of


class Faults(Work):
    """Each fault returns when all gateways and workers that it concerns have noticed it."""

    def kill_worker(self, worker: Worker) -> None:
        self.orphans += [held for held in worker.has if held.is_leased]
        self.killed.append(worker.name)
        self.close_worker(worker)
        self.workers[self.workers.index(worker)] = self.new_worker()

    def expire_orphans(self) -> None:
        orphans, self.orphans = self.orphans, []
        self._expire(orphans)

    def freeze(self, worker: Worker, *, publishes: bool) -> None:
        """Freeze a worker until its leases have ended. Then it may publish its response."""
        frozen = worker.has
        self._forget_claims(worker)
        self._expire([held for held in frozen if held.is_leased])
        if publishes and worker.holds and worker.holds[0].published is None:
            self._publish_last(worker, worker.holds[0], Reply(200, [], b"late"), b"late")

    def lose_waiting(self, client: Client) -> None:
        self.redis.delete(keys.job(client.job_id))
        self.settle_lost([client])

    def seem_gone(self, gateway: int, worker: Worker, kind: str) -> None:
        """Let a gateway's sign of life expire, as when the gateway was frozen, until a worker has claimed."""
        late = one_of(self.gateways, gateway)
        self.redis.delete(keys.gateway(late.submitter.gateway_id))
        late.seems_gone = True
        self.claim(worker, 1, kind)
        late.seems_gone = False
        self.show_life()

    def hang(self, gateway: int, worker: Worker, kind: str) -> None:
        """Let signs of life expire while Redis hangs. A worker renews and claims before the next ones."""
        late = one_of(self.gateways, gateway)
        self.redis.delete(keys.gateway(late.submitter.gateway_id))
        late.seems_gone, self.redis_has_run = True, False
        self.renew(worker)
        self.claim(worker, SLOTS, kind)
        late.seems_gone, self.redis_has_run = False, True
        self.show_life()
        self.redis.lpush(keys.WAKE_UP, "1")  # as a gateway does with a sign of life that was missing
        self.redis.expire(keys.WAKE_UP, times.WAKE_UP_TTL_SECONDS)

    def change_server(self, those: Sequence[Client], worker: Worker, kind: str) -> None:
        """Mark these requests as queued by another server. A worker claims before their gateways look."""
        with self.another_server(), self.redis.pipeline() as pipeline:
            for client in those:
                client.is_of_another_server = True
                pipeline.hset(keys.job(client.job_id), "server", "another")
            pipeline.execute()
            self.claim(worker, 1, kind)
        self.settle_lost(those)

    def lose_everything(self, *, publishes: bool) -> None:
        """Let Redis come back empty. Workers restore their leases, one of them perhaps after its response."""
        held = [held for worker in self.workers for held in worker.holds]
        kept = {one.client for one in held if one.is_waited_for}
        lost = [client for client in self.asking() if client not in kept]
        with self.another_server():
            self.redis.flushall()
            self.suspended, self.orphans, self.redis_has_run = False, [], False
            for queue in self.queues.values():
                queue.clear()
            for one in held:
                one.is_leased = one.is_cancelled = False
            if publishes and self.claims():
                self.reply(*self.claims()[0])
            for worker in self.workers:
                worker.unanswered = {kind: [] for kind in CLAIM_KINDS}
                self.renew(worker)
            self.show_life()
            self.redis_has_run = True
        self.settle_lost(lost)

    def stand_twice(self, worker: Worker) -> None:
        """Put the id that a worker claims first on its queue twice, as rq's tools may leave it."""
        first = next(queue[0] for queue in map(self.queues.__getitem__, LEVELS) if queue)
        self.redis.lpush(keys.queue(first.priority), first.job_id)
        self.claim(worker, SLOTS, "turn")

    def kill_gateway(self, gateway: int) -> None:
        dead = one_of(self.gateways, gateway)
        self.cut_off(dead)
        name = dead.submitter.gateway_id
        self.killed.append(name)
        self.redis.delete(keys.gateway(name), keys.inbox(name), keys.processing_list(name))  # as when they have expired
        self.gateways[self.gateways.index(dead)] = self.new_gateway()

    def suspend(self, suspended: bool) -> None:
        self.suspended = suspended
        if suspended:
            self.redis.set(keys.SUSPENDED, 1)
        else:
            self.redis.delete(keys.SUSPENDED)

    def _forget_claims(self, worker: Worker) -> None:
        self.redis.delete(*(keys.last_claim(worker.name, kind) for kind in CLAIM_KINDS))
        worker.unanswered = {kind: [] for kind in CLAIM_KINDS}

    def _expire(self, leased: Sequence[Held]) -> None:
        """Let these leases end in one moment, and wait for the decisions of their gateways."""
        with self.redis.pipeline() as pipeline:
            for held in leased:
                registry = keys.started(held.client.priority.value)
                for member, _ in self.redis.zscan_iter(registry, f"{held.job_id}:*"):
                    pipeline.zadd(registry, {member: time.time() - 1}, xx=True)
                pipeline.delete(keys.job(held.job_id))
                held.is_leased = False
            pipeline.execute()
        awaited = [held for held in leased if held.is_waited_for]
        self.settle_lost([held.client for held in awaited])
        marks = [keys.cancelled(held.job_id) for held in awaited]
        self.until("they are marked as cancelled", lambda: self.redis.exists(*marks) == len(marks) if marks else True)
        for held in awaited:
            held.is_cancelled = True
