"""The perfect queue: the rules it has to keep on any trace, and theory on long random ones."""

import math
import statistics
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.queueing.formulas import Queue
from loadtests.queueing.perfect_queue import Customer, Discipline, simulate_waits
from loadtests.records.traces import Priority

priorities: st.SearchStrategy[Priority] = st.sampled_from(("high", "low"))
# Whole seconds make ties, and sums that are exact.
customers = st.lists(
    st.builds(Customer, st.integers(0, 40).map(float), priorities, st.integers(0, 9).map(float)), max_size=40
)
few_slots = st.integers(1, 5)
disciplines: st.SearchStrategy[Discipline] = st.sampled_from(("priority", "fifo"))
LAST = 40 + 40 * 9
BUSY = Queue(8, 0.05, 80.0, 70.0)


def start_all(trace: list[Customer], slots: int, discipline: Discipline) -> list[float]:
    return [one.arrives_at + wait for one, wait in zip(trace, simulate_waits(trace, slots, discipline), strict=True)]


def in_service(trace: list[Customer], starts: list[float]) -> list[int]:
    """How many are served in the middle of each second."""
    counts = [0] * LAST
    for one, start in zip(trace, starts, strict=True):
        for second in range(int(start), int(start + one.service_seconds)):
            counts[second] += 1
    return counts


def in_wait(trace: list[Customer], starts: list[float]) -> list[int]:
    """How many wait in the middle of each second."""
    waits = [
        Customer(one.arrives_at, one.priority, start - one.arrives_at) for one, start in zip(trace, starts, strict=True)
    ]
    return in_service(waits, [one.arrives_at for one in trace])


@given(customers, few_slots, disciplines)
def test_never_more_are_served_than_there_are_slots(trace: list[Customer], slots: int, discipline: Discipline) -> None:
    """At no moment are more customers served than there are slots."""
    assert max(in_service(trace, start_all(trace, slots, discipline))) <= slots


@given(customers, few_slots, disciplines)
def test_no_slot_is_free_while_a_request_waits(trace: list[Customer], slots: int, discipline: Discipline) -> None:
    """Whenever a customer waits, every slot serves another."""
    starts = start_all(trace, slots, discipline)

    for served, waiting in zip(in_service(trace, starts), in_wait(trace, starts), strict=True):
        assert served == slots or not waiting


@given(customers, few_slots)
def test_no_low_one_starts_while_a_high_one_waits(trace: list[Customer], slots: int) -> None:
    """When a low customer starts, no high one that has arrived waits."""
    started = list(zip(trace, start_all(trace, slots, "priority"), strict=True))

    for low, low_start in started:
        for high, high_start in started:
            if (low.priority, high.priority) == ("low", "high"):
                assert not high.arrives_at <= low_start < high_start


@given(customers, few_slots, disciplines)
def test_inside_a_class_the_first_to_arrive_starts_first(
    trace: list[Customer], slots: int, discipline: Discipline
) -> None:
    """Customers of one class start in the order of arrival."""
    starts = start_all(trace, slots, discipline)

    for priority in ("high", "low"):
        own = [(one.arrives_at, start) for one, start in zip(trace, starts, strict=True) if one.priority == priority]
        in_order = [start for _, start in sorted(own, key=lambda pair: pair[0])]
        assert in_order == sorted(in_order)


@given(customers, few_slots)
def test_fifo_knows_no_priority(trace: list[Customer], slots: int) -> None:
    """Under FIFO the priorities of the customers change no wait."""
    swapped = [
        Customer(one.arrives_at, "low" if one.priority == "high" else "high", one.service_seconds) for one in trace
    ]

    assert simulate_waits(trace, slots, "fifo") == simulate_waits(swapped, slots, "fifo")


@given(customers, few_slots, priorities)
def test_one_class_alone_knows_no_priority(trace: list[Customer], slots: int, priority: Priority) -> None:
    """If all customers have the same priority, both disciplines have the same waits."""
    alike = [Customer(one.arrives_at, priority, one.service_seconds) for one in trace]

    assert simulate_waits(alike, slots, "priority") == simulate_waits(alike, slots, "fifo")


@given(customers)
def test_priority_changes_the_order_and_not_the_total_service(trace: list[Customer]) -> None:
    """A single slot is busy at the same moments under both disciplines."""
    by_priority, fifo = (in_service(trace, start_all(trace, 1, discipline)) for discipline in ("priority", "fifo"))

    assert by_priority == fifo


@given(customers, few_slots, st.integers(1, 9))
def test_with_equal_services_the_waits_add_up_to_the_same(trace: list[Customer], slots: int, service: int) -> None:
    """If all services take equally long, no discipline changes the sum of all waits."""
    equal = [Customer(one.arrives_at, one.priority, float(service)) for one in trace]

    assert sum(simulate_waits(equal, slots, "priority")) == sum(simulate_waits(equal, slots, "fifo"))


def test_customers_may_be_named_in_any_order() -> None:
    """The waits are in the order of the customers, not of arrival."""
    trace = [Customer(2.0, "high", 1.0), Customer(1.0, "low", 3.0), Customer(0.0, "low", 4.0)]

    assert simulate_waits(trace, 1) == [2.0, 4.0, 0.0]


def draw_trace(queue: Queue, count: int, seed: int) -> list[Customer]:
    random = Random(seed)
    per_second = queue.high_per_second + queue.low_per_second
    high_share = queue.high_per_second / per_second
    trace, at = [], 0.0
    for _ in range(count):
        at += random.expovariate(per_second)
        priority: Priority = "high" if random.random() < high_share else "low"
        trace.append(Customer(at, priority, random.expovariate(1 / queue.service_seconds)))
    return trace


def assert_mean(values: list[float], expected: float) -> None:
    """Compare the mean of values that depend on their neighbours with theory, at 99.9 % confidence."""
    size = len(values) // 30
    batches = [statistics.fmean(values[first : first + size]) for first in range(0, 30 * size, size)]
    half_width = 3.66 * statistics.stdev(batches) / math.sqrt(30)
    assert abs(statistics.fmean(batches) - expected) < half_width
    assert half_width < 0.4 * expected, "the run is too short to tell anything"


@pytest.mark.parametrize(
    "queue",
    [Queue(1, 1.0, 0.35, 0.35), Queue(8, 0.05, 40.0, 80.0), Queue(8, 0.05, 90.0, 30.0), Queue(20, 0.5, 16.0, 16.0)],
    ids=str,
)
def test_random_customers_wait_as_theory_says(queue: Queue) -> None:
    """On a long random trace the mean waits of both classes, and of FIFO, are those of the formulas."""
    trace = draw_trace(queue, 120_000, seed=1)
    by_priority = simulate_waits(trace, queue.slots)

    for priority, expected in (("high", queue.high_wait_seconds), ("low", queue.low_wait_seconds)):
        assert_mean([wait for one, wait in zip(trace, by_priority, strict=True) if one.priority == priority], expected)
    assert_mean(simulate_waits(trace, queue.slots, "fifo"), queue.fifo_wait_seconds)


@pytest.fixture(scope="module")
def high_waits() -> list[float]:
    """Those of the high customers of a long random trace through `BUSY`."""
    trace = draw_trace(BUSY, 120_000, seed=2)
    return [wait for one, wait in zip(trace, simulate_waits(trace, 8), strict=True) if one.priority == "high"]


@pytest.mark.parametrize("p", [0.5, 0.8, 0.95])
def test_high_waits_have_the_distribution_of_the_formula(p: float, high_waits: list[float]) -> None:
    """On a long random trace the share 1 - p of high customers waits for longer than the formula's quantile."""
    quantile_seconds = BUSY.high_wait_quantile_seconds(p)

    assert_mean([float(wait > quantile_seconds) for wait in high_waits], 1 - p)


def test_high_customers_wait_as_theory_says_even_in_overload() -> None:
    """At a load of 1.5 high customers still wait for as long as the formula says."""
    queue = Queue(4, 0.1, 20.0, 40.0)
    trace = draw_trace(queue, 60_000, seed=3)
    waits = [wait for one, wait in zip(trace, simulate_waits(trace, 4), strict=True) if one.priority == "high"]

    assert_mean(waits, queue.high_wait_seconds)


@pytest.mark.parametrize(
    "customer", [Customer(0.0, "high", -1.0), Customer(math.nan, "high", 1.0), Customer(0.0, "high", math.inf)]
)
def test_a_customer_that_cannot_be_served_is_refused(customer: Customer) -> None:
    """A service below 0 and times that are no number are refused, with the customer."""
    with pytest.raises(ValueError, match="cannot be served"):
        simulate_waits([customer], 1)


def test_a_queue_without_slots_is_refused() -> None:
    """At least one slot is required."""
    with pytest.raises(ValueError, match="slots is 0; use 1 or more"):
        simulate_waits([], 0)
