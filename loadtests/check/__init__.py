"""Checks a gateway: runs scenarios against it one after the other, and judges each.

- `system_under_test`: a gateway that runs already, or a stack started for the check; `stack_size`: its processes (pure)
- `plan`: which scenarios run, and for how long (pure)
- `scenario_run`: one scenario, from sending to findings; `locust_process`: locust; `drain`: restarts during a run
- `check_run`: all scenarios; `progress`, `machine`: what is shown, and what it ran on
"""

from loadtests.check.check_run import run_check
from loadtests.check.machine import describe_machine
from loadtests.check.plan import CheckOptions, PlannedRun, plan_runs, read_loads
from loadtests.check.progress import Progress
from loadtests.check.stack_size import StackShape, StackSize
from loadtests.check.system_under_test import SystemUnderTest, external_gateway, own_stack

__all__ = [
    "CheckOptions",
    "PlannedRun",
    "Progress",
    "StackShape",
    "StackSize",
    "SystemUnderTest",
    "describe_machine",
    "external_gateway",
    "own_stack",
    "plan_runs",
    "read_loads",
    "run_check",
]
