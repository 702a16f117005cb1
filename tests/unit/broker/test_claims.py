"""Claims: which requests a worker gets, in which order, and which are skipped."""

import asyncio
from typing import Any

import pytest

from fast_priority.broker import keys, scripts, times
from fast_priority.broker.consumer import Consumer
from fast_priority.broker.consumer import claims as claiming
from fast_priority.broker.producer import Submitter
from fast_priority.scheduling.priority import DEFAULT_LEVELS, Priority
from fast_priority.settings import Settings
from tests.unit.broker_rig import PATIENCE_SECONDS, Rig, payloads, until


async def test_high_before_low(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """A high request is claimed before low ones that came earlier."""
    await rig.queue(submitter, Priority.LOW, b"low")
    await rig.queue(submitter, Priority.HIGH, b"high")
    result = await claimer.publish_and_claim([], 2)
    assert payloads(result.claims) == [b"high", b"low"]


async def test_low_only_when_no_high(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """While high requests wait, a slot goes to them."""
    await rig.queue(submitter, Priority.LOW, b"low")
    await rig.queue(submitter, Priority.HIGH, b"high 1")
    await rig.queue(submitter, Priority.HIGH, b"high 2")
    order = [payloads((await claimer.publish_and_claim([], 1)).claims) for _ in range(3)]
    assert order == [[b"high 1"], [b"high 2"], [b"low"]]


@pytest.mark.parametrize("priority", DEFAULT_LEVELS)
async def test_oldest_first(rig: Rig, submitter: Submitter, claimer: Consumer, priority: Priority) -> None:
    """Of requests of one priority, the oldest is claimed first."""
    for number in range(4):
        await rig.queue(submitter, priority, b"%d" % number)
    first = await claimer.publish_and_claim([], 2)
    second = await claimer.publish_and_claim([], 2)
    assert payloads(first.claims + second.claims) == [b"0", b"1", b"2", b"3"]


@pytest.mark.parametrize("free", [1, 2, 3])
async def test_no_more_than_free_slots(rig: Rig, submitter: Submitter, claimer: Consumer, free: int) -> None:
    """A worker claims as many requests as it has free slots, and the others stay on the queue."""
    for priority in DEFAULT_LEVELS:
        for _ in range(2):
            await rig.queue(submitter, priority)
    result = await claimer.publish_and_claim([], free)
    left = rig.waiting(Priority.HIGH) + rig.waiting(Priority.LOW)
    assert (len(result.claims), left) == (free, 4 - free)


async def test_no_slot(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """A worker without a free slot claims nothing."""
    await rig.queue(submitter, Priority.HIGH)
    result = await claimer.publish_and_claim([], 0)
    assert (result.claims, rig.waiting(Priority.HIGH)) == ([], 1)


async def test_nothing_to_claim(rig: Rig, claimer: Consumer) -> None:
    """Empty queues lead to no claim, and do not count as a suspension."""
    assert (await claimer.publish_and_claim([], 3))[:3] == ([], False, False)


async def test_claimed_once(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """Two workers never claim the same request."""
    for number in range(6):
        await rig.queue(submitter, Priority.LOW, b"%d" % number)
    others = [Consumer({}, f"worker-{number}") for number in (2, 3, 4)]
    results = await asyncio.gather(*(one.publish_and_claim([], 2) for one in (claimer, *others)))
    assert sorted(payloads([claim for result in results for claim in result.claims])) == [b"%d" % n for n in range(6)]
    for other in others:
        await other.close()


async def test_claim_whose_answer_was_lost(
    rig: Rig, submitter: Submitter, claimer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker whose answer was lost claims the same requests again, and no others."""
    for number in range(3):
        await rig.queue(submitter, Priority.LOW, b"%d" % number)
    run_together = scripts.run_together

    async def lose_the_answer(*arguments: Any) -> list[Any]:
        await run_together(*arguments)
        raise ConnectionError("the answer is lost")

    monkeypatch.setattr(scripts, "run_together", lose_the_answer)
    with pytest.raises(ConnectionError):
        await claimer.publish_and_claim([], 2)
    monkeypatch.setattr(scripts, "run_together", run_together)
    again, next_ones = await claimer.publish_and_claim([], 2), await claimer.publish_and_claim([], 2)
    assert (payloads(again.claims), payloads(next_ones.claims)) == ([b"0", b"1"], [b"2"])


async def test_id_twice_on_a_queue(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """A job whose id is on a queue twice is started once: the target receives the request once."""
    await rig.queue(submitter, Priority.LOW, b"once")
    rig.redis.rpush(keys.queue(Priority.LOW), rig.ids(Priority.LOW)[0])
    assert payloads((await claimer.publish_and_claim([], 2)).claims) == [b"once"]


async def test_cancelled_by_rq(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """A job that rq's tools have cancelled is not started."""
    await rig.queue(submitter, Priority.LOW)
    rig.redis.hset(keys.job(rig.ids(Priority.LOW)[0]), "status", "canceled")
    assert (await claimer.publish_and_claim([], 1)).claims == []


async def test_a_claim_names_its_gateway(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """A claim names its job, its queue and the gateway that waits for it."""
    await rig.queue(submitter, Priority.LOW)
    (job_id,) = rig.ids(Priority.LOW)
    (claim,) = (await claimer.publish_and_claim([], 1)).claims
    assert (claim.job_id, claim.queue_name, claim.gateway_id) == (job_id, "low", submitter.gateway_id)


async def test_claim_is_recorded(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """rq sees a claimed job as started: its status, its worker, and a lease in the started registry of its queue."""
    _, claim = await rig.start(submitter, claimer)
    job = rig.redis.hgetall(keys.job(claim.job_id))
    assert (job[b"status"], job[b"worker_name"]) == (b"started", b"worker-1")
    lease = rig.lease(claim)
    assert lease is not None
    assert lease - rig.redis.time()[0] <= times.LEASE_SECONDS + 1
    assert 0 < rig.redis.ttl(keys.job(claim.job_id)) <= times.LEASE_SECONDS
    assert rig.redis.ttl(keys.started(claim.queue_name)) > times.LEASE_SECONDS


async def test_withdrawn_is_skipped(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """An id whose job is gone, withdrawn or expired, is skipped, and takes no slot."""
    await rig.queue(submitter, Priority.HIGH, b"gone")
    await rig.queue(submitter, Priority.HIGH, b"there")
    rig.redis.delete(keys.job(rig.ids(Priority.HIGH)[0]))
    result = await claimer.publish_and_claim([], 1)
    assert (payloads(result.claims), rig.waiting(Priority.HIGH)) == ([b"there"], 0)


async def test_cancelled_by_rq_is_skipped(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """A job that rq's tools cancelled is not claimed."""
    await rig.queue(submitter, Priority.HIGH)
    rig.redis.hset(keys.job(rig.ids(Priority.HIGH)[0]), "status", "canceled")
    assert (await claimer.publish_and_claim([], 1)).claims == []


async def test_gone_gateway_is_skipped(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """A request of a gateway that is gone is skipped and removed; the next one, of a live gateway, is claimed."""
    async with Submitter(Settings.load()) as dead:
        await until("it has shown its sign of life", lambda: bool(rig.redis.exists(keys.gateway(dead.gateway_id))))
        await rig.queue(dead, Priority.LOW, b"of the dead one")
        (orphan,) = rig.ids(Priority.LOW)
        await rig.queue(submitter, Priority.LOW, b"of the live one")
        await rig.end_sign_of_life(dead)
        result = await claimer.publish_and_claim([], 1)
        assert payloads(result.claims) == [b"of the live one"]
        assert not rig.redis.exists(keys.job(orphan))
        await rig.let_go()


async def test_a_gateway_that_only_seemed_gone(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """A gateway whose sign of life was late receives what was not sent, and queues it again in the same order."""
    asking = [await rig.queue(submitter, Priority.LOW, b"%d" % number) for number in range(4)]
    await rig.end_sign_of_life(submitter)
    assert (await claimer.publish_and_claim([], 1)).claims == []
    await until("all are queued again", lambda: rig.waiting(Priority.LOW) == 4)
    assert payloads((await claimer.publish_and_claim([], 4)).claims) == [b"0", b"1", b"2", b"3"]
    assert not any(task.done() for task in asking)


async def test_a_queue_that_gets_its_request_back_expires(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """A claim that was sent ahead and puts back the only request of a queue leaves no list without a TTL."""
    await rig.queue(submitter, Priority.LOW)
    assert (await claimer.wait_and_claim(1)).work_remains
    assert rig.redis.ttl(keys.queue(Priority.LOW)) > rig.redis.ttl(rig.jobs()[0])


async def test_queued_by_another_server(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """A job that another server has queued is not claimed: it may have been started since then."""
    await rig.queue(submitter, Priority.LOW)
    rig.redis.hset(keys.job(rig.ids(Priority.LOW)[0]), "server", "another")
    assert ((await claimer.publish_and_claim([], 1)).claims, rig.jobs()) == ([], [])


async def test_many_dead_jobs(
    rig: Rig, submitter: Submitter, claimer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One claim skips a limited number of missing jobs, and leaves a token for the next claim."""
    monkeypatch.setattr(claiming, "_MOST_LOOKED_AT", 3)
    rig.redis.rpush(keys.queue(Priority.HIGH), *(f"dead-{number}" for number in range(5)))
    await rig.queue(submitter, Priority.HIGH, b"alive")
    first = await claimer.publish_and_claim([], 1)
    assert (first.claims, rig.waiting(Priority.HIGH), rig.tokens()) == ([], 3, 1)
    second = await claimer.publish_and_claim([], 1)
    assert payloads(second.claims) == [b"alive"]


async def test_suspended(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """After `rq suspend` nothing is claimed, and the result says why."""
    await rig.queue(submitter, Priority.HIGH)
    rig.redis.set(keys.SUSPENDED, "1")
    result = await claimer.publish_and_claim([], 1)
    assert (result.claims, result.suspended, rig.waiting(Priority.HIGH)) == ([], True, 1)


async def test_resumed(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """After `rq resume` waiting requests are claimed."""
    await rig.queue(submitter, Priority.HIGH)
    rig.redis.set(keys.SUSPENDED, "1")
    await claimer.publish_and_claim([], 1)
    rig.redis.delete(keys.SUSPENDED)
    result = await claimer.publish_and_claim([], 1)
    assert (len(result.claims), result.suspended) == (1, False)


async def test_submit_leaves_a_token(rig: Rig, submitter: Submitter) -> None:
    """Each submit leaves a token that wakes an idle worker."""
    for _ in range(3):
        await rig.queue(submitter, Priority.LOW)
    assert rig.tokens() == 3


async def test_tokens_are_bounded(rig: Rig, submitter: Submitter, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many requests are submitted, the number of tokens has a limit."""
    monkeypatch.setattr(times, "MOST_WAKE_UPS", 2)
    for _ in range(4):
        await rig.queue(submitter, Priority.LOW)
    assert rig.tokens() == 2


async def test_a_submit_wakes_a_waiting_worker(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """A submit wakes a worker that waits for work, and the worker has then claimed the request."""
    waiting = asyncio.create_task(claimer.wait_and_claim(4))
    await asyncio.sleep(0)
    submitted = await rig.ask_idempotently(submitter, Priority.LOW, b"work")
    async with asyncio.timeout(PATIENCE_SECONDS):
        result = await waiting
    assert (payloads(result.claims), submitted.done(), rig.waiting(Priority.LOW)) == ([b"work"], False, 0)


async def test_waiting_ends_without_work(rig: Rig, claimer: Consumer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without work, a worker that waits returns after its wait."""
    monkeypatch.setattr(claiming, "_WAKE_UP_SECONDS", 0.01)
    assert (await claimer.wait_and_claim(4)).claims == []


async def test_a_lost_token(rig: Rig, submitter: Submitter, claimer: Consumer, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a token is lost, a worker that waits finds the work at the end of its wait."""
    monkeypatch.setattr(claiming, "_WAKE_UP_SECONDS", 0.01)
    await rig.queue(submitter, Priority.LOW, b"work", is_idempotent=True)
    rig.redis.delete(keys.WAKE_UP)
    assert payloads((await claimer.wait_and_claim(4)).claims) == [b"work"]


async def test_a_claim_sent_ahead_takes_only_what_may_be_repeated(
    rig: Rig, submitter: Submitter, claimer: Consumer
) -> None:
    """A claim that was sent ahead takes no request that may not be sent twice: its worker may have frozen since then.

    That request stays on its queue, with those behind it, and the result says that work is left.
    """
    for number, is_idempotent in enumerate((True, False, True)):
        rig.ask(submitter, Priority.LOW, b"%d" % number, is_idempotent=is_idempotent)
        await until("it waits", lambda number=number: rig.waiting(Priority.LOW) == number + 1)  # type: ignore[misc]
    first = await claimer.wait_and_claim(4)
    assert (payloads(first.claims), first.work_remains, rig.waiting(Priority.LOW)) == ([b"0"], True, 2)
    assert payloads((await claimer.publish_and_claim([], 4)).claims) == [b"1", b"2"]


async def test_the_stop_signal_ends_a_wait(rig: Rig, claimer: Consumer) -> None:
    """The stop signal ends the wait of a worker at once."""
    waiting = asyncio.create_task(claimer.wait_and_claim(4))
    await asyncio.sleep(0)
    await claimer.stop_waiting()
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert (await waiting).claims == []


async def test_each_kind_repeats_its_own_claim(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """A claim whose answer was lost is repeated with the same kind, and returns its requests once only."""
    await rig.queue(submitter, Priority.LOW, b"work", is_idempotent=True)
    claimer._sent_ahead.unanswered = "lost"
    claimer._direct.unanswered = "lost too"
    first = await claimer.wait_and_claim(1)
    claimer._sent_ahead.unanswered = "lost"
    again = await claimer.wait_and_claim(1)
    assert (payloads(again.claims), again.claims) == ([b"work"], first.claims)
    assert (await claimer.publish_and_claim([], 1)).claims == []


async def test_empty_claim_removes_tokens(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """A claim that leaves the queues empty removes the tokens, which would wake workers for nothing."""
    for _ in range(2):
        await rig.queue(submitter, Priority.LOW)
    await claimer.publish_and_claim([], 2)
    assert rig.tokens() == 0


async def test_work_left_leaves_a_token(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """A claim that leaves work behind leaves a token, so that no idle worker sleeps beside it."""
    for _ in range(2):
        await rig.queue(submitter, Priority.LOW)
    rig.redis.delete(keys.WAKE_UP)
    await claimer.publish_and_claim([], 1)
    assert rig.tokens() == 1
