"""What gateways and workers do at the queues while all is well."""

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
from tests.integration.broker_model import MOST_QUEUED, SLOTS, Held, Worker
from tests.integration.broker_world import World

Choice = TypeVar("Choice")


def one_of(choices: Sequence[Choice], which: int) -> Choice:
    return choices[which % len(choices)]


class Work(World):
    """Requests come, are claimed and answered, or their clients leave."""

    def submit(self, gateway: int, method: str, priority: Priority) -> None:
        queue = self.queues[priority]
        is_full = len(queue) >= MOST_QUEUED
        asker = self.new_asker(one_of(self.gateways, gateway), method, priority)
        if is_full:
            self.fails_with(asker, QueueFull)
        else:
            queue.append(asker)
            self.until("the request is on its queue", self.queues_fit)
            self.note_ids()

    def leave(self, which: int) -> None:
        asker = one_of(self.asking(), which)
        asker.has_left = True
        asker.task.cancel()
        if asker in self.queues[asker.priority]:
            self.queues[asker.priority].remove(asker)
            self.until("the request is off its queue", self.queues_fit)
        else:
            inbox = keys.inbox(self.redis.hget(keys.job(asker.job_id), "worker_name").decode())
            self.until("its worker is told", lambda: bool(self.redis.exists(inbox)))
            self.redis.delete(inbox)  # as a worker reads it

    def claim(self, worker: Worker, slots: int, way: str, *, is_heard: bool = True) -> None:
        unheard = worker.unheard[way]
        # Asked again, it gives what it gave.
        free = min(slots, SLOTS - len(worker.holds)) if unheard else min(slots, worker.free)
        if free < 1:
            return
        taking = None if unheard else self.take(free, is_sent_ahead=way == "wait")
        taken = unheard if taking is None else taking.taken
        if is_heard:
            result = self._claim_in(worker, free, way)
            given = [payload_of(claim.data, 1024) for claim in result.claims]
            assert given == [held.asker.label for held in taken], f"{given} were given by {way}"
            if taking is not None:
                told = (result.suspended, result.work_is_left)
                assert told == (self.suspended, taking.work_is_left), f"a claim by {way} told {told}"
            for held, claim in zip(taken, result.claims, strict=True):
                held.claim = claim
            worker.holds += taken
            worker.unheard[way] = []
            if taking is not None:
                worker.looks_again = result.suspended or result.work_is_left or len(taken) == free
        else:
            self._claim_unheard_in(worker, free, way)
            worker.unheard[way] = taken
            worker.looks_again = True
        if taking is not None and taking.not_sent:
            self.settle_lost(taking.not_sent, NotSent)

    def renew(self, worker: Worker, *, gateways_may_be_late: bool = False) -> None:
        def is_over(held: Held) -> bool:
            return held.is_marked or not (held.asker.gateway.lives or gateways_may_be_late)

        over = [held for held in worker.holds if is_over(held)]
        gone = [held for held in worker.holds if held not in over and not held.is_leased]
        renewal = self._renew(worker, worker.holds)
        assert renewal.over == [held.claim for held in over], "others than these are over"
        assert renewal.gone == [held.claim for held in gone], "others than these have lost their leases"
        for held in over:
            worker.holds.remove(held)
        if gone:
            assert self._renew(worker, gone, restore=True).held == [held.claim for held in gone]
        for held in gone:
            held.is_leased = True

    def reply(self, worker: Worker, held: Held) -> None:
        self._say_last(worker, held, Reply(200, [], held.asker.label), held.asker.label)

    def say_head(self, worker: Worker, held: Held) -> None:
        saying = OutgoingPart(held.claim, Head(200, [], worker.name), is_last=False)
        result = self._turn(worker, [saying], 0)
        if held.is_marked:
            assert result.dropped == [saying], "what is marked as over was heard"
            worker.holds.remove(held)
            return
        assert result.dropped == [], "a head was dropped"
        held.said = []
        if held.is_awaited:
            self.until("the response has begun", lambda: held.asker.read is not None)

    def say_chunk(self, worker: Worker, held: Held, *, again: bool) -> None:
        assert held.said is not None
        said = held.said
        chunk = Chunk(len(said), memoryview(b"%s, piece %d\n" % (held.asker.label, len(said))))
        said.append(bytes(chunk.data))
        for _ in range(1 + again):
            self._turn(worker, [OutgoingPart(held.claim, chunk, is_last=False)], 0)
        if held.is_awaited:
            self.until("the client has the chunk, once", lambda: held.asker.read == said)

    def say_end(self, worker: Worker, held: Held) -> None:
        assert held.said is not None
        self._say_last(worker, held, End(len(held.said)), b"".join(held.said))

    def say_as_another(self, worker: Worker, held: Held) -> None:
        """Somebody who has not started it answers."""
        saying = OutgoingPart(held.claim._replace(execution_id="another"), Reply(200, [], b"not yours"))
        assert self._turn(worker, [saying], 0).dropped == [saying], "two have answered"

    def _say_last(self, worker: Worker, held: Held, part: Reply | End, body: bytes) -> None:
        is_awaited = held.is_awaited
        saying = OutgoingPart(held.claim, part)
        result = self._turn(worker, [saying], 0)
        worker.holds.remove(held)
        assert result.dropped == ([saying] if held.is_marked else []), "the wrong end was dropped"
        if is_awaited:
            self.until("the request is answered", held.asker.task.done)
            assert held.asker.task.result() == body, "the answer is another's"

    def _claim_in(self, worker: Worker, free: int, way: str) -> ClaimResult:
        if way == "turn":
            return self._turn(worker, [], free)
        if not self.redis.exists(keys.WAKE_UP):
            self.run(worker.claimer.stop_waiting())
        return self.run(worker.claimer.wait_and_claim(free))

    def _claim_unheard_in(self, worker: Worker, free: int, way: str) -> None:
        run_together = scripts.run_together

        async def lose_the_answer(*arguments: Any) -> list[Any]:
            await run_together(*arguments)
            raise RedisConnectionError("the answer was lost")

        with mock.patch.object(scripts, "run_together", lose_the_answer), contextlib.suppress(RedisConnectionError):
            self._claim_in(worker, free, way)

    def _renew(self, worker: Worker, those: Sequence[Held], *, restore: bool = False) -> Any:
        return self.run(worker.leases.renew({"slots": SLOTS}, [held.claim for held in those], restore=restore))

    def _turn(self, worker: Worker, sayings: Sequence[OutgoingPart], free: int) -> ClaimResult:
        return self.run(worker.claimer.publish_and_claim(sayings, free))
