"""Which scenarios a check runs, for how long, and how it refuses impossible options."""

import pytest

from fast_priority.errors import ConfigurationError
from loadtests.check.plan import QUICK, QUICK_SECONDS, CheckOptions, plan_runs, read_loads
from loadtests.check.stack_size import StackShape, StackSize
from loadtests.scenarios.catalogue import SCENARIOS


def names_of(options: CheckOptions, *, can_drain: bool = True) -> list[str]:
    return [run.name for run in plan_runs(options, can_drain=can_drain)[0]]


def test_all_scenarios_by_default() -> None:
    """By default every scenario of the catalogue is run once."""
    assert sorted(names_of(CheckOptions(slots=4))) == sorted(SCENARIOS)


def test_quick_runs_what_proves_the_order_and_no_longer_than_needed() -> None:
    """A quick check runs the scenarios that prove the order, each for ten seconds."""
    runs, skipped = plan_runs(CheckOptions(slots=4, quick=True), can_drain=False)
    assert tuple(run.name for run in runs) == QUICK
    assert {run.sizing.seconds for run in runs} == {QUICK_SECONDS}
    assert skipped == {}


@pytest.mark.parametrize(("slots", "service_seconds"), [(1, 0.2), (4, 0.2), (16, 0.8), (64, 3.2), (500, 3.2)])
def test_a_slot_becomes_free_no_more_often_than_high_requests_can_bear(slots: int, service_seconds: float) -> None:
    """With many slots requests take longer, up to 3.2 s, so that high ones wait; and a run lasts for twelve of them."""
    runs, _ = plan_runs(CheckOptions(slots=slots, quick=True), can_drain=False)
    for run in runs:
        assert run.sizing.service_seconds == pytest.approx(service_seconds)
        assert run.sizing.seconds == pytest.approx(max(QUICK_SECONDS, 12 * service_seconds))


def test_drain_is_last_because_it_ends_the_gateway() -> None:
    """In any given order, nothing runs after the scenario that ends the gateway."""
    assert names_of(CheckOptions(slots=4, scenarios=("drain", "burst", "saturation"))) == [
        "burst",
        "saturation",
        "drain",
    ]


def test_drain_is_skipped_with_a_reason_for_an_external_gateway() -> None:
    """A gateway that the check did not start is not ended; the report has the reason."""
    runs, skipped = plan_runs(CheckOptions(slots=4), can_drain=False)
    assert "drain" not in [run.name for run in runs]
    assert "this check did not start them" in skipped["drain"]


def test_mixed_is_run_at_each_load_under_a_name_of_its_own() -> None:
    """Several loads are several runs with different titles."""
    runs, _ = plan_runs(CheckOptions(slots=8, scenarios=("mixed",), loads=(0.5, 0.95)), can_drain=True)
    assert [(run.title, run.sizing.load) for run in runs] == [("mixed at 50%", 0.5), ("mixed at 95%", 0.95)]
    assert all(run.calibrate for run in runs)


def test_options_reach_every_run() -> None:
    """Every run has the given slots, times, seed and paths."""
    options = CheckOptions(slots=3, seconds=7, service_seconds=0.4, seed=9, high_path="/h", low_path="/l")
    for run in plan_runs(options, can_drain=True)[0]:
        sizing = run.sizing
        assert (sizing.slots, sizing.seconds, sizing.service_seconds) == (3, 7, 0.4)
        assert (sizing.seed, sizing.high_path, sizing.low_path) == (9, "/h", "/l")


def test_an_unknown_scenario_is_refused_with_those_there_are() -> None:
    """The error has the unknown name and the valid ones."""
    with pytest.raises(ConfigurationError, match="--scenario brust is not a scenario: choose from saturation, burst"):
        plan_runs(CheckOptions(slots=4, scenarios=("brust",)), can_drain=True)


@pytest.mark.parametrize("text", ["", "0.5,", "1", "0", "-0.5", "nan", "0.5;0.8", "half"])
def test_impossible_loads_are_refused(text: str) -> None:
    """A load is above 0 and below 1; anything else is an error with an example."""
    with pytest.raises(ConfigurationError, match="use numbers above 0 and below 1, like"):
        read_loads(text)


def test_loads_are_read_in_their_order() -> None:
    """Several loads, comma-separated, are used in the given order."""
    assert read_loads("0.5, 0.95,0.8") == (0.5, 0.95, 0.8)


@pytest.mark.parametrize(
    ("slots", "workers", "shared"),
    [(4, 1, {4: 1}), (4, 2, {2: 2}), (16, 3, {6: 1, 5: 2}), (3, 3, {1: 3}), (1, 1, {1: 1})],
)
def test_slots_are_shared_by_worker_processes_as_equally_as_it_goes(
    slots: int, workers: int, shared: dict[int, int]
) -> None:
    """All slots are given out, and no process has two more than another."""
    assert StackSize(slots, workers).processes_by_slots == shared


@pytest.mark.parametrize(
    ("size", "of_gateways", "of_workers"),
    [
        (StackSize(4), (0,), {4: 1}),
        (StackSize(4, shape=StackShape.SLOTS), (4,), {}),
        (StackSize(5, gateways=2, shape=StackShape.SLOTS), (3, 2), {}),
        (StackSize(4, shape=StackShape.MIXED), (2,), {2: 1}),
        (StackSize(5, 2, 2, shape=StackShape.MIXED), (1, 1), {2: 1, 1: 1}),
        (StackSize(4, 3, 1, shape=StackShape.MIXED), (1,), {1: 3}),
        (StackSize(4, 1, 3, shape=StackShape.MIXED), (1, 1, 1), {1: 1}),
    ],
)
def test_who_has_the_slots(size: StackSize, of_gateways: tuple[int, ...], of_workers: dict[int, int]) -> None:
    """In each shape all slots are given out, and each process that is to have slots has one at least."""
    assert (size.slots_of_gateways, size.processes_by_slots) == (of_gateways, of_workers)


@pytest.mark.parametrize(
    ("shape", "workers", "gateways", "words"),
    [
        (StackShape.SLOTS, 1, 3, "--slots 2 is less than --gateways 3: with --shape slots"),
        (StackShape.MIXED, 1, 2, "--slots 2 is less than --workers 1 and --gateways 2 together: with --shape mixed"),
    ],
)
def test_too_few_slots_for_a_shape(shape: StackShape, workers: int, gateways: int, words: str) -> None:
    """A process without the slot that its shape gives it is refused, by the names of the options."""
    with pytest.raises(ConfigurationError, match=words):
        StackSize(2, workers, gateways, shape=shape)


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ("workers", "gateway and workers"),
        ("slots", "gateway with 4 of 4 slots"),
        ("mixed", "gateway with 2 of 4 slots and workers"),
    ],
)
def test_a_stack_as_text(shape: str, text: str) -> None:
    """What is started can be read."""
    assert StackSize(4, shape=StackShape(shape)).as_text == text


@pytest.mark.parametrize(
    ("size", "words"),
    [((0, 1, 1), "--slots is 0"), ((4, 0, 1), "--workers is 0"), ((4, 1, 0), "--gateways is 0"), ((2, 3, 1), "less")],
)
def test_an_impossible_stack_is_refused(size: tuple[int, int, int], words: str) -> None:
    """A stack without slots, workers or gateways, or with workers that have no slot, is refused by option name."""
    with pytest.raises(ConfigurationError, match=words):
        StackSize(*size)
