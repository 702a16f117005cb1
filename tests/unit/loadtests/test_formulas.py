"""The formulas: known values, the laws that they have to obey, and their results at the limits."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.queueing.formulas import Queue


@st.composite
def stable_queues(draw: st.DrawFn) -> Queue:
    slots = draw(st.integers(1, 200))
    service_seconds = draw(st.floats(0.001, 10))
    load = draw(st.floats(0.01, 0.99))
    high_share = draw(st.floats(0.01, 0.99))
    per_second = load * slots / service_seconds
    return Queue(slots, service_seconds, high_share * per_second, (1 - high_share) * per_second)


def queue_of(load: float, *, slots: int = 8) -> Queue:
    """As many high as low requests, 50 ms each."""
    each = load * slots / 0.05 / 2
    return Queue(slots, 0.05, each, each)


@pytest.mark.parametrize(
    ("slots", "offered", "probability"),
    [
        (1, 0.7, 0.7),
        (2, 1.0, 1 / 3),
        (3, 2.0, 4 / 9),
        # a^c / c! / (1 - a / c) over itself and the terms below it, added up by hand.
        (5, 4.0, 0.5541125541125541),
    ],
)
def test_erlang_c_has_its_textbook_values(slots: int, offered: float, probability: float) -> None:
    """The probability that a request has to wait equals the closed formula for few slots."""
    assert Queue(slots, 1.0, offered, 0.0).wait_probability == pytest.approx(probability)


@pytest.mark.parametrize("slots", [1000, 5000])
def test_thousands_of_slots_are_no_trouble(slots: int) -> None:
    """Neither factorials nor powers overflow: with more slots at the same load fewer requests wait, and some do."""
    queue = queue_of(0.99, slots=slots)

    assert 0 < queue.wait_probability < queue_of(0.99, slots=slots // 2).wait_probability < 1


def test_one_slot_has_the_waits_of_cobham() -> None:
    """With one slot, a load of 0.3 + 0.3 and a service of 1 s, high waits 0.6 / 0.7 s and low 0.6 / (0.7 x 0.4) s."""
    queue = Queue(1, 1.0, 0.3, 0.3)

    assert queue.high_wait_seconds == pytest.approx(0.6 / 0.7)
    assert queue.low_wait_seconds == pytest.approx(0.6 / (0.7 * 0.4))
    assert queue.fifo_wait_seconds == pytest.approx(0.6 / 0.4)


@given(stable_queues())
def test_what_high_gains_low_loses(queue: Queue) -> None:
    """Weighted by their loads, the waits of both classes add up to what they are without priorities."""
    low_load = queue.load - queue.high_load

    together = queue.high_load * queue.high_wait_seconds + low_load * queue.low_wait_seconds

    assert together == pytest.approx(queue.load * queue.fifo_wait_seconds)


@given(stable_queues())
def test_priority_shortens_the_wait_of_high_and_lengthens_that_of_low(queue: Queue) -> None:
    """High waits for less long than without priorities, low for longer."""
    assert queue.high_wait_seconds <= queue.fifo_wait_seconds <= queue.low_wait_seconds


@given(stable_queues())
def test_one_more_slot_never_makes_anybody_wait_longer(queue: Queue) -> None:
    """With one slot more, every wait is as short or shorter."""
    larger = replace(queue, slots=queue.slots + 1)

    assert larger.high_wait_seconds <= queue.high_wait_seconds
    assert larger.low_wait_seconds <= queue.low_wait_seconds
    assert larger.high_wait_quantile_seconds(0.95) <= queue.high_wait_quantile_seconds(0.95)


@given(stable_queues(), st.floats(0.01, 0.999))
def test_the_quantile_is_where_the_tail_has_the_rest(queue: Queue, p: float) -> None:
    """Exactly the share 1 - p waits for longer than the quantile, or p of them do not wait at all."""
    quantile_seconds = queue.high_wait_quantile_seconds(p)
    rate = queue.slots / queue.service_seconds - queue.high_per_second

    if quantile_seconds:
        assert queue.wait_probability * math.exp(-rate * quantile_seconds) == pytest.approx(1 - p)
    else:
        assert queue.wait_probability <= (1 - p) * (1 + 1e-9)


def test_the_tail_and_the_mean_agree() -> None:
    """The mean wait of high is the area under the tail that the quantiles describe."""
    queue = queue_of(0.9)
    steps = 100_000

    area = sum(queue.high_wait_quantile_seconds((step + 0.5) / steps) for step in range(steps)) / steps

    assert area == pytest.approx(queue.high_wait_seconds, rel=1e-3)


def test_without_low_requests_there_is_nothing_to_overtake() -> None:
    """If all requests are high, they wait as without priorities."""
    queue = Queue(4, 0.1, 36.0, 0.0)

    assert queue.high_wait_seconds == queue.fifo_wait_seconds


def test_without_requests_the_wait_is_zero() -> None:
    """Without requests the wait is 0."""
    queue = Queue(4, 0.1, 0.0, 0.0)

    assert (queue.load, queue.wait_probability, queue.high_wait_seconds, queue.low_wait_seconds) == (0, 0, 0, 0)


@pytest.mark.parametrize("low_per_second", [5.0, 50.0, 5000.0])
def test_overload_by_low_requests_leaves_high_ones_a_finite_wait(low_per_second: float) -> None:
    """At a load of 1 or more, low and FIFO wait without end, and high as if all slots were always in use."""
    queue = Queue(1, 0.1, 5.0, low_per_second)

    assert queue.wait_probability == 1
    assert queue.high_wait_seconds == pytest.approx(0.2)
    assert queue.high_wait_quantile_seconds(0.95) == pytest.approx(0.2 * math.log(20))
    assert queue.low_wait_seconds == queue.fifo_wait_seconds == math.inf


@pytest.mark.parametrize("high_per_second", [10.0, 11.0])
def test_overload_by_high_requests_makes_all_waits_infinite(high_per_second: float) -> None:
    """If high requests alone fill the slots, all wait without end."""
    queue = Queue(1, 0.1, high_per_second, 5.0)

    assert queue.high_wait_seconds == queue.low_wait_seconds == queue.high_wait_quantile_seconds(0.5) == math.inf


@pytest.mark.parametrize(
    ("numbers", "complaint"),
    [
        ((0, 1.0, 1.0, 1.0), "slots is 0; use 1 or more"),
        ((1, 0.0, 1.0, 1.0), "service_seconds is 0.0; use a number above 0"),
        ((1, math.inf, 1.0, 1.0), "service_seconds is inf"),
        ((1, 1.0, -1.0, 1.0), "high_per_second is -1.0; use a number of 0 or more"),
        ((1, 1.0, 1.0, math.nan), "low_per_second is nan"),
    ],
)
def test_numbers_out_of_range_are_refused(numbers: tuple[int, float, float, float], complaint: str) -> None:
    """An invalid queue is refused with the name, the value and what to use instead."""
    with pytest.raises(ValueError, match=complaint):
        Queue(*numbers)


@pytest.mark.parametrize("p", [0.0, 1.0, 95.0, math.nan])
def test_a_quantile_of_no_share_is_refused(p: float) -> None:
    """A quantile is given by a share between 0 and 1, not by a percentage."""
    with pytest.raises(ValueError, match=r"use a share between 0 and 1, such as 0\.95"):
        queue_of(0.5).high_wait_quantile_seconds(p)
