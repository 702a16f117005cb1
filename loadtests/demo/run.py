"""One demo from start to verdict."""

import sys
from collections.abc import Callable
from functools import partial

from rich.console import Console

from fast_priority.interruption import Interrupted, Interruption
from loadtests.demo.monitor import Scene, play
from loadtests.demo.request_log import Ledger
from loadtests.demo.screen import Screen
from loadtests.demo.stack import staged
from loadtests.demo.summary import summary
from loadtests.demo.traffic_plan import Plan
from loadtests.demo.verdict import judge

_SIGNALLED = 128  # a shell's own way to say which signal ended a program


def run_demo(seconds: float, slots: int) -> int:
    """Show high overtaking low for so many seconds; give 0 if it always did, else 1, or 128 and the signal's number.

    Raises ConfigurationError if a part cannot be started. Nothing it starts is left when it ends.
    """
    console = Console(highlight=False)
    # Not rich's own is_terminal: FORCE_COLOR would have it draw over a pipe.
    live = sys.stdout.isatty() and not console.is_dumb_terminal
    say = partial(console.print, soft_wrap=not live)
    plan = Plan(seconds, slots)
    interruption = Interruption()
    try:
        with interruption.listening():
            scene = _perform(plan, interruption, Screen(console, live=live), say)
    except Interrupted as interrupted:
        say("Interrupted. All that was started is stopped; nothing was proven.")
        return _SIGNALLED + interrupted.number
    verdict = judge(scene.ledger.evidence(slots))
    for line in summary(verdict, plan):
        say(line)
    return 0 if verdict.passed else 1


def _perform(plan: Plan, interruption: Interruption, screen: Screen, say: Callable[[str], None]) -> Scene:
    scene = Scene(plan, Ledger())
    with staged(plan, interruption, say) as stage, screen:
        interruption.run(partial(play, stage, scene, screen.show))
    return scene
