"""All scenarios of a check, one after the other."""

from collections.abc import Sequence
from dataclasses import replace

from fast_priority.errors import ConfigurationError
from loadtests.check.plan import CALIBRATION_SECONDS, PlannedRun
from loadtests.check.progress import Progress
from loadtests.check.scenario_run import run_scenario
from loadtests.check.system_under_test import SystemUnderTest
from loadtests.oracle import CheckResult, ScenarioResult, compare_with_theory
from loadtests.scenarios import Sizing


def run_check(
    system: SystemUnderTest,
    runs: Sequence[PlannedRun],
    *,
    tolerance_seconds: float,
    progress: Progress,
    skipped: dict[str, str],
    machine: dict[str, str],
) -> CheckResult:
    """Run the scenarios one after the other and return their results.

    Raises ConfigurationError if one cannot be run.
    """
    results: list[ScenarioResult] = []
    for run in runs:
        sizing = run.sizing
        if run.calibrate:
            held_seconds = _measure_slot_time(system, sizing, tolerance_seconds, progress)
            sizing = replace(sizing, load=sizing.load * sizing.service_seconds / held_seconds)
        with progress.step(run.title, sizing.seconds) as on_progress:
            result = run_scenario(system, sizing, run.name, tolerance_seconds, on_progress)
        result = replace(result, name=run.title)
        progress.show_result(result)
        results.append(result)
    return CheckResult(", ".join(system.urls), tuple(results), skipped, machine)


def _measure_slot_time(system: SystemUnderTest, sizing: Sizing, tolerance_seconds: float, progress: Progress) -> float:
    """Return how many seconds a request holds a slot, turnaround included: the load is a share of that time."""
    flood = replace(sizing, seconds=CALIBRATION_SECONDS)
    with progress.step("how long a slot is held", flood.seconds) as on_progress:
        calibration = run_scenario(system, flood, "saturation", tolerance_seconds, on_progress)
    try:
        measured = compare_with_theory(calibration.traces, system.slots)
    except ValueError as error:
        raise ConfigurationError(f"how long a slot is held could not be measured: {error}") from error
    if not measured.refills:
        raise ConfigurationError("how long a slot is held could not be measured: no request waited for one")
    return sizing.service_seconds + measured.turnaround_seconds
