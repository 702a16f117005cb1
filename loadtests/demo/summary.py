"""The text at the end of the demo. Pure."""

from collections.abc import Iterator, Sequence

from rich.text import Text

from fast_priority.scheduling.priority import Priority
from loadtests.demo.display import STYLES
from loadtests.demo.traffic_plan import TrafficPlan
from loadtests.demo.verdict import FORWARDED_WITHIN_SECONDS, DemoVerdict, WaitStats
from loadtests.oracle import Overtaking

_MAX_INVERSIONS_SHOWN = 10
_ALLOWED = f"{FORWARDED_WITHIN_SECONDS * 1000:.0f} ms"


def write_summary(verdict: DemoVerdict, plan: TrafficPlan) -> Iterator[Text]:
    """Yield the result line by line: figures, inversions and the verdict."""
    total = verdict.high.started + verdict.low.started
    yield Text(
        f"{total} requests went through {plan.slots} slots in {plan.seconds:g} s; "
        f"{plan.low_clients} clients sent low requests all the time.",
        style="bold",
    )
    yield _lane(Priority.HIGH, verdict.high)
    yield _lane(Priority.LOW, verdict.low)
    yield Text(f"A high request overtook {verdict.overtaken:g} low ones that had been sent before it (median).")
    yield from _inversions(verdict.inversions)
    yield Text(
        f"(High ones wait for each other, too. A request counts as waiting only while that is certain: from {_ALLOWED} "
        f"after the gateway was known to have it until {_ALLOWED} before it reached the target.)",
        style="dim",
    )
    for reason in verdict.unproved_reasons:
        yield Text(f"{'Besides' if verdict.inversions else 'This run proves nothing'}: {reason}.", style="red")
    yield _conclusion(verdict)


def _lane(priority: Priority, waits: WaitStats) -> Text:
    figures = f"{waits.started:5d} waited {waits.median_seconds:.2f} s (median), {waits.longest_seconds:.2f} s at most"
    return Text.assemble((f"  {priority:<5}", STYLES[priority]), figures)


def _inversions(inversions: Sequence[Overtaking]) -> Iterator[Text]:
    for inversion in inversions[:_MAX_INVERSIONS_SHOWN]:
        yield Text(f"  {inversion}")
    if len(inversions) > _MAX_INVERSIONS_SHOWN:
        yield Text(f"  ... and {len(inversions) - _MAX_INVERSIONS_SHOWN} more like these")


def _conclusion(verdict: DemoVerdict) -> Text:
    count = len(verdict.inversions)
    if count:
        words = f"{count} inversions: low requests were started while a high one waited."
    else:
        words = (
            "0 inversions: no low request was started while a high one waited, "
            f"and {verdict.tested} high ones waited long enough to be judged."
        )
    passed, style = ("PASSED", "bold green") if verdict.passed else ("FAILED", "bold red")
    return Text.assemble((passed, style), ", ", words)
