"""The steps of gateways and workers without faults."""

import contextlib
from collections.abc import Sequence
from typing import Any, TypeVar
from unittest import mock

from redis.exceptions import ConnectionError as RedisConnectionError

from fast_priority.broker import keys, scripts
from fast_priority.broker.consumer import ClaimResult, OutgoingPart
from fast_priority.broker.jobs import payload_of
from fast_priority.errors import NotSent, QueueFull
from fast_priority.http.message import Reply
from fast_priority.protocol.frames import Chunk, End, Head
from fast_priority.scheduling.priority import Priority
from tests.integration.broker.broker_model import MOST_QUEUED, SLOTS, Held, Worker
from tests.integration.broker.broker_world import World
from tests.redis_run import note_run

Choice = TypeVar("Choice")


def one_of(choices: Sequence[Choice], which: int) -> Choice:
    return choices[which % len(choices)]


class Work(World):
    """Requests come, are claimed and answered, or their clients leave."""

    def submit(self, gateway: int, method: str, priority: Priority) -> None:
        queue = self.queues[priority]
        is_full = len(queue) >= MOST_QUEUED
        client = self.new_client(one_of(self.gateways, gateway), method, priority)
        if is_full:
            self.fails_with(client, QueueFull)
        else:
            queue.append(client)
            self.until("the request is on its queue", self.queues_fit)
            self.note_ids()

    def leave(self, which: int) -> None:
        client = one_of(self.asking(), which)
        client.has_left = True
        client.task.cancel()
        if client in self.queues[client.priority]:
            self.queues[client.priority].remove(client)
            self.until("the request has left its queue", self.queues_fit)
        else:
            inbox = keys.inbox(self.redis.hget(keys.job(client.job_id), "worker_name").decode())
            self.until("its worker has a frame", lambda: bool(self.redis.exists(inbox)))
            self.redis.delete(inbox)  # as a worker reads it

    def _note_run(self) -> None:
        """Let Redis know that it has run for long, or that it has not."""
        if self.redis_has_run:
            note_run(self.redis)
        else:
            self.redis.delete(keys.REDIS_RUN)

    def claim(self, worker: Worker, slots: int, kind: str, *, is_answered: bool = True) -> None:
        unanswered = worker.unanswered[kind]
        # A repeated claim returns the same requests.
        free = min(slots, SLOTS - len(worker.holds)) if unanswered else min(slots, worker.free)
        if free < 1:
            return
        self._note_run()
        claimable = None if unanswered else self.take(free, is_sent_ahead=kind == "wait")
        taken, not_sent = self.take_again(unanswered) if claimable is None else claimable[:2]
        if is_answered:
            result = self._claim_in(worker, free, kind)
            given = [payload_of(claim.data, 1024) for claim in result.claims]
            assert given == [held.client.label for held in taken], f"{given} were given by {kind}"
            if claimable is not None:
                found = (result.suspended, result.work_remains)
                assert found == (self.suspended, claimable.work_remains), f"a {kind} claim returned {found}"
            for held, claim in zip(taken, result.claims, strict=True):
                held.claim = claim
            worker.holds += taken
            worker.unanswered[kind] = []
            if claimable is not None:
                worker.looks_again = result.suspended or result.work_remains or len(taken) == free
        else:
            self._claim_without_answer(worker, free, kind)
            worker.unanswered[kind] = taken
            worker.looks_again = True
        if not_sent:
            self.settle_lost(not_sent, NotSent)

    def renew(self, worker: Worker) -> None:
        def is_over(held: Held) -> bool:
            return held.is_cancelled or (self.redis_has_run and not held.client.gateway.lives)

        self._note_run()
        over = [held for held in worker.holds if is_over(held)]
        gone = [held for held in worker.holds if held not in over and not held.is_leased]
        renewal = self._renew(worker, worker.holds)
        assert renewal.over == [held.claim for held in over], "other requests than these are over"
        assert renewal.gone == [held.claim for held in gone], "other requests than these have lost their leases"
        for held in over:
            worker.holds.remove(held)
        if gone:
            assert self._renew(worker, gone, restore=True).held == [held.claim for held in gone]
        for held in gone:
            held.is_leased = True

    def reply(self, worker: Worker, held: Held) -> None:
        self._publish_last(worker, held, Reply(200, [], held.client.label), held.client.label)

    def publish_head(self, worker: Worker, held: Held) -> None:
        outgoing = OutgoingPart(held.claim, Head(200, [], worker.name), is_last=False)
        result = self._round_trip(worker, [outgoing], 0)
        if held.is_cancelled:
            assert result.dropped == [outgoing], "a part of a cancelled request was published"
            worker.holds.remove(held)
            return
        assert result.dropped == [], "a head was dropped"
        held.published = []
        if held.is_waited_for:
            self.until("the response has begun", lambda: held.client.read is not None)

    def publish_chunk(self, worker: Worker, held: Held, *, again: bool) -> None:
        assert held.published is not None
        published = held.published
        chunk = Chunk(len(published), memoryview(b"%s, piece %d\n" % (held.client.label, len(published))))
        published.append(bytes(chunk.data))
        for _ in range(1 + again):
            self._round_trip(worker, [OutgoingPart(held.claim, chunk, is_last=False)], 0)
        if held.is_waited_for:
            self.until("the client has the chunk, once", lambda: held.client.read == published)

    def publish_end(self, worker: Worker, held: Held) -> None:
        assert held.published is not None
        self._publish_last(worker, held, End(len(held.published)), b"".join(held.published))

    def publish_as_another(self, worker: Worker, held: Held) -> None:
        """Let a worker that does not hold the request answer it."""
        outgoing = OutgoingPart(held.claim._replace(execution_id="another"), Reply(200, [], b"not yours"))
        assert self._round_trip(worker, [outgoing], 0).dropped == [outgoing], "two workers have answered"

    def _publish_last(self, worker: Worker, held: Held, part: Reply | End, body: bytes) -> None:
        is_waited_for = held.is_waited_for
        outgoing = OutgoingPart(held.claim, part)
        result = self._round_trip(worker, [outgoing], 0)
        worker.holds.remove(held)
        assert result.dropped == ([outgoing] if held.is_cancelled else []), "the wrong end was dropped"
        if is_waited_for:
            self.until("the request is answered", held.client.task.done)
            assert held.client.task.result() == body, "it has the response of another request"

    def _claim_in(self, worker: Worker, free: int, kind: str) -> ClaimResult:
        if kind == "turn":
            return self._round_trip(worker, [], free)
        if not self.redis.exists(keys.WAKE_UP):
            self.run(worker.consumer.stop_waiting())
        return self.run(worker.consumer.wait_and_claim(free))

    def _claim_without_answer(self, worker: Worker, free: int, kind: str) -> None:
        run_together = scripts.run_together

        async def lose_the_answer(*arguments: Any) -> list[Any]:
            await run_together(*arguments)
            raise RedisConnectionError("the answer was lost")

        with mock.patch.object(scripts, "run_together", lose_the_answer), contextlib.suppress(RedisConnectionError):
            self._claim_in(worker, free, kind)

    def _renew(self, worker: Worker, those: Sequence[Held], *, restore: bool = False) -> Any:
        return self.run(worker.leases.renew({"slots": SLOTS}, [held.claim for held in those], restore=restore))

    def _round_trip(self, worker: Worker, parts: Sequence[OutgoingPart], free: int) -> ClaimResult:
        return self.run(worker.consumer.publish_and_claim(parts, free))
