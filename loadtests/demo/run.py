"""One demo from start to verdict."""

import sys
from collections.abc import Callable
from functools import partial

from rich.console import Console

from fast_priority.local.interruption import Interrupted, Interruption
from loadtests.demo.monitor import DemoState, run_traffic
from loadtests.demo.request_log import RequestLog
from loadtests.demo.screen import Screen
from loadtests.demo.stack import running_stack
from loadtests.demo.summary import write_summary
from loadtests.demo.traffic_plan import TrafficPlan
from loadtests.demo.verdict import judge_demo

_SIGNALLED = 128  # how shells report which signal ended a program


def run_demo(seconds: float, slots: int) -> int:
    """Show high overtaking low for `seconds`; return 0 if it always did, else 1, or 128 plus the signal number.

    Raises ConfigurationError if a process cannot be started. All started processes are stopped at the end.
    """
    console = Console(highlight=False)
    # Not rich's is_terminal: with FORCE_COLOR it would redraw on a pipe.
    live = sys.stdout.isatty() and not console.is_dumb_terminal
    print_line = partial(console.print, soft_wrap=not live)
    plan = TrafficPlan(seconds, slots)
    interruption = Interruption()
    try:
        with interruption.listening():
            state = _run(plan, interruption, Screen(console, live=live), print_line)
    except Interrupted as interrupted:
        print_line("Interrupted. All that was started is stopped; nothing was proven.")
        return _SIGNALLED + interrupted.number
    verdict = judge_demo(state.request_log.evidence(slots))
    for line in write_summary(verdict, plan):
        print_line(line)
    return 0 if verdict.passed else 1


def _run(plan: TrafficPlan, interruption: Interruption, screen: Screen, print_line: Callable[[str], None]) -> DemoState:
    state = DemoState(plan, RequestLog())
    with running_stack(plan, interruption, print_line) as stack, screen:
        interruption.run(partial(run_traffic, stack, state, screen.show))
    return state
