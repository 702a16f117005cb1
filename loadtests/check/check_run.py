"""All scenarios of a check, one after the other."""

from collections.abc import Sequence
from dataclasses import replace

from fast_priority.errors import ConfigurationError
from loadtests.check.plan import CALIBRATION_SECONDS, Run
from loadtests.check.progress import Progress
from loadtests.check.scenario_run import run_scenario
from loadtests.check.system_under_test import Subject
from loadtests.oracle import CheckResult, ScenarioResult, compare
from loadtests.scenarios import Sizing


def run_check(
    subject: Subject,
    runs: Sequence[Run],
    *,
    tolerance_seconds: float,
    progress: Progress,
    skipped: dict[str, str],
    machine: dict[str, str],
) -> CheckResult:
    """Run the scenarios one after the other and give all that they have shown.

    Raises ConfigurationError if one cannot be run.
    """
    results: list[ScenarioResult] = []
    for run in runs:
        sizing = run.sizing
        if run.calibrate:
            held_seconds = _measure_slot_time(subject, sizing, tolerance_seconds, progress)
            sizing = replace(sizing, load=sizing.load * sizing.service_seconds / held_seconds)
        with progress.step(run.title, sizing.seconds) as watch:
            result = run_scenario(subject, sizing, run.name, tolerance_seconds, watch)
        result = replace(result, name=run.title)
        progress.tell(result)
        results.append(result)
    return CheckResult(", ".join(subject.urls), tuple(results), skipped, machine)


def _measure_slot_time(subject: Subject, sizing: Sizing, tolerance_seconds: float, progress: Progress) -> float:
    """Measure for how long a request holds a slot; that is what a load of the slots' time has to count."""
    flood = replace(sizing, seconds=CALIBRATION_SECONDS)
    with progress.step("how long a slot is held", flood.seconds) as watch:
        calibration = run_scenario(subject, flood, "saturation", tolerance_seconds, watch)
    try:
        measured = compare(calibration.passages, subject.slots)
    except ValueError as error:
        raise ConfigurationError(f"how long a slot is held could not be measured: {error}") from error
    if not measured.refills:
        raise ConfigurationError("how long a slot is held could not be measured: no request waited for one")
    return sizing.service_seconds + measured.turnaround_seconds
