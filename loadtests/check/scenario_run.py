"""One run of a scenario: sending, joining the records, and judging them."""

import time

from fast_priority.errors import ConfigurationError
from loadtests.check.drain import judge_drained
from loadtests.check.locust_process import ProgressCallback, send
from loadtests.check.system_under_test import SystemUnderTest
from loadtests.clients import MockTargetError, read_settled_arrivals, reset_arrivals
from loadtests.oracle import ScenarioResult, judge_run
from loadtests.records import RecordError, join_records
from loadtests.scenarios import Sizing, build_scenario


def run_scenario(
    system: SystemUnderTest, sizing: Sizing, name: str, tolerance_seconds: float, on_progress: ProgressCallback
) -> ScenarioResult:
    """Run a scenario against a system and return its judged result.

    Raises ConfigurationError if the mock target does not respond or locust fails, with its output.
    """
    scenario = build_scenario(name, sizing)
    try:
        reset_arrivals(system.target_url)
        began_at = time.time()
        sent, steps = send(system, scenario, sizing, on_progress)
        ended_at = time.time()
        log = read_settled_arrivals(system.target_url)
        traces = join_records(sent, log.arrivals)
    except (MockTargetError, RecordError) as error:
        raise ConfigurationError(str(error)) from error
    judgement = judge_run(
        scenario, traces, slots=system.slots, dropped=log.dropped, tolerance_seconds=tolerance_seconds
    )
    drained = (judge_drained(traces, steps, system.slots),) if name == "drain" else ()
    return ScenarioResult(
        name=scenario.name,
        title=scenario.title,
        slots=system.slots,
        began_at=began_at,
        ended_at=ended_at,
        traces=traces,
        order=judgement.order,
        findings=(*judgement.findings, *drained),
        comparison=judgement.comparison,
    )
