"""What is sent, and when: scenarios made of request streams with an arrival process each. Pure."""

from loadtests.scenarios.arrival_processes import ArrivalProcess, Bursts
from loadtests.scenarios.catalogue import SCENARIOS, Scenario, Sizing, build_scenario
from loadtests.scenarios.streams import OpenLoop, RequestStream

__all__ = ["SCENARIOS", "ArrivalProcess", "Bursts", "OpenLoop", "RequestStream", "Scenario", "Sizing", "build_scenario"]
