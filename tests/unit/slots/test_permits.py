"""Permits: a worker holds a slot while the gateway itself talks to the target. Both sides of one."""

import asyncio
import weakref
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis import Redis

from fast_priority.broker import keys, times
from fast_priority.broker.consumer import Claim, Consumer, OutgoingPart, RqConnection
from fast_priority.broker.jobs import JobTemplate
from fast_priority.broker.producer import Permit, Submitter
from fast_priority.errors import NotSent, RequestLost, TargetRefused, without_traces
from fast_priority.http.message import Request, TargetPolicy
from fast_priority.protocol.conversation import Conversation
from fast_priority.protocol.frames import Cancel, Chunk, Failure, ForwardCall, Frame, Go, Part, decode_frame, encode
from fast_priority.scheduling.priority import Priority
from fast_priority.settings import Settings
from fast_priority.slots import dispatcher as dispatcher_module
from fast_priority.slots.dispatcher import Dispatcher
from fast_priority.slots.gateway_channel import GatewayChannel
from fast_priority.slots.in_flight import InFlight
from fast_priority.support.elapsed import Moment
from tests.attempts import ask
from tests.harness import without_collector
from tests.unit.broker_rig import PATIENCE_SECONDS, Rig, until

CALL = encode(ForwardCall(Request("GET", b"/", [], b""), TargetPolicy("http://api", 1, 1, 0), is_permit=True))
LONG = Moment(float("inf"), float("inf"), float("inf"))
CLAIM = Claim("job-1", "execution-1", "high", "gateway-1", JobTemplate.data(CALL))


# The worker's side.


class Worker:
    """A dispatcher, what it publishes, and how many slots it has freed."""

    def __init__(self) -> None:
        async def publish(part: Part) -> None:
            pytest.fail("nothing is published but by the dispatcher")

        self.published: list[OutgoingPart] = []
        self.freed = 0
        self.in_flight = InFlight(lambda claim: GatewayChannel("worker-1", publish))
        self.dispatcher = Dispatcher(
            "worker-1",
            Settings.load(),
            RqConnection(Redis()),
            self.in_flight,
            publish=self.published.append,
            on_freed=self._note_freed,
        )

    @property
    def parts(self) -> list[Part | None]:
        return [published.part for published in self.published]

    def _note_freed(self, seconds: float) -> None:
        self.freed += 1


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    worker = Worker()
    yield worker
    await worker.dispatcher.close()


async def test_a_worker_sends_go(worker: Worker) -> None:
    """A worker sends Go at once, in the same step, sends nothing to the target, and starts no task."""
    before = asyncio.all_tasks()
    worker.dispatcher.start(CLAIM, LONG)
    assert worker.published == [OutgoingPart(CLAIM, Go(), is_last=False)]
    assert (len(worker.in_flight), worker.freed) == (1, 0)
    assert asyncio.all_tasks() == before


async def test_a_cancel_frees_the_slot(worker: Worker) -> None:
    """A Cancel frees the slot, once, and settles the request without a frame to the gateway."""
    worker.dispatcher.start(CLAIM, LONG)
    for _ in range(2):
        worker.in_flight.receive(Frame("job-1", Cancel()))
    assert worker.published[1:] == [OutgoingPart(CLAIM, None)]
    assert (len(worker.in_flight), worker.freed) == (0, 1)


async def test_a_permit_that_is_over(worker: Worker) -> None:
    """A permit that is over frees the slot. It is settled already, so nothing is sent."""
    worker.dispatcher.start(CLAIM, LONG)
    (request,) = worker.in_flight
    request.cancel()
    assert (worker.parts, len(worker.in_flight), worker.freed) == ([Go()], 0, 1)


async def test_a_worker_that_was_away(worker: Worker) -> None:
    """A worker whose lease is over sends no Go: another worker may have the request."""
    worker.dispatcher.start(CLAIM, Moment(0.0, 0.0, 0.0))
    (published,) = worker.published
    assert isinstance(published.part, Failure)
    assert (published.part.slug, published.is_last) == (NotSent.slug, True)
    assert (len(worker.in_flight), worker.freed) == (0, 1)


async def test_a_cancel_that_overtakes_the_claim(worker: Worker) -> None:
    """A Cancel that overtakes the claim ends it, and no Go is sent."""
    worker.in_flight.receive(Frame("job-1", Cancel()))
    worker.dispatcher.start(CLAIM, LONG)
    assert worker.parts == [None]


async def test_a_worker_repeats_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker repeats Go while it holds the slot, and then no more."""
    monkeypatch.setattr(dispatcher_module, "GO_AGAIN_SECONDS", 0.01)
    worker = Worker()
    worker.dispatcher.start(CLAIM, LONG)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(worker.published) < 4:
            await asyncio.sleep(0.01)
    worker.in_flight.receive(Frame("job-1", Cancel()))
    assert len(worker.dispatcher._permits) == 0
    assert set(worker.parts[:-1]) == {Go()}
    assert worker.parts[-1] is None
    await worker.dispatcher.close()


async def test_a_worker_that_ends_holds_no_slot(worker: Worker) -> None:
    """A worker that leaves at once sends nothing more about its permits: their leases expire."""
    worker.dispatcher.start(CLAIM, LONG)
    await worker.dispatcher.close()
    assert (worker.parts, len(worker.in_flight)) == ([Go()], 0)


async def test_a_permit_leaves_no_cycle(worker: Worker) -> None:
    """A permit is freed at its end: no reference cycle keeps it."""
    with without_collector():
        worker.dispatcher.start(CLAIM, LONG)
        (request,) = worker.in_flight
        kept = weakref.ref(request)
        del request
        worker.in_flight.receive(Frame("job-1", Cancel()))
        assert kept() is None


# The gateway's side.


async def granted(rig: Rig, submitter: Submitter, claimer: Consumer) -> tuple[Permit, Claim]:
    """Return a permit, and the claim of the worker that holds the slot."""
    asking = asyncio.create_task(ask(submitter, Priority.HIGH, CALL, "GET /", is_idempotent=True, attempt=1))
    await until("it is queued", lambda: rig.waiting(Priority.HIGH) == 1)
    (claim,) = (await claimer.publish_and_claim([], 1)).claims
    await claimer.publish_and_claim([OutgoingPart(claim, Go(), is_last=False)], 0)
    async with asyncio.timeout(PATIENCE_SECONDS):
        permit = await asking
    assert isinstance(permit, Permit)
    return permit, claim


def mailbox_of_worker(rig: Rig) -> list[Frame]:
    """Return the frames in the worker's mailbox."""
    return [decode_frame(frame) for frame in rig.redis.lrange(keys.inbox("worker-1"), 0, -1)]


async def test_a_permit_that_is_closed(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """The worker gets one Cancel, however often a permit is closed; then nothing of the request is in Redis."""
    permit, claim = await granted(rig, submitter, claimer)
    assert mailbox_of_worker(rig) == []
    for _ in range(2):
        permit.close()
    await until("the Cancel is sent", lambda: mailbox_of_worker(rig) == [Frame(claim.job_id, Cancel())])
    await until("no more is sent", lambda: not submitter._withdrawals._running)
    assert len(mailbox_of_worker(rig)) == 1
    await claimer.publish_and_claim([OutgoingPart(claim, None)], 0)
    assert rig.jobs() == []
    assert submitter._inbox._waiting == {}


async def test_a_permit_ends_with_its_block(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """Leaving the block closes a permit."""
    permit, claim = await granted(rig, submitter, claimer)
    async with permit:
        assert mailbox_of_worker(rig) == []
    await until("the Cancel is sent", lambda: mailbox_of_worker(rig) == [Frame(claim.job_id, Cancel())])


async def test_a_permit_whose_job_vanishes(
    rig: Rig, submitter: Submitter, claimer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When its job vanishes, the block is cancelled, and RequestLost is raised."""
    permit, claim = await granted(rig, submitter, claimer)
    monkeypatch.setattr(submitter._inbox, "_poll_interval_seconds", 0.01)

    async def use() -> None:
        async with permit:
            rig.redis.delete(keys.job(claim.job_id))
            await asyncio.Event().wait()

    with pytest.raises(RequestLost):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await use()


async def use_until_lost(conversation: Conversation, lose: Part | Exception) -> list[bool]:
    """Use a permit until it is lost in this way, and return the argument of its `close`."""
    closed: list[bool] = []
    permit = Permit(conversation, closed.append)
    conversation.receive(Go())
    assert conversation.take() == Go()

    async def use() -> None:
        async with permit:
            if isinstance(lose, Exception):
                conversation.fail(lose)
            else:
                conversation.receive(lose)
            await asyncio.Event().wait()

    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await use()
    finally:
        conversation.wake()
        gone = asyncio.current_task()
        assert gone is not None
        assert not gone.cancelling()
    return closed


@pytest.mark.parametrize(
    ("lose", "error"),
    [
        (RequestLost("its job vanished"), RequestLost),
        (NotSent("it was not sent"), NotSent),
        (Failure(TargetRefused.slug, "why"), TargetRefused),
        (Chunk(0, memoryview(b"a")), RequestLost),
    ],
)
async def test_why_a_permit_was_lost(lose: Part | Exception, error: type[Exception]) -> None:
    """The block raises the reason; any other part of a worker is a RequestLost."""
    with pytest.raises(error):
        await use_until_lost(Conversation(), lose)


@pytest.mark.parametrize("part", [Go(), None])
async def test_what_does_not_lose_a_permit(part: Part | None) -> None:
    """A repeated Go, and a wake-up without a part, change nothing."""
    conversation = Conversation()
    conversation.receive(Go())
    conversation.take()
    async with Permit(conversation, lambda has_ended: None):
        if part is None:
            conversation.wake()
        else:
            conversation.receive(part)
        for _ in range(10):
            await asyncio.sleep(0)


async def test_a_client_that_leaves_as_the_permit_is_lost() -> None:
    """A block that is cancelled by its client at the same time stays cancelled."""
    conversation = Conversation()

    async def use() -> None:
        async with Permit(conversation, lambda has_ended: None):
            conversation.fail(RequestLost())
            await asyncio.Event().wait()

    using = asyncio.create_task(use())
    await asyncio.sleep(0)
    using.cancel()
    with pytest.raises(asyncio.CancelledError):
        await using


async def test_a_permit_that_was_lost_before_it_was_used() -> None:
    """A loss between the grant and its use is noticed."""
    conversation = Conversation()
    conversation.fail(RequestLost())
    with pytest.raises(RequestLost):
        async with asyncio.timeout(PATIENCE_SECONDS), Permit(conversation, lambda has_ended: None):
            await asyncio.Event().wait()


async def test_an_unknown_permit(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """A worker that holds a slot for a request that this gateway does not know gets a Cancel."""
    permit, claim = await granted(rig, submitter, claimer)
    permit._close = lambda has_ended: submitter._inbox.forget(claim.job_id)  # its Cancel is lost
    permit.close()
    await claimer.publish_and_claim([OutgoingPart(claim, Go(), is_last=False)], 0)
    await until("the Cancel is sent", lambda: mailbox_of_worker(rig) == [Frame(claim.job_id, Cancel())])


async def test_many_unknown_permits(rig: Rig, submitter: Submitter) -> None:
    """However many unknown permits are reported, only so many are ended at once."""
    for number in range(5000):
        submitter._end_unknown(str(number))
    assert len(submitter._withdrawals._running) <= 1000


async def test_a_gateway_that_was_frozen(
    rig: Rig, submitter: Submitter, claimer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway that workers may have taken for dead uses no permit, and the worker gets a Cancel."""
    monkeypatch.setattr(times, "GATEWAY_TTL_SECONDS", 0.0)
    with pytest.raises(NotSent):
        await granted(rig, submitter, claimer)
    await until("the Cancel is sent", lambda: len(mailbox_of_worker(rig)) == 1)


async def test_the_second_attempt_goes_first(rig: Rig, submitter: Submitter) -> None:
    """The second attempt goes in front of all others, and there is no third."""
    rig.ask(submitter, Priority.LOW, b"waits")
    await until("one waits", lambda: rig.waiting(Priority.LOW) == 1)
    asking = asyncio.create_task(ask(submitter, Priority.LOW, b"second", "GET /", is_idempotent=True, attempt=2))
    await until("both wait", lambda: rig.waiting(Priority.LOW) == 2)
    assert rig.payloads(Priority.LOW) == [b"second", b"waits"]
    assert rig.redis.hget(keys.job(rig.ids(Priority.LOW)[0]), "again") == b"0"
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)


@pytest.mark.parametrize("attempt", [1, 2])
async def test_one_attempt_is_one(rig: Rig, submitter: Submitter, claimer: Consumer, attempt: int) -> None:
    """A single attempt that failed is not repeated here: its caller decides."""
    asking = asyncio.create_task(ask(submitter, Priority.HIGH, CALL, "GET /", is_idempotent=True, attempt=attempt))
    await until("it is queued", lambda: rig.waiting(Priority.HIGH) == 1)
    (claim,) = (await claimer.publish_and_claim([], 1)).claims
    await claimer.publish_and_claim([OutgoingPart(claim, Failure(NotSent.slug, ""))], 0)
    with pytest.raises(NotSent):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asking
    assert rig.waiting(Priority.HIGH) == 0


async def test_a_gateway_that_ends_makes_no_second_attempt(rig: Rig) -> None:
    """Once a gateway has stopped, nothing is queued any more."""
    async with Submitter(Settings.load()) as submitter:
        await rig.let_go()
    with pytest.raises(RequestLost):
        await ask(submitter, Priority.HIGH, CALL, "GET /", is_idempotent=True, attempt=2)
    assert rig.waiting(Priority.HIGH) == 0


@pytest.mark.parametrize("is_lost", [False, True])
async def test_a_used_permit_leaves_no_cycle(is_lost: bool) -> None:
    """A permit is freed at its end, also if it was lost and its error was handled."""
    with without_collector():
        conversation = Conversation()
        permit = Permit(conversation, lambda has_ended: None)
        kept: list[weakref.ref[Any]] = [weakref.ref(permit), weakref.ref(conversation)]
        try:
            async with permit:
                if is_lost:
                    conversation.fail(RequestLost())
                    await asyncio.Event().wait()
        except RequestLost as error:
            without_traces(error)
        del permit, conversation
        assert [each() for each in kept] == [None, None]
