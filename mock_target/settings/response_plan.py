"""What one request gets: the decisions that depend on random numbers. Pure.

Every arrival draws three random numbers, whatever its behaviour, and before anything is awaited. So with a seed the
n-th arrival gets the n-th draws, even if the settings or other requests differ between two runs.
"""

from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from mock_target.settings.behaviour import Behaviour, Fault


class Draws(NamedTuple):
    """One arrival's random numbers, from 0 up to but not including 1."""

    latency: float
    error: float
    fault: float


def draw(random: Random) -> Draws:
    """Draw the numbers of the next arrival."""
    return Draws(random.random(), random.random(), random.random())


@dataclass(slots=True)
class ResponsePlan:
    """What one request gets: after `wait_seconds`, a response with `status` (None: its own), or with `fault`.

    `garbage_seed` is the seed of the bytes that a fault sends as garbage.
    """

    wait_seconds: float
    status: int | None
    fault: Fault | None
    garbage_seed: float


def plan_response(behaviour: Behaviour, draws: Draws) -> ResponsePlan:
    """Return the plan for one request; a knob that is not set has no effect."""
    status, fault = behaviour.status, None
    if behaviour.error_rate is not None and draws.error < behaviour.error_rate:
        status = behaviour.error_status
    if behaviour.fault is not None and (behaviour.fault_rate is None or draws.fault < behaviour.fault_rate):
        fault = behaviour.fault
    wait_seconds = 0.0 if behaviour.latency is None else behaviour.latency.quantile_seconds(draws.latency)
    return ResponsePlan(wait_seconds, status, fault, draws.fault)
