"""The load scenarios for locust: against any gateway in front of the mock target.

    locust -f loadtests/locustfile.py                                          then http://localhost:8089
    locust -f loadtests/locustfile.py --headless --only-summary --scenario burst --slots 4 --seconds 20

The scenario sets the number of users and what they send. Locust's statistics have a line for each priority. When a
test stops, the sent requests are compared with the arrivals at the target, and the verdict is the exit code: 0 proved,
1 violated, 2 could not run, 3 this run proves nothing. With --sent-file nothing is judged and the mock target is not
contacted: the file can be judged later. Then 0 means that the file has all requests.
"""

import logging
import sys
from pathlib import Path
from typing import Any

from locust import LoadTestShape, events
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import LocalRunner

from loadtests.clients import (
    READY_WITHIN_SECONDS,
    BaseUrl,
    MockTargetError,
    read_settled_arrivals,
    wait_until_forwards,
    wait_until_mock_target,
    wait_until_responds,
)
from loadtests.generator import Source, Traffic, add_options, gateway_urls, make_traffic, options_of
from loadtests.oracle import Verdict, judge_run, worst_verdict
from loadtests.records import RecordError, RecordWriter, join_records
from loadtests.scenarios import GATEWAY_URL

__all__ = ["ScenarioShape", "Source"]

_COULD_NOT_RUN = 2
_EVIDENCE_SHOWN = 5
# With more, locust logs warnings.
_MOST_SOURCES_STARTED_PER_SECOND = 100

logger = logging.getLogger(__name__)


class ScenarioShape(LoadTestShape):
    """Starts all sources of a scenario, and ends the test when all requests are finished."""

    # True while locust parses its options: else it warns that --run-time is ignored.
    use_common_options = True
    traffic: Traffic | None = None

    def reset_time(self) -> None:
        """Start a test with the current options."""
        super().reset_time()  # type: ignore[no-untyped-call]
        self.traffic = None

    def tick(self) -> tuple[int, float] | None:
        """Return the number of users, and how many to start per second; None ends the test."""
        if self.runner is None:
            return None
        if self.traffic is None:
            try:
                self.traffic = make_traffic(self.runner.environment)
            except ValueError as error:
                _abort(self.runner.environment, str(error))
                return None
        if self.traffic.is_over:
            return None
        count = len(self.traffic.scenario.sources)
        return count, min(count, _MOST_SOURCES_STARTED_PER_SECOND)


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def _add_options(parser: LocustArgumentParser) -> None:
    add_options(parser)


@events.init.add_listener  # type: ignore[untyped-decorator]
def _prepare(environment: Environment, **_: Any) -> None:
    # Here and not at the start of the test, so that it does not use the time of the test.
    options = options_of(environment)
    # From here on locust's page reads it: it must not ask for a number of users.
    ScenarioShape.use_common_options = False
    environment.host = environment.host or GATEWAY_URL
    options.seconds = float(options.run_time or options.seconds)
    try:
        _refuse_several_processes(environment)
        make_traffic(environment)
        BaseUrl.parse(options.target_url)
        if options.sent_file:
            RecordWriter(Path(options.sent_file)).close()
        if options.headless:
            _wait_until_all_answer(environment)
    except (ValueError, MockTargetError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(_COULD_NOT_RUN)


def _refuse_several_processes(environment: Environment) -> None:
    if not isinstance(environment.runner, LocalRunner):
        raise ValueError("run locust in one process: with several, none has all sent requests")  # noqa: TRY004


def _wait_until_all_answer(environment: Environment) -> None:
    options = options_of(environment)
    patience = READY_WITHIN_SECONDS
    if options.sent_file:
        for url in gateway_urls(environment):
            wait_until_responds(url.rstrip("/") + options.high_path, patience, logger.info)
        return
    wait_until_mock_target(options.target_url, patience, logger.info)
    for url in gateway_urls(environment):
        for option, path in (("--high-path", options.high_path), ("--low-path", options.low_path)):
            wait_until_forwards(url, path, option, options.target_url, patience, logger.info)


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def _start_test(environment: Environment, **_: Any) -> None:
    # Until the run is judged, and also if judging fails: locust continues after an exception in a listener.
    environment.process_exit_code = _COULD_NOT_RUN
    options, traffic = options_of(environment), _traffic(environment)
    try:
        if options.sent_file:
            traffic.record_writer = RecordWriter(Path(options.sent_file))
        else:
            wait_until_mock_target(options.target_url, 0, logger.info)
    except (MockTargetError, RecordError) as error:
        # Nothing is sent then: what is there may be somebody's real API.
        traffic.abort_reason = str(error)
    else:
        traffic.start()


@events.test_stopping.add_listener  # type: ignore[untyped-decorator]
def _mark_interrupted(environment: Environment, **_: Any) -> None:
    traffic = _traffic(environment)
    if traffic is not None:
        # Over means that it ended by itself; otherwise the user has ended it.
        traffic.is_interrupted = not traffic.is_over


@events.test_stop.add_listener  # type: ignore[untyped-decorator]
def _finish_test(environment: Environment, **_: Any) -> None:
    traffic = _traffic(environment)
    if traffic is None:
        return
    try:
        if traffic.record_writer is not None:
            traffic.record_writer.close()
        if traffic.abort_reason is not None:
            _abort(environment, traffic.abort_reason)
        elif traffic.record_writer is not None:
            environment.process_exit_code = 0
        else:
            _judge(environment, traffic)
    except (MockTargetError, RecordError) as error:
        _abort(environment, str(error))


def _judge(environment: Environment, traffic: Traffic) -> None:
    log = read_settled_arrivals(options_of(environment).target_url)
    sizing = traffic.sizing
    traces = join_records(traffic.sent, log.arrivals)
    findings = judge_run(traffic.scenario, traces, slots=sizing.slots, dropped=log.dropped).findings
    for finding in findings:
        _print(environment, f"{finding.verdict.name:<9} {finding.check:<10} {finding.reason}")
        for line in finding.evidence[:_EVIDENCE_SHOWN]:
            _print(environment, f"{'':<21}{line}")
    verdict = worst_verdict(finding.verdict for finding in findings)
    _print(environment, f"{verdict.name}: {traffic.scenario.name}, {len(traffic.sent)} requests")
    if verdict is Verdict.VIOLATED:
        _print(
            environment,
            f"Check the configuration: is {sizing.low_path} low, {sizing.high_path} high, {sizing.slots} slots?",
        )
    environment.process_exit_code = verdict.exit_code


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def _judge_when_interrupted(environment: Environment, **_: Any) -> None:
    # On Ctrl-C and SIGTERM locust reads the exit code before it stops the users. Stop them here, to judge before that.
    if environment.runner is not None:
        environment.runner.stop()


def _abort(environment: Environment, reason: str) -> None:
    """Print why this run shows nothing about the gateway."""
    _print(environment, f"error: {reason}")
    environment.process_exit_code = _COULD_NOT_RUN


def _print(environment: Environment, line: str) -> None:
    # Locust's page shows the log in a tab.
    if environment.web_ui is None:
        print(line, flush=True)
    else:
        logger.info(line)


def _traffic(environment: Environment) -> Any:
    """Return the traffic of the current or last test, or None."""
    return environment.shape_class.traffic if isinstance(environment.shape_class, ScenarioShape) else None
