"""What one request gets: the decisions that chance makes. Pure.

Every arrival takes the same three random numbers, whatever its behaviour, and before anything is awaited. So under a
seed the n-th arrival has the n-th draws, though the settings and what other requests ask for differ between two runs.
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
class Plan:
    """What one request gets: after `wait_seconds`, an answer with `status` (None: its own), spoilt by `fault`.

    `garbage_seed` decides the bytes of a fault that sends garbage.
    """

    wait_seconds: float
    status: int | None
    fault: Fault | None
    garbage_seed: float


def decide(behaviour: Behaviour, draws: Draws) -> Plan:
    """Decide what a request gets; a knob that is not set has no effect."""
    status, fault = behaviour.status, None
    if behaviour.error_rate is not None and draws.error < behaviour.error_rate:
        status = behaviour.error_status
    if behaviour.fault is not None and (behaviour.fault_rate is None or draws.fault < behaviour.fault_rate):
        fault = behaviour.fault
    wait_seconds = 0.0 if behaviour.latency is None else behaviour.latency.quantile_seconds(draws.latency)
    return Plan(wait_seconds, status, fault, draws.fault)
