"""Whether the queue still costs about what it did beside our own pass-through: two ratios of the same run, in 20 s.

Needs nothing but this package and a Redis server. No duration is judged, and the bounds are so wide that a busy
machine does not break them: what fails here has become much slower. Exits 1 if a bound does not hold, 2 if nothing
was measured.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.endpoints.generator import Sample
from benchmarks.performance.request import running_traced_target
from benchmarks.results.findings import Finding, at_least, at_most, findings_table, ratios, rotated, times
from benchmarks.support.machine import prepare_process
from benchmarks.systems.contenders import measuring
from benchmarks.systems.paths import PLAIN, QUEUE, path_of
from benchmarks.systems.stack import running_ours
from fast_priority.errors import ConfigurationError
from fast_priority.stack import Part, running

MOST_OF_MEDIAN = 8.0
"""One connection: most that the median through the queue may be, times pass-through's; it is 2.5 to 4."""
LEAST_OF_RATE = 0.2
"""64 connections: least that the queue may carry, times what pass-through does; it is 0.5 to 0.8."""
_SLOTS, _CONNECTIONS, _ROUNDS = 16, 64, 3
_SECONDS, _WARM_UP_SECONDS, _GENERATOR_SECONDS = 1.0, 0.3, 60.0
_PREFIXES = (PLAIN, QUEUE)


def main() -> int:
    """Measure, print, and give the exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the parts are ended, as after Ctrl-C
    prepare_process()
    try:
        findings = list(judge(_measure()))
    except (ConfigurationError, TimeoutError, subprocess.TimeoutExpired) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(findings_table(findings))
    return 0 if all(finding.holds for finding in findings) else 1


def judge(rounds: list[dict[str, tuple[Sample, Sample]]]) -> Iterator[Finding]:
    """Judge rounds; each has, by prefix of the path, what one connection saw, and what many saw."""
    passed, queued = ([measured[prefix] for measured in rounds] for prefix in _PREFIXES)
    medians = ratios([one.median_ms for one, _ in queued], [one.median_ms for one, _ in passed])
    yield at_most("one connection: median through the queue, times pass-through's", MOST_OF_MEDIAN, medians, times)
    rates = ratios([many.completed_per_second for _, many in queued], [many.completed_per_second for _, many in passed])
    what = f"{_CONNECTIONS} connections: requests per second through the queue, times pass-through's"
    yield at_least(what, LEAST_OF_RATE, rates, times)
    errors = sum(sample.errors for measured in rounds for pair in measured.values() for sample in pair)
    yield Finding("requests that failed", "0", str(errors), errors == 0)


def _measure() -> list[dict[str, tuple[Sample, Sample]]]:
    with (
        measuring() as output,
        running_traced_target(output) as target_url,
        running_ours(target_url, output, _SLOTS) as stack,
    ):
        return [
            {prefix: _load_both(stack.urls[0] + path_of(prefix, "low", 0)) for prefix in rotated(_PREFIXES, number)}
            for number in range(_ROUNDS)
        ]


def _load_both(url: str) -> tuple[Sample, Sample]:
    return _load(url, 1), _load(url, _CONNECTIONS)


def _load(url: str, connections: int) -> Sample:
    with _generator(url, connections) as generator:
        said, _ = generator.communicate(timeout=_SECONDS + _GENERATOR_SECONDS)
    if generator.returncode != 0:
        raise ConfigurationError(f"the load generator failed: {said.decode(errors='replace')}")
    return Sample(**json.loads(said.splitlines()[-1]))


@contextmanager
def _generator(url: str, connections: int) -> Iterator["subprocess.Popen[bytes]"]:
    arguments = (
        "-m", "benchmarks.endpoints.generator", url, "--connections", str(connections),
        "--seconds", str(_SECONDS), "--warm-up", str(_WARM_UP_SECONDS),
    )  # fmt: skip
    with running(Part("load generator", arguments, {}), subprocess.PIPE) as process:
        yield process


if __name__ == "__main__":
    sys.exit(main())
