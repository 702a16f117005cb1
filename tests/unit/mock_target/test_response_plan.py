"""Random decisions: which requests fail, how, and after which wait; the same seed gives the same decisions."""

from random import Random

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_target import MockSettings, create_app
from mock_target.settings.behaviour import Behaviour, Fault
from mock_target.settings.latency import Exponential, Fixed, Uniform
from mock_target.settings.response_plan import Draws, draw, plan_response
from tests.unit.mock_target.mock_rig import client_of

shares = st.floats(min_value=0, max_value=1, exclude_max=True)
all_draws = st.builds(Draws, shares, shares, shares)


@given(all_draws)
def test_nothing_set_means_an_answer_at_once(draws: Draws) -> None:
    """Without a knob there is no wait, no status but the response's own, and no fault."""
    plan = plan_response(Behaviour(), draws)
    assert (plan.wait_seconds, plan.status, plan.fault) == (0, None, None)


@given(all_draws, st.floats(0, 1))
def test_the_rates_are_the_shares_of_draws_that_fail(draws: Draws, rate: float) -> None:
    """A draw below error_rate is an error, one below fault_rate a fault, each by its own draw."""
    behaviour = Behaviour(error_rate=rate, error_status=500, fault=Fault.RESET, fault_rate=rate, status=201)
    plan = plan_response(behaviour, draws)
    assert plan.status == (500 if draws.error < rate else 201)
    assert plan.fault == (Fault.RESET if draws.fault < rate else None)


@given(all_draws)
def test_rates_of_nothing_and_of_all_mean_it(draws: Draws) -> None:
    """A rate of 0 never strikes, and a rate of 1 always does."""
    never = plan_response(Behaviour(error_rate=0, error_status=500, fault=Fault.RESET, fault_rate=0), draws)
    always = plan_response(Behaviour(error_rate=1, error_status=500, fault=Fault.RESET, fault_rate=1), draws)
    assert (never.status, never.fault) == (None, None)
    assert (always.status, always.fault) == (500, Fault.RESET)


def test_the_wait_is_drawn_from_the_latency() -> None:
    """A draw of a half is the median wait."""
    assert plan_response(Behaviour(latency=Uniform(1, 3)), Draws(0.5, 0, 0)).wait_seconds == 2


def test_the_nth_arrival_has_the_nth_draws_whatever_is_set() -> None:
    """One seed repeats the same draws, and every arrival takes equally many."""
    first = [draw(random) for random in [Random(7)] for _ in range(5)]
    again = [draw(random) for random in [Random(7)] for _ in range(5)]
    assert first == again
    assert len({number for draws in first for number in draws}) == 15


async def statuses(client: httpx.AsyncClient, paths: list[str]) -> list[int]:
    return [(await client.get(path)).status_code for path in paths]


async def test_a_seed_fails_the_same_requests_in_every_run() -> None:
    """Two mocks with one seed fail the same arrivals; another seed fails others."""
    found = []
    for seed in (1, 1, 2):
        async with client_of(create_app(MockSettings(latency="0", seed=seed))) as client:
            await client.patch("/__admin/settings", json={"error_rate": 0.5})
            found.append(await statuses(client, ["/"] * 32))
    assert found[0] == found[1] != found[2]
    assert set(found[0]) == {200, 503}


async def test_what_others_ask_for_does_not_shift_the_draws() -> None:
    """An arrival fails or not by its own number, even if earlier ones were refused or set other behaviour."""
    found = []
    for others in (["/x", "/x"], ["/x?mock_latency=uniform:0,0.001", "/x?mock_status=nonsense"]):
        async with client_of(create_app(MockSettings(latency="0", seed=3))) as client:
            await client.patch("/__admin/settings", json={"error_rate": 0.5})
            await statuses(client, others)
            found.append(await statuses(client, ["/"] * 16))
    assert found[0] == found[1]


async def test_a_reset_starts_the_draws_again() -> None:
    """After a reset a seeded mock fails the same arrivals as at its start."""
    async with client_of(create_app(MockSettings(latency="0", seed=5))) as client:
        found = []
        for _ in range(2):
            await client.patch("/__admin/settings", json={"error_rate": 0.5, "error_status": 500})
            found.append(await statuses(client, ["/"] * 16))
            await client.post("/__admin/reset")
    assert found[0] == found[1]
    assert 500 in found[0]


@given(shares)
def test_waits_of_two_kinds_come_from_the_same_draw(share: float) -> None:
    """Under one seed a long wait of one kind is a long wait of another: two runs can be compared arrival by arrival."""
    uniform = plan_response(Behaviour(latency=Uniform(0, 1)), Draws(share, 0, 0)).wait_seconds
    exponential = plan_response(Behaviour(latency=Exponential(1)), Draws(share, 0, 0)).wait_seconds
    assert (uniform > 0.5) == (exponential > Exponential(1).quantile_seconds(0.5))
    assert plan_response(Behaviour(latency=Fixed(1)), Draws(share, 0, 0)).wait_seconds == 1


@pytest.mark.parametrize("rate", ["0", "1"])
async def test_a_request_may_ask_for_its_own_error_rate(client: httpx.AsyncClient, rate: str) -> None:
    """mock_error_rate overrides the default for one request, with an error of the given status."""
    answer = await client.get(f"/x?mock_error_rate={rate}&mock_error_status=500")
    assert (answer.status_code, answer.json()["path"]) == (500 if rate == "1" else 200, "/x")


async def test_a_request_that_asks_for_a_fault_gets_it() -> None:
    """A fault that a request sets without a rate always applies, even if the default one is rare."""
    async with client_of(create_app(MockSettings(latency="0"))) as client:
        await client.patch("/__admin/settings", json={"fault": "hang", "fault_rate": 0})
        assert await statuses(client, ["/", "/?mock_fault=reset"]) == [200, 501]
        assert await statuses(client, ["/?mock_fault=reset&mock_fault_rate=0"]) == [200]
