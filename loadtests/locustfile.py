"""A flood of low-priority requests, and a few users whose high-priority requests must not wait behind it.

    locust -f loadtests/locustfile.py                                          then http://localhost:8089
    locust -f loadtests/locustfile.py --headless --only-summary -u 14 -r 14 -t 45s

The charts show both priorities under their names. When the test stops, the target's arrival log tells in which order
the requests got through; `loadtests.ordering` judges it, and the verdict is the exit code: 0 proved, 1 violated,
3 this run proves nothing. README.md says how to size it.
"""

import http.client
import json
import time
import urllib.error
import urllib.request
import uuid
from typing import Any

from locust import constant, constant_throughput, events, task
from locust.argument_parser import LocustArgumentParser
from locust.contrib.fasthttp import FastHttpUser
from locust.env import Environment
from locust.runners import LocalRunner

from loadtests.ordering import DEFAULT_TOLERANCE_SECONDS, Outcome, Priority, Sent, Verdict, describe, first_arrivals
from loadtests.ordering import judge as judge_order

GATEWAY_URL = "http://localhost:8000"
MOCK_TARGET_URL = "http://localhost:9000"

# Containers start in any order, and a worker registers some time after the gateway answers.
_READY_WITHIN_SECONDS = 60.0
_LOOK_SECONDS = 0.5
_PATIENCE_SECONDS = 10.0

# What this run has sent. Locust's users are greenlets of one thread, so a list will do.
_sent: list[Sent] = []


class _User(FastHttpUser):
    abstract = True
    host = GATEWAY_URL
    priority: Priority

    @task
    def ask(self) -> None:
        """Send one request and keep what became of it."""
        request_id = f"{self.priority}-{uuid.uuid4().hex}"
        path = getattr(_options(self.environment), f"{self.priority}_path")
        outcome: Outcome = "abandoned"  # what it is when the test stops this greenlet in the midst of it
        sent_at = time.time()
        try:
            response = self.client.get(path, name=self.priority, headers={"X-Request-ID": request_id})
            outcome = "answered" if 200 <= response.status_code < 400 else "failed"
        finally:
            _sent.append(Sent(request_id, self.priority, sent_at, time.time(), outcome))


class LowFlood(_User):
    """Sends the next request as soon as the last one is answered."""

    weight = 5
    priority = "low"
    wait_time = constant(0)


class HighSteady(_User):
    """Sends four requests in ten seconds, whatever the others do."""

    weight = 2
    priority = "high"
    wait_time = constant_throughput(0.4)


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def _add_options(parser: LocustArgumentParser) -> None:
    options: list[tuple[str, str, Any, str]] = [
        ("--mock-target-url", "MOCK_TARGET_URL", MOCK_TARGET_URL, "The mock target itself, for its arrival log"),
        ("--high-path", "HIGH_PATH", "/high", "A path that the gateway puts on the queue high"),
        ("--low-path", "LOW_PATH", "/low", "A path that the gateway puts on the queue low"),
    ]
    for name, variable, default, meaning in options:
        parser.add_argument(name, env_var=variable, default=default, help=meaning)
    parser.add_argument(
        "--tolerance-seconds",
        type=float,
        env_var="TOLERANCE_SECONDS",
        default=DEFAULT_TOLERANCE_SECONDS,
        help="Longest way to a queue and from it to the target; loadtests/ordering.py says more",
    )


@events.init.add_listener  # type: ignore[untyped-decorator]
def _wait_for_the_stack(environment: Environment, **_: Any) -> None:
    # Here and not at the start of the test, so that it does not use up the time that -t gives to the test.
    options = _options(environment)
    if options.headless:
        _wait_until_answers((environment.host or GATEWAY_URL) + options.high_path)
        _wait_until_answers(options.mock_target_url + "/health")


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def _begin(environment: Environment, **_: Any) -> None:
    # Until it is judged, and also if that should fail: locust goes on after an exception in a listener.
    environment.process_exit_code = Verdict.UNPROVED.exit_code
    _sent.clear()
    _call("DELETE", _options(environment).mock_target_url + "/__admin/arrivals")


@events.test_stop.add_listener  # type: ignore[untyped-decorator]
def _judge(environment: Environment, **_: Any) -> None:
    if not isinstance(environment.runner, LocalRunner):
        print("UNPROVED: run locust in one process; here nobody knows all that was sent")
        return
    options = _options(environment)
    log = json.loads(_call("GET", options.mock_target_url + "/__admin/arrivals"))
    judgement = judge_order(
        _sent,
        first_arrivals(log["arrivals"]),
        dropped=log["dropped"],
        tolerance_seconds=options.tolerance_seconds,
    )
    print(describe(judgement))
    if judgement.verdict is Verdict.VIOLATED:
        print(f"If that surprises: does the gateway take {options.low_path} for low, and {options.high_path} for high?")
    environment.process_exit_code = judgement.verdict.exit_code


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def _judge_when_interrupted(environment: Environment, **_: Any) -> None:
    # Ctrl-C and SIGTERM: locust takes the exit code before it stops the users; stopping them here judges first.
    if environment.runner is not None:
        environment.runner.stop()


def _options(environment: Environment) -> Any:
    return (
        environment.parsed_options
    )  # in locust's types it may be None: where locust is a library, which it is not here


def _wait_until_answers(url: str) -> None:
    deadline = time.monotonic() + _READY_WITHIN_SECONDS
    while True:
        try:
            _call("GET", url)
        except (OSError, http.client.HTTPException) as error:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{url} did not answer within {_READY_WITHIN_SECONDS:g} s: {error}") from error
            time.sleep(_LOOK_SECONDS)
        else:
            return


def _call(method: str, url: str) -> bytes:
    # No proxy variable may lead a call between parts of one test elsewhere.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, method=method), timeout=_PATIENCE_SECONDS) as response:  # noqa: S310
        body: bytes = response.read()
        return body
