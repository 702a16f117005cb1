"""The load scenarios as locust runs them: against any gateway that stands before the mock target.

    locust -f loadtests/locustfile.py                                          then http://localhost:8089
    locust -f loadtests/locustfile.py --headless --only-summary --scenario burst --slots 4 --seconds 20

The scenario decides how many users there are and what they send; nobody has to. Locust's statistics have a line for
each priority. When a test stops, what was sent is judged by what arrived at the target, and the verdict is the exit
code: 0 proved, 1 violated, 2 could not run, 3 this run proves nothing. With --sent-file nothing is judged, nor is the
mock target asked for anything: the file is for somebody else to judge. Then 0 says that it holds all that was sent.
"""

import logging
import sys
from pathlib import Path
from typing import Any

from locust import LoadTestShape, events
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import LocalRunner

from loadtests.clients import Address, MockError, read_settled_arrivals, reset_arrivals, wait_for_answer
from loadtests.generator import GATEWAY_URL, Source, Traffic, add_options, gateway_urls, make_traffic, options_of
from loadtests.oracle import Verdict, judge_run, worst
from loadtests.records import RecordError, Recording, join

__all__ = ["ScenarioShape", "Source"]

_COULD_NOT_RUN = 2
_EVIDENCE_SHOWN = 5
# With more, locust warns of its own troubles.
_MOST_SOURCES_STARTED_PER_SECOND = 100

logger = logging.getLogger(__name__)


class ScenarioShape(LoadTestShape):
    """Starts all sources of a scenario, and ends the test when each has its answers."""

    # While locust reads its options, so that it does not say that --run-time counts for nothing.
    use_common_options = True
    traffic: Traffic | None = None

    def reset_time(self) -> None:
        """Begin a test: with the options as they are then."""
        super().reset_time()  # type: ignore[no-untyped-call]
        self.traffic = None

    def tick(self) -> tuple[int, float] | None:
        """Give how many users there are to be, and how many are started in a second; None ends the test."""
        if self.runner is None:
            return None
        if self.traffic is None:
            try:
                self.traffic = make_traffic(self.runner.environment)
            except ValueError as error:
                _give_up(self.runner.environment, str(error))
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
    # Here and not at the start of the test, so that it does not use up the time that the test has.
    options = options_of(environment)
    # From here on the page reads it: it shall not ask for a number of users.
    ScenarioShape.use_common_options = False
    environment.host = environment.host or GATEWAY_URL
    options.seconds = float(options.run_time or options.seconds)
    try:
        _refuse_several_processes(environment)
        make_traffic(environment)
        Address.of(options.target_url)
        if options.sent_file:
            Recording(Path(options.sent_file)).close()
        if options.headless:
            _wait_until_all_answer(environment)
    except (ValueError, MockError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(_COULD_NOT_RUN)


def _refuse_several_processes(environment: Environment) -> None:
    if not isinstance(environment.runner, LocalRunner):
        raise ValueError("run locust in one process: of several, none knows all that was sent")  # noqa: TRY004


def _wait_until_all_answer(environment: Environment) -> None:
    options = options_of(environment)
    urls = [url.rstrip("/") + options.high_path for url in gateway_urls(environment)]
    if not options.sent_file:
        urls.append(options.target_url.rstrip("/") + "/health")
    for url in urls:
        logger.info("waiting until %s answers", url)
        wait_for_answer(url)


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def _begin(environment: Environment, **_: Any) -> None:
    # Until it is judged, and also if that should fail: locust goes on after an exception in a listener.
    environment.process_exit_code = _COULD_NOT_RUN
    options, traffic = options_of(environment), _traffic(environment)
    try:
        if options.sent_file:
            traffic.recording = Recording(Path(options.sent_file))
        else:
            reset_arrivals(options.target_url)
    except (MockError, RecordError) as error:
        traffic.trouble = str(error)
    traffic.start()


@events.test_stopping.add_listener  # type: ignore[untyped-decorator]
def _interrupt(environment: Environment, **_: Any) -> None:
    traffic = _traffic(environment)
    if traffic is not None:
        # What is over has ended by itself; all else that ends a test is the person.
        traffic.is_interrupted = not traffic.is_over


@events.test_stop.add_listener  # type: ignore[untyped-decorator]
def _end(environment: Environment, **_: Any) -> None:
    traffic = _traffic(environment)
    if traffic is None:
        return
    try:
        if traffic.recording is not None:
            traffic.recording.close()
        if traffic.trouble is not None:
            _give_up(environment, traffic.trouble)
        elif traffic.recording is not None:
            environment.process_exit_code = 0
        else:
            _judge(environment, traffic)
    except (MockError, RecordError) as error:
        _give_up(environment, str(error))


def _judge(environment: Environment, traffic: Traffic) -> None:
    log = read_settled_arrivals(options_of(environment).target_url)
    sizing = traffic.sizing
    passages = join(traffic.sent, log.arrivals)
    findings = judge_run(traffic.scenario, passages, slots=sizing.slots, dropped=log.dropped).findings
    for finding in findings:
        _say(environment, f"{finding.verdict.name:<9} {finding.check:<10} {finding.reason}")
        for line in finding.evidence[:_EVIDENCE_SHOWN]:
            _say(environment, f"{'':<21}{line}")
    verdict = worst(finding.verdict for finding in findings)
    _say(environment, f"{verdict.name}: {traffic.scenario.name}, {len(traffic.sent)} requests")
    if verdict is Verdict.VIOLATED:
        _say(
            environment, f"If that surprises: is {sizing.low_path} low, {sizing.high_path} high, {sizing.slots} slots?"
        )
    environment.process_exit_code = verdict.exit_code


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def _judge_when_interrupted(environment: Environment, **_: Any) -> None:
    # Ctrl-C and SIGTERM: locust takes the exit code before it stops the users; stopping them here judges first.
    if environment.runner is not None:
        environment.runner.stop()


def _give_up(environment: Environment, reason: str) -> None:
    """Say why this run says nothing of the gateway."""
    _say(environment, f"error: {reason}")
    environment.process_exit_code = _COULD_NOT_RUN


def _say(environment: Environment, line: str) -> None:
    # On locust's page the log is one of the tabs.
    if environment.web_ui is None:
        print(line, flush=True)
    else:
        logger.info(line)


def _traffic(environment: Environment) -> Any:
    """Give the traffic of the test that runs or ran last; None if there is none."""
    return environment.shape_class.traffic if isinstance(environment.shape_class, ScenarioShape) else None
