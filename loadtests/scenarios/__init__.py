"""What is sent, and when: scenarios made of request streams with an arrival process each. Pure."""

from loadtests.scenarios.arrival_processes import ArrivalProcess, Bursts
from loadtests.scenarios.catalogue import SCENARIOS, Scenario, Sizing, build
from loadtests.scenarios.streams import OpenLoop, Stream

__all__ = ["SCENARIOS", "ArrivalProcess", "Bursts", "OpenLoop", "Scenario", "Sizing", "Stream", "build"]
