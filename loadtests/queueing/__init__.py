"""Queueing theory: formulas, the simulated perfect queue, and how many slots a load needs. Pure."""

from loadtests.queueing.formulas import Queue
from loadtests.queueing.perfect_queue import Customer, Discipline, wait_perfectly
from loadtests.queueing.slot_plan import Option, Plan, plan

__all__ = ["Customer", "Discipline", "Option", "Plan", "Queue", "plan", "wait_perfectly"]
