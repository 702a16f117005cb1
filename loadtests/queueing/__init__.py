"""Queueing theory: formulas, the simulated perfect queue, and how many slots a load needs. Pure."""

from loadtests.queueing.formulas import Queue
from loadtests.queueing.perfect_queue import Customer, Discipline, simulate_waits
from loadtests.queueing.slot_plan import SlotOption, SlotPlan, plan_slots

__all__ = ["Customer", "Discipline", "Queue", "SlotOption", "SlotPlan", "plan_slots", "simulate_waits"]
