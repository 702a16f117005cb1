"""What is sent, and when: scenarios made of request streams with an arrival process each. Pure."""

from loadtests.scenarios.arrival_processes import ArrivalProcess, Bursts
from loadtests.scenarios.catalogue import SCENARIOS, Scenario, Sizing, build_scenario
from loadtests.scenarios.options import GATEWAY_URL, SCENARIO_OPTIONS, ScenarioOption
from loadtests.scenarios.streams import OpenLoop, RequestStream

__all__ = [
    "GATEWAY_URL",
    "SCENARIOS",
    "SCENARIO_OPTIONS",
    "ArrivalProcess",
    "Bursts",
    "OpenLoop",
    "RequestStream",
    "Scenario",
    "ScenarioOption",
    "Sizing",
    "build_scenario",
]
