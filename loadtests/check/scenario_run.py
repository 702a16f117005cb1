"""Runs one scenario: sends, and then both records joined and judged."""

import time

from fast_priority.errors import ConfigurationError
from loadtests.check.drain import judge_drained
from loadtests.check.locust_process import Watch, send
from loadtests.check.system_under_test import Subject
from loadtests.clients import MockError, read_settled_arrivals, reset_arrivals
from loadtests.oracle import ScenarioResult, judge_run
from loadtests.records import RecordError, join
from loadtests.scenarios import Sizing, build


def run_scenario(subject: Subject, sizing: Sizing, name: str, tolerance_seconds: float, watch: Watch) -> ScenarioResult:
    """Run a scenario against a subject and judge it.

    Raises ConfigurationError if the mock target does not answer or locust fails, with what it said.
    """
    scenario = build(name, sizing)
    try:
        reset_arrivals(subject.target_url)
        began_at = time.time()
        sent, steps = send(subject, scenario, sizing, watch)
        ended_at = time.time()
        log = read_settled_arrivals(subject.target_url)
        passages = join(sent, log.arrivals)
    except (MockError, RecordError) as error:
        raise ConfigurationError(str(error)) from error
    judgement = judge_run(
        scenario, passages, slots=subject.slots, dropped=log.dropped, tolerance_seconds=tolerance_seconds
    )
    drained = (judge_drained(passages, steps, subject.slots),) if name == "drain" else ()
    return ScenarioResult(
        name=scenario.name,
        title=scenario.title,
        slots=subject.slots,
        began_at=began_at,
        ended_at=ended_at,
        passages=passages,
        order=judgement.order,
        findings=(*judgement.findings, *drained),
        comparison=judgement.comparison,
    )
