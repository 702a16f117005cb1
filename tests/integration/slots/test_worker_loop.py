"""The worker loop on a real Redis: no request waits beside a free slot, and stop signals end it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError

from fast_priority.broker.consumer import Claim, ClaimResult, OutgoingPart, RqConnection
from fast_priority.broker.consumer import claims as claiming
from fast_priority.broker.producer import Permit, Submitter
from fast_priority.errors import GatewayError
from fast_priority.events import Events, SlotEnd, SlotFreed, SlotTaken
from fast_priority.http.message import Reply, Request, TargetPolicy
from fast_priority.protocol.frames import ForwardCall, encode
from fast_priority.scheduling.priority import Priority
from fast_priority.settings import Settings
from fast_priority.slots import dispatcher as dispatcher_module
from fast_priority.slots import loop as loop_module
from fast_priority.slots.draining import DrainState
from fast_priority.slots.forward import FinalPart
from fast_priority.slots.in_flight import InFlightRequest
from fast_priority.slots.loop import Work, WorkerLoop
from fast_priority.support.elapsed import Moment
from tests.attempts import ask
from tests.harness import scripted_target

PATIENCE_SECONDS = 30
SLOTS = 3
PART = OutgoingPart(Claim("job", "execution", "low", "gateway", b""), Reply(204, [], b""))

FOREVER = Moment(float("inf"), float("inf"), float("inf"))


def ignore(request: InFlightRequest, final: FinalPart | None) -> None:
    """Take the end of a request."""


class Served:
    """A gateway's side of the queues, and one worker with three slots whose blocking claim lasts an hour."""

    def __init__(self, submitter: Submitter, worker: WorkerLoop, events: Events, target_port: int) -> None:
        self.submitter = submitter
        self.events = events
        self.worker = worker
        self.running = asyncio.create_task(worker.run())
        self._policy = TargetPolicy(f"http://127.0.0.1:{target_port}", 5, 5, 0)

    async def ask(self, *, is_idempotent: bool, on_submit: Callable[[str], object] | None = None) -> int:
        call = ForwardCall(Request("GET", b"/", [], b""), self._policy)
        asking = ask(
            self.submitter, Priority.LOW, encode(call), "GET /", is_idempotent=is_idempotent, on_submit=on_submit
        )
        async with asyncio.timeout(PATIENCE_SECONDS):
            reply = await asking
        assert isinstance(reply, Reply)
        return reply.status

    async def ask_for_permit(self) -> Permit:
        call = ForwardCall(Request("GET", b"/", [], b""), self._policy, is_permit=True)
        asking = ask(self.submitter, Priority.LOW, encode(call), "GET /", is_idempotent=True, attempt=1)
        async with asyncio.timeout(PATIENCE_SECONDS):
            permit = await asking
        assert isinstance(permit, Permit)
        return permit

    async def until(self, what: str, condition: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not condition():
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"waited too long until {what}") from None

    async def end(self) -> None:
        self.worker.drain.on_stop_signal()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.running


@pytest.fixture
async def served(redis: Redis, redis_port: int, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    """A gateway's side, a worker and a target, running."""
    monkeypatch.setattr(claiming, "_WAKE_UP_SECONDS", 3600)
    settings = Settings.load(redis_host="127.0.0.1", redis_port=redis_port, target_base_url=None)
    events = Events()
    worker = WorkerLoop(
        name="w",
        slots=SLOTS,
        settings=settings,
        rq_connection=RqConnection(redis),
        record=lambda: {},
        burst=False,
        events=events,
    )
    with scripted_target(lambda connection, _: connection.sendall(b"HTTP/1.1 204 No\r\n\r\n")) as (port, _):
        async with Submitter(settings) as submitter:
            served = Served(submitter, worker, events, port)
            yield served
            if not served.running.done():
                await served.end()


@pytest.fixture
def worker(redis: Redis) -> WorkerLoop:
    """A worker loop that does not run."""
    return WorkerLoop(
        name="w",
        slots=SLOTS,
        settings=Settings.load(),
        rq_connection=RqConnection(redis),
        record=lambda: {},
        burst=False,
    )


async def test_one_after_the_other(served: Served) -> None:
    """Each request is served at once, whether a blocking claim may take it or not."""
    asked = [True, False, True, True, False, False, True, False]
    assert [await served.ask(is_idempotent=each) for each in asked] == [204] * len(asked)


async def test_the_events_of_one_request_have_one_job_id(served: Served) -> None:
    """What a gateway announces as submitted, the worker publishes as a slot that is taken and freed."""
    submitted: list[str] = []
    seen: list[Any] = []
    served.events.subscribe(SlotTaken, seen.append)
    served.events.subscribe(SlotFreed, seen.append)
    await served.ask(is_idempotent=True, on_submit=submitted.append)
    (job_id,) = submitted
    taken, freed = seen
    assert taken == SlotTaken(job_id, "low", served.submitter.gateway_id)
    assert (freed.job_id, freed.queue_name, freed.end) == (job_id, "low", SlotEnd.ANSWERED)


async def test_all_at_once(served: Served) -> None:
    """More requests than there are slots, of both kinds, are all served, without a timer."""
    asking = [served.ask(is_idempotent=number % 3 > 0) for number in range(100)]
    assert await asyncio.gather(*asking) == [204] * 100


@pytest.mark.parametrize(("taken_seconds", "together"), [(0.001, 2), (1.0, 1)])
async def test_responses_of_a_quick_target_go_together(
    worker: WorkerLoop, monkeypatch: pytest.MonkeyPatch, taken_seconds: float, together: int
) -> None:
    """A round trip waits for more responses of a target that answers at once, and not for any other."""
    published: list[int] = []

    async def publish_and_claim(parts: Sequence[OutgoingPart], free_slots: int) -> ClaimResult:
        published.append(len(parts))
        worker.drain.state = DrainState.STOPPING
        return ClaimResult([], suspended=False)

    monkeypatch.setattr(worker._consumer, "publish_and_claim", publish_and_claim)
    worker._in_flight.start(Claim("another", "execution", "low", "gateway", b""), FOREVER, ignore)
    worker._note_freed(taken_seconds)
    worker._outbox.put(PART)
    filling = asyncio.create_task(worker._serve())
    asyncio.get_running_loop().call_soon(worker._outbox.put, PART)  # comes when the round trip is about to begin
    await filling
    assert published == [together]


@pytest.mark.parametrize(
    ("responses", "taken_seconds", "work_remains", "in_flight", "published"),
    [
        (2, 1.0, True, 0, [0, 0, 2]),
        (1, 1.0, True, 0, [0, 1]),
        (2, 0.001, True, 0, [0, 2]),
        (2, 1.0, False, 0, [0, 2]),
        (2, 1.0, True, SLOTS, [0, 2]),
    ],
    ids=["several", "one", "quick target", "nothing waits", "no slot is free"],
)
async def test_slots_that_several_responses_freed_are_filled_first(
    worker: WorkerLoop, monkeypatch: pytest.MonkeyPatch, responses: int, taken_seconds: float, work_remains: bool,
    in_flight: int, published: list[int],
) -> None:  # fmt: skip
    """If work waits, slots that several responses freed are filled before these are published; one goes along."""
    taken: list[int] = []

    async def publish_and_claim(parts: Sequence[OutgoingPart], free_slots: int) -> ClaimResult:
        taken.append(len(parts))
        if len(taken) == 1:
            for _ in range(responses):
                worker._note_freed(taken_seconds)
                worker._outbox.put(PART)
            for number in range(in_flight):
                worker._in_flight.start(Claim(f"{number}", "execution", "low", "gateway", b""), FOREVER, ignore)
        if parts:
            worker.drain.state = DrainState.STOPPING
        return ClaimResult([], suspended=False, work_remains=work_remains)

    monkeypatch.setattr(worker._consumer, "publish_and_claim", publish_and_claim)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await worker._serve()
    assert taken == published


async def test_a_loop_shows_its_state(worker: WorkerLoop) -> None:
    """The representation of a loop shows whether it drains, its slots, what it knows of work, and its outbox."""
    worker._in_flight.start(Claim("another", "execution", "low", "gateway", b""), FOREVER, ignore)
    worker._outbox.put(PART)
    assert repr(worker) == "<WorkerLoop w: serving, 1 of 3 slots taken, work possible, 1 parts to publish>"
    worker.drain.on_stop_signal()
    assert "w: draining" in repr(worker)


@pytest.mark.parametrize("work", Work)
def test_each_event_has_an_effect_in_each_state(work: Work) -> None:
    """The table of transitions has no gap, and only a claim makes the worker forget work that remains."""
    after = {event: states[work] for event, states in loop_module._AFTER.items()}
    assert set(after) == set(loop_module._Event)
    assert [event.name for event, state in after.items() if state is Work.NONE and work is not Work.NONE] in (
        [],
        ["CLAIM_SENT"],
    )


async def test_a_suspension_delays_no_responses(worker: WorkerLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Responses are published at once when the claim before them finds that rq's tools suspend the workers."""
    monkeypatch.setattr(loop_module, "_SUSPENDED_SECONDS", 3600)
    taken: list[int] = []

    async def publish_and_claim(parts: Sequence[OutgoingPart], free_slots: int) -> ClaimResult:
        taken.append(len(parts))
        if len(taken) == 1:
            for _ in range(2):
                worker._note_freed(1.0)
                worker._outbox.put(PART)
        if parts:
            worker.drain.state = DrainState.STOPPING
        is_first = len(taken) == 1
        return ClaimResult([], suspended=not is_first and not parts, work_remains=is_first)

    monkeypatch.setattr(worker._consumer, "publish_and_claim", publish_and_claim)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await worker._serve()
    assert taken == [0, 0, 2]


async def test_a_waiting_worker_ends(served: Served) -> None:
    """A worker that waits for work ends at a stop signal, and claims nothing more."""
    assert await served.ask(is_idempotent=True) == 204
    await served.end()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await ask(served.submitter, Priority.LOW, b"", "GET /", is_idempotent=True)


async def test_a_bug_ends_one_request(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in starting a request is answered with an internal error, and the next request is forwarded."""

    def fail(*_: object) -> ForwardCall:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(dispatcher_module, "_call_in", fail)
        with pytest.raises(GatewayError, match="its log says how"):
            await served.ask(is_idempotent=False)
    assert await served.ask(is_idempotent=True) == 204


async def test_permits_take_slots(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    """Each permit takes a slot until it is closed; then it counts as served, and the worker logs no warning."""
    caplog.set_level(logging.WARNING)
    permits = [await served.ask_for_permit() for _ in range(SLOTS)]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await ask(served.submitter, Priority.LOW, b"", "GET /", is_idempotent=True)
    permits.pop().close()
    assert await served.ask(is_idempotent=True) == 204
    for permit in permits:
        permit.close()
    await served.until("all are served", lambda: served.worker.served == SLOTS + 1)
    assert len(served.worker._in_flight) == 0
    assert caplog.records == []


async def test_a_draining_worker_waits_for_its_permits(served: Served) -> None:
    """A draining worker claims nothing more, and holds its permits until they are closed."""
    permit = await served.ask_for_permit()
    served.worker.drain.on_stop_signal()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await asyncio.shield(served.running)
    async with permit:
        await asyncio.sleep(0)
    await served.end()


async def test_a_worker_that_drains_without_redis(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """With Redis away, a draining worker waits for no permit longer than a lease: no Cancel can come."""

    async def publish_and_claim(parts: Sequence[OutgoingPart], free_slots: int) -> ClaimResult:
        raise ConnectionError

    served.worker._dispatcher._permits.seconds = 0.05
    await served.ask_for_permit()
    monkeypatch.setattr(loop_module, "LEASE_SECONDS", 0.1)
    monkeypatch.setattr(served.worker._consumer, "publish_and_claim", publish_and_claim)
    await served.end()
    assert len(served.worker._in_flight) == 0
