"""What a worker has in flight: gateways are heard, and who has left is not served."""

import math

import pytest

from fast_priority.broker import keys
from fast_priority.broker.consumer import Claim
from fast_priority.protocol.frames import Cancel, Credit, Frame, Part
from fast_priority.slots.forward import GatewayChannel
from fast_priority.slots.in_flight import InFlight, InFlightRequest
from fast_priority.support.elapsed import Moment

CLAIM = Claim("job-1", "execution-1", "high", "gateway-1", b"")


LONG = Moment(math.inf, math.inf, math.inf)


def line_for(claim: Claim) -> GatewayChannel:
    async def say_nothing(part: Part) -> None:
        """Nobody listens."""

    return GatewayChannel("worker-1", say_nothing)


def with_one() -> tuple[InFlight, InFlightRequest]:
    in_flight = InFlight(line_for)
    carried = in_flight.start(CLAIM, LONG)
    assert carried is not None
    return in_flight, carried


def test_a_client_that_left_ends_its_call() -> None:
    """A Leave breaks off what carries the request, and that can tell why."""
    in_flight, carried = with_one()
    broken_off = []
    assert carried.begin(lambda: broken_off.append(carried.client_has_left))
    in_flight.hear(Frame("job-1", Cancel()))
    assert broken_off == [True]


def test_a_client_that_left_before_it_began() -> None:
    """What has not begun when the Leave comes is told so when it is about to, and breaks nothing off."""
    in_flight, carried = with_one()
    in_flight.hear(Frame("job-1", Cancel()))
    assert not carried.begin(lambda: pytest.fail("nothing has begun"))
    assert carried.client_has_left


def test_a_client_that_left_before_we_knew_of_the_claim() -> None:
    """A Leave that overtakes the answer to the claim keeps the request from being carried, once."""
    in_flight = InFlight(line_for)
    in_flight.hear(Frame("job-1", Cancel()))
    assert in_flight.start(CLAIM, LONG) is None
    assert len(in_flight) == 0
    assert in_flight.start(CLAIM, LONG) is not None


def test_what_is_over_is_not_broken_off() -> None:
    """Whoever gives up what has ended meanwhile ends nothing."""
    in_flight, carried = with_one()
    carried.begin(lambda: pytest.fail("it is over"))
    in_flight.end(carried)
    carried.give_up()


def test_leavings_of_strangers_take_no_room() -> None:
    """However many Leaves come for requests that are not ours, only so many are remembered."""
    in_flight = InFlight(line_for)
    for number in range(5000):
        in_flight.hear(Frame(str(number), Cancel()))
    assert len(in_flight._left_early) <= 1000


def test_what_is_said_reaches_its_own_request() -> None:
    """A frame is heard by the request that it names, and one for a stranger by none."""
    in_flight, carried = with_one()
    heard_of = []
    for request_id in ("job-2", "job-1"):
        in_flight.hear(Frame(request_id, Credit(7)))
        heard_of.append(carried.line.conversation.was_heard_of)
    assert heard_of == [False, True]


def test_another_execution_is_another_claim() -> None:
    """Only the very claim that is carried is found."""
    in_flight, carried = with_one()
    assert in_flight.get(CLAIM) is carried
    assert in_flight.get(CLAIM._replace(execution_id="other")) is None
    in_flight.end(carried)
    assert (len(in_flight), in_flight.get(CLAIM)) == (0, None)


def ago(seconds: float, **by_one_clock: float) -> Moment:
    """The moment that was so long ago, or by one clock longer."""
    now = Moment.now()
    passed = dict.fromkeys(Moment._fields, seconds) | by_one_clock
    return Moment(*(clock - passed[name] for name, clock in now._asdict().items()))


def leased(since: Moment) -> InFlightRequest:
    return InFlightRequest(CLAIM, line_for, since)


def test_leased() -> None:
    """What is leased may be sent."""
    assert leased(Moment.now()).may_be_sent


@pytest.mark.parametrize("clock", Moment._fields)
def test_out_of_lease(clock: str) -> None:
    """A request may not be sent once its lease is over by any clock: somebody else may have it.

    The worker was frozen, its machine was suspended, or its clock was set.
    """
    assert not leased(ago(0, **{clock: keys.LEASE_SECONDS + 1})).may_be_sent


def test_a_clock_that_was_set_back() -> None:
    """A wall clock that was set back makes no lease last longer."""
    assert not leased(ago(keys.LEASE_SECONDS + 1, wall=-3600)).may_be_sent


def test_prolonged() -> None:
    """A lease that was renewed in time lasts from then on."""
    carried = leased(ago(keys.LEASE_SECONDS - 2))
    now = Moment.now()
    carried.prolong(now)
    assert carried._leased_since == now
    assert carried.may_be_sent


def test_prolonged_too_late() -> None:
    """A renewal does not bring a lease back that had ended before."""
    carried = leased(ago(keys.LEASE_SECONDS + 1))
    carried.prolong(Moment.now())
    assert not carried.may_be_sent
