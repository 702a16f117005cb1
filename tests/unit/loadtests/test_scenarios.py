"""The catalogue of scenarios: each one has its intended effect on a gateway of any size."""

import math
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.oracle.ordering import DEFAULT_TOLERANCE_SECONDS
from loadtests.scenarios.arrival_processes import Bursts, Poisson
from loadtests.scenarios.catalogue import SCENARIOS, Scenario, Sizing, build_scenario
from loadtests.scenarios.streams import Abandonment, ClosedLoop, OpenLoop, RequestStream
from mock_target.settings.latency import Uniform, parse_latency
from mock_target.settings.request_overrides import read_overrides

CHECKS = {"order", "saturated", "limit", "once", "left", "answered", "waits", "slots busy"}

names = st.sampled_from(list(SCENARIOS))
sizings = st.builds(
    Sizing,
    slots=st.integers(1, 8) | st.integers(1, 500),
    service_seconds=st.floats(0.001, 100),
    seconds=st.floats(1, 1000),
    load=st.floats(0.01, 2),
)


def stream_of(scenario: Scenario, name: str) -> RequestStream:
    return next(stream for stream in scenario.streams if stream.name == name)


@given(names, sizings)
def test_each_scenario_is_whole(name: str, sizing: Sizing) -> None:
    """A scenario has its name, a title of one line, both priorities, and promises that can be judged."""
    scenario = build_scenario(name, sizing)
    assert scenario.name == name
    assert scenario.title
    assert "\n" not in scenario.title
    assert {stream.priority for stream in scenario.streams} == {"high", "low"}
    assert len({stream.name for stream in scenario.streams}) == len(scenario.streams)
    assert set(scenario.promises) <= CHECKS


@given(names, sizings)
def test_the_mock_target_accepts_the_scenarios_fields(name: str, sizing: Sizing) -> None:
    """The mock target accepts the latencies and the other fields of each stream."""
    for stream in build_scenario(name, sizing).streams:
        parse_latency(stream.latency)
        read_overrides(b"", [(name.lower().encode(), value.encode()) for name, value in stream.fields])


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name != "mixed"])
@given(sizing=sizings)
def test_flood_saturates(name: str, sizing: Sizing) -> None:
    """Of the low users three times as many as there are slots ask without a pause, so that low requests always wait."""
    source = stream_of(build_scenario(name, sizing), "low").source
    assert isinstance(source, ClosedLoop)
    assert source.users >= 3 * sizing.slots + 2
    assert source.think_seconds == 0


def high_share(name: str, sizing: Sizing) -> float:
    """Return the share of the capacity that high requests use; they arrive at random."""
    source = stream_of(build_scenario(name, sizing), "high").source
    assert isinstance(source, OpenLoop)
    assert isinstance(source.process, Poisson)
    return source.process.per_second * sizing.service_seconds / sizing.slots


@pytest.mark.parametrize("name", ["saturation", "slow-low", "failing", "drain"])
@given(sizing=sizings)
def test_high_requests_leave_slots_to_low_ones(name: str, sizing: Sizing) -> None:
    """High requests arrive at random, and use at most 85 % of the capacity."""
    assert 0.1 <= high_share(name, sizing) <= 0.85 * (1 + 1e-9)


@pytest.mark.parametrize("name", ["saturation", "failing", "drain"])
@given(sizing=sizings)
def test_high_requests_wait_for_long_enough_to_be_judged(name: str, sizing: Sizing) -> None:
    """With all slots in use their mean wait is twice the default tolerance, as far as 50 to 85 % of the slots allow."""
    share = high_share(name, sizing)
    wait_seconds = sizing.service_seconds / (sizing.slots * (1 - share))
    wanted_seconds = 2 * DEFAULT_TOLERANCE_SECONDS
    assert wait_seconds >= wanted_seconds * (1 - 1e-9) or share == pytest.approx(0.85)
    assert wait_seconds <= wanted_seconds * (1 + 1e-9) or share == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("slots", "service_seconds", "share"), [(1, 0.2, 0.5), (4, 0.2, 0.75), (8, 0.2, 0.85), (8, 0.4, 0.75)]
)
def test_the_share_of_high_requests_follows_from_the_size(slots: int, service_seconds: float, share: float) -> None:
    """The more slots there are, and the shorter the service, the more high ones it takes to make one wait."""
    assert high_share("saturation", Sizing(slots, service_seconds)) == pytest.approx(share)


@pytest.mark.parametrize("name", ["burst", "leaving"])
@given(sizing=sizings)
def test_bursts_have_to_queue_and_leave_slots_to_low_ones(name: str, sizing: Sizing) -> None:
    """A burst is several times what the slots take at once, and is through long before the next one."""
    source = stream_of(build_scenario(name, sizing), "high").source
    assert isinstance(source, OpenLoop)
    assert isinstance(source.process, Bursts)
    assert source.process.size >= 4 * sizing.slots
    through_after_seconds = source.process.size / sizing.slots * sizing.service_seconds
    assert through_after_seconds <= 0.5 * source.process.every_seconds * (1 + 1e-9)


@given(sizings)
def test_mixed_asks_for_its_load(sizing: Sizing) -> None:
    """Both priorities together ask for the given share of the slots' time, each for half of it."""
    rates = [
        stream.source.process.per_second
        for stream in build_scenario("mixed", sizing).streams
        if isinstance(stream.source, OpenLoop) and isinstance(stream.source.process, Poisson)
    ]
    assert len(rates) == 2
    assert rates[0] == rates[1]
    assert sum(rates) * sizing.service_seconds / sizing.slots == pytest.approx(sizing.load)


@pytest.mark.parametrize("load", [0.5, 0.7312])
def test_the_title_of_mixed_has_no_load(load: float) -> None:
    """The load is corrected by how long slots are held, and would not be the given one."""
    assert "%" not in build_scenario("mixed", Sizing(4, load=load)).title


def test_mixed_service_is_exponential() -> None:
    """The formula that mixed is compared with is for exponential service times with this mean."""
    assert {stream.latency for stream in build_scenario("mixed", Sizing(4, 0.05)).streams} == {"exponential:0.05"}


def test_failing_sends_what_may_be_sent_again_and_what_must_not() -> None:
    """Among the requests whose connection is reset are idempotent ones and others (RFC 9110, section 9.2.2)."""
    scenario = build_scenario("failing", Sizing(4))
    assert {stream.method for stream in scenario.streams} == {"GET", "POST"}
    assert all(("X-Mock-Fault", "reset") in stream.fields for stream in scenario.streams)


def test_clients_of_both_priorities_leave() -> None:
    """In the scenario leaving, and in no other, a third of the clients of each stream does not wait for ever."""
    for name in SCENARIOS:
        for stream in build_scenario(name, Sizing(4)).streams:
            assert (stream.abandonment is not None) == (name == "leaving")
            assert stream.abandonment is None or stream.abandonment.share == pytest.approx(1 / 3)


@given(names, sizings)
def test_every_stream_has_its_sources(name: str, sizing: Sizing) -> None:
    """There is one source for each open loop and one for each user, open loops first."""
    scenario = build_scenario(name, sizing)
    is_open = [isinstance(stream.source, OpenLoop) for stream in scenario.sources]
    assert is_open == sorted(is_open, reverse=True)
    for stream in scenario.streams:
        expected = stream.source.users if isinstance(stream.source, ClosedLoop) else 1
        assert scenario.sources.count(stream) == expected


@given(
    st.floats(0, 1), st.floats(0, 10), st.floats(0, 10), st.integers(min_value=0)
)  # fmt: skip
def test_clients_leave_in_their_time(share: float, earliest: float, more: float, seed: int) -> None:
    """A client that leaves does so between the earliest and the latest time."""
    leaves_after = Abandonment(share, earliest, earliest + more).draw(Random(seed))
    assert leaves_after is None or earliest <= leaves_after <= (earliest + more) * (1 + 1e-9)


@pytest.mark.parametrize("share", [0.0, 1 / 3, 1.0])
def test_the_right_share_leaves(share: float) -> None:
    """Of many clients the given share leaves, to within five standard errors; 0 means no client, 1 means all."""
    random = Random(1)
    left = sum(Abandonment(share, 1, 2).draw(random) is not None for _ in range(4000)) / 4000
    assert left == pytest.approx(share, abs=5 * math.sqrt(share * (1 - share) / 4000))


def test_each_priority_has_its_path() -> None:
    """High requests go to the high path, low ones to the low path."""
    sizing = Sizing(4, high_path="/a", low_path="/b")
    assert (sizing.path_of("high"), sizing.path_of("low")) == ("/a", "/b")


@given(names, sizings)
def test_grace_outlasts_the_queue(name: str, sizing: Sizing) -> None:
    """When nothing more is sent, waiting requests get twice the time that the slots need for them."""
    for stream in build_scenario(name, sizing).streams:
        if isinstance(stream.source, ClosedLoop):
            latency = parse_latency(stream.latency)
            assert isinstance(latency, Uniform)
            assert sizing.grace_seconds >= 2 * stream.source.users / sizing.slots * latency.high_seconds


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"slots": 0}, "slots is 0; use a number above 0"),
        ({"service_seconds": -1.0}, "service_seconds is -1.0; use a number above 0"),
        ({"seconds": math.nan}, "seconds is nan; use a number above 0"),
        ({"load": math.inf}, "load is inf; use a number above 0"),
        ({"high_path": "high"}, "high_path is 'high'; begin it with /"),
        ({"low_path": ""}, "low_path is ''; begin it with /"),
    ],
)
def test_impossible_sizing_is_refused(wrong: dict[str, Any], said: str) -> None:
    """An impossible size is refused with its name, its value and what would be valid."""
    with pytest.raises(ValueError, match=f"^{said}$"):
        replace(Sizing(4), **wrong)


def test_unknown_scenario_is_refused() -> None:
    """A name that is not in the catalogue is refused with a list of those that are."""
    with pytest.raises(ValueError, match=r"^'storm' is not a scenario; choose one of saturation, burst, mixed, "):
        build_scenario("storm", Sizing(4))


@pytest.mark.parametrize("name", ["saturation", "burst", "failing", "leaving", "drain"])
def test_handshakes_take_part(name: str) -> None:
    """Of both priorities, a part of the requests asks for a WebSocket, and most do not."""
    for stream in build_scenario(name, Sizing(4)).streams:
        assert 1 < stream.handshake_every <= 4


def test_what_is_measured_has_no_handshakes() -> None:
    """The requests that are compared with theory are all of one kind."""
    assert {stream.handshake_every for stream in build_scenario("mixed", Sizing(4)).streams} == {0}
