"""The requests that a worker has in flight: their states, their leases, and the frames of their gateways."""

import asyncio
import math

import pytest

from fast_priority.broker import times
from fast_priority.broker.consumer import Claim
from fast_priority.errors import NewerWireVersion
from fast_priority.protocol.frames import Cancel, Credit, Failure, Frame, Part
from fast_priority.slots.forward import FinalPart
from fast_priority.slots.gateway_channel import GatewayChannel
from fast_priority.slots.in_flight import InFlight, InFlightRequest, State
from fast_priority.support.elapsed import Moment

CLAIM = Claim("job-1", "execution-1", "high", "gateway-1", b"")
LONG = Moment(math.inf, math.inf, math.inf)


def channel_of(claim: Claim) -> GatewayChannel:
    async def publish(part: Part) -> None:
        pytest.fail("nothing is published here")

    return GatewayChannel("worker-1", publish)


class Started:
    """A worker with one request, and the parts with which it ended."""

    def __init__(self, since: Moment = LONG) -> None:
        self.ends: list[FinalPart | None] = []
        self.in_flight = InFlight(channel_of)
        request = self.in_flight.start(CLAIM, since, self.note_end)
        assert request is not None
        self.request = request

    def note_end(self, request: InFlightRequest, final: FinalPart | None) -> None:
        self.in_flight.remove(request)
        self.ends.append(final)

    def cancel(self) -> None:
        self.in_flight.receive(Frame("job-1", Cancel()))


@pytest.mark.parametrize("state", [State.ON_FAST_PATH, State.HOLDS_PERMIT])
def test_a_cancel_ends_what_has_no_task(state: State) -> None:
    """A Cancel ends a request on the fast path or with a permit at once, and only once."""
    started = Started()
    started.request.move_to(state)
    for _ in range(2):
        started.cancel()
    assert (started.request.state, started.ends, len(started.in_flight)) == (State.ENDED, [None], 0)
    assert started.request.client_has_left


async def test_a_cancel_ends_a_task() -> None:
    """A Cancel cancels the task of a request; the task itself ends the request."""
    started = Started()
    has_entered = asyncio.Event()

    async def forward() -> None:
        assert started.request.enter_task()
        has_entered.set()
        await asyncio.Event().wait()

    started.request.run_in_task(forward())
    await has_entered.wait()
    started.cancel()
    assert started.request.task is not None
    with pytest.raises(asyncio.CancelledError):
        await started.request.task
    assert (started.request.client_has_left, started.ends) == (True, [])


async def test_a_cancel_before_the_first_step() -> None:
    """A Cancel that comes before the first step of a task does not keep the task from running: it ends the request."""
    started = Started()

    async def forward() -> None:
        assert not started.request.enter_task()
        started.request.end(None)

    started.request.run_in_task(forward())
    started.cancel()
    assert started.request.task is not None
    await started.request.task
    assert started.ends == [None]


async def test_a_refusal_is_not_cancelled() -> None:
    """A job that is not ours is refused to the end, also when a Cancel comes for it."""
    started = Started()

    async def refuse() -> None:
        await asyncio.sleep(0)
        started.request.end(None)

    started.request.run_in_task(refuse(), State.REFUSED)
    started.cancel()
    assert started.request.task is not None
    await started.request.task
    assert started.ends == [None]


def test_a_cancel_before_the_claim_is_known() -> None:
    """A Cancel that overtakes the answer to the claim keeps the request from being started, once."""
    in_flight = InFlight(channel_of)
    in_flight.receive(Frame("job-1", Cancel()))
    assert in_flight.start(CLAIM, LONG, lambda request, final: None) is None
    assert len(in_flight) == 0
    assert in_flight.start(CLAIM, LONG, lambda request, final: None) is not None


def test_early_cancels_are_bounded() -> None:
    """However many Cancels come for requests that are not in flight, only so many are kept."""
    in_flight = InFlight(channel_of)
    for number in range(5000):
        in_flight.receive(Frame(str(number), Cancel()))
    assert len(in_flight._cancelled_early) <= 1000


def test_what_has_ended_is_not_cancelled() -> None:
    """A cancellation that comes after the end changes nothing."""
    started = Started()
    started.request.end(None)
    started.request.cancel()
    assert started.ends == [None]


def test_no_state_follows_the_end() -> None:
    """A request ends once, and then stays so."""
    started = Started()
    started.request.end(None)
    with pytest.raises(RuntimeError, match="ended"):
        started.request.end(None)
    with pytest.raises(RuntimeError, match="ON_FAST_PATH"):
        started.request.move_to(State.ON_FAST_PATH)


def test_a_request_shows_its_state() -> None:
    """Its representation names the job and the state."""
    started = Started()
    started.request.move_to(State.HOLDS_PERMIT)
    assert "job-1: holds a permit" in repr(started.request)


def test_a_frame_reaches_its_own_request() -> None:
    """A frame is received by the request that it names, and by no other."""
    started = Started()
    has_received = []
    for request_id in ("job-2", "job-1"):
        started.in_flight.receive(Frame(request_id, Credit(7)))
        has_received.append(started.request.channel.conversation.has_received)
    assert has_received == [False, True]


def test_another_execution_is_another_claim() -> None:
    """Only the very claim that is in flight is found."""
    started = Started()
    assert started.in_flight.get(CLAIM) is started.request
    assert started.in_flight.get(CLAIM._replace(execution_id="other")) is None
    started.request.end(None)
    assert (len(started.in_flight), started.in_flight.get(CLAIM)) == (0, None)


def ago(seconds: float, **by_one_clock: float) -> Moment:
    """Return the moment that was so long ago, or longer by one clock."""
    now = Moment.now()
    passed = dict.fromkeys(Moment._fields, seconds) | by_one_clock
    return Moment(*(clock - passed[name] for name, clock in now._asdict().items()))


def leased(since: Moment) -> InFlightRequest:
    return Started(since).request


def test_a_leased_request_may_be_sent() -> None:
    """A request that is leased may be sent."""
    assert leased(Moment.now()).may_be_sent()


@pytest.mark.parametrize("clock", Moment._fields)
def test_a_request_out_of_lease(clock: str) -> None:
    """A request may not be sent once its lease is over by any clock: another worker may have it.

    The worker was frozen, its machine was suspended, or its clock was set.
    """
    assert not leased(ago(0, **{clock: times.LEASE_SECONDS + 1})).may_be_sent()


def test_a_clock_that_was_set_back() -> None:
    """A wall clock that was set back makes no lease last longer."""
    assert not leased(ago(times.LEASE_SECONDS + 1, wall=-3600)).may_be_sent()


def test_a_renewed_lease() -> None:
    """A lease that was renewed in time lasts from then on."""
    request = leased(ago(times.LEASE_SECONDS - 2))
    now = Moment.now()
    request.renew(now)
    assert request._leased_since == now
    assert request.may_be_sent()


def test_a_lease_that_was_renewed_too_late() -> None:
    """A renewal does not bring a lease back that was over before."""
    request = leased(ago(times.LEASE_SECONDS + 1))
    request.renew(Moment.now())
    assert not request.may_be_sent()


@pytest.mark.parametrize("state", [State.ON_FAST_PATH, State.HOLDS_PERMIT])
def test_an_unreadable_frame_ends_what_has_no_task(state: State) -> None:
    """A frame that cannot be read ends a request on the fast path or with a permit, and its gateway gets the reason."""
    started = Started()
    started.request.move_to(state)
    started.in_flight.fail("job-1", NewerWireVersion("why"))
    (end,) = started.ends
    assert isinstance(end, Failure)
    assert (end.slug, end.detail) == (NewerWireVersion.slug, "why")


async def test_an_unreadable_frame_ends_the_conversation_of_a_task() -> None:
    """A task that waits for a frame gets the error instead, and so does one that sends the next part."""
    started = Started()

    async def forward() -> None:
        assert started.request.enter_task()
        with pytest.raises(NewerWireVersion):
            await started.request.channel.conversation.next()
        with pytest.raises(NewerWireVersion):
            await started.request.channel.conversation.acquire_credit()
        started.request.end(None)

    started.request.run_in_task(forward())
    assert started.request.task is not None
    started.in_flight.fail("job-1", NewerWireVersion("why"))
    await started.request.task
    assert started.ends == [None]


def test_an_unreadable_frame_for_another_request() -> None:
    """A frame that cannot be read, for a request that is not in flight, changes nothing."""
    started = Started()
    started.in_flight.fail("job-2", NewerWireVersion("why"))
    assert (started.ends, started.request.state) == ([], State.CLAIMED)
