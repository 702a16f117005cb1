"""Compares queue and pass-through in the same run, in 20 s, and fails if the queue has become much slower.

It needs only this package and a Redis server. It judges two ratios and never a duration, with bounds so wide that a
busy machine does not break them. Exit status: 0; 1 if a bound does not hold; 2 if nothing was measured.
"""

import argparse
import json
import subprocess
from collections.abc import Iterator, Sequence

from benchmarks.endpoints import Sample
from benchmarks.results import Finding, at_least, at_most, findings_table, format_ratio, ratios, rotate
from benchmarks.support import benchmark_process, captured_output, exit_status, prepare_process
from benchmarks.systems import (
    PASS_THROUGH_PREFIX,
    QUEUE_PREFIX,
    path_of,
    running_gateway_stack,
    running_traced_target,
)
from fast_priority.errors import ConfigurationError
from fast_priority.local.child_processes import running

MOST_MEDIAN_RATIO = 8.0
"""One connection: most that the median through the queue may be, divided by pass-through's; usual is 2.5 to 4."""
LEAST_RATE_RATIO = 0.2
"""64 connections: least requests per second through the queue, divided by pass-through's; usual is 0.5 to 0.8."""
_SLOTS, _CONNECTIONS, _ROUNDS = 16, 64, 3
_SECONDS, _WARM_UP_SECONDS, _GENERATOR_SECONDS = 1.0, 0.3, 60.0
_PREFIXES = (PASS_THROUGH_PREFIX, QUEUE_PREFIX)
Round = dict[str, tuple[Sample, Sample]]
"""By prefix of the path: the samples on one connection, and on many."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the findings and return the exit status."""
    argparse.ArgumentParser(
        prog="python -m benchmarks check", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args(arguments)
    return exit_status(_run)


def judge(rounds: list[Round]) -> Iterator[Finding]:
    """Return the findings of some rounds."""
    passed, queued = ([measured[prefix] for measured in rounds] for prefix in _PREFIXES)
    medians = ratios([one.median_ms for one, _ in queued], [one.median_ms for one, _ in passed])
    label = "one connection: median through the queue, times pass-through's"
    yield at_most(label, MOST_MEDIAN_RATIO, medians, format_ratio)
    rates = ratios([many.completed_per_second for _, many in queued], [many.completed_per_second for _, many in passed])
    label = f"{_CONNECTIONS} connections: requests per second through the queue, times pass-through's"
    yield at_least(label, LEAST_RATE_RATIO, rates, format_ratio)
    errors = sum(sample.errors for measured in rounds for pair in measured.values() for sample in pair)
    yield Finding("requests that failed", "0", str(errors), errors == 0)


def _run() -> int:
    prepare_process()
    findings = list(judge(_measure()))
    print(findings_table(findings))
    return 0 if all(finding.holds for finding in findings) else 1


def _measure() -> list[Round]:
    with (
        captured_output() as output,
        running_traced_target(output) as target_url,
        running_gateway_stack(target_url, output, _SLOTS) as stack,
    ):
        return [
            {prefix: _load_both(stack.urls[0] + path_of(prefix, "low", 0)) for prefix in rotate(_PREFIXES, number)}
            for number in range(_ROUNDS)
        ]


def _load_both(url: str) -> tuple[Sample, Sample]:
    return _load(url, 1), _load(url, _CONNECTIONS)


def _load(url: str, connections: int) -> Sample:
    generator = benchmark_process(
        "load generator", "generator", url, "--connections", str(connections), "--seconds", str(_SECONDS),
        "--warm-up", str(_WARM_UP_SECONDS),
    )  # fmt: skip
    with running(generator, subprocess.PIPE) as process:
        output, _ = process.communicate(timeout=_SECONDS + _GENERATOR_SECONDS)
    if process.returncode != 0:
        raise ConfigurationError(f"the load generator failed: {output.decode(errors='replace')}")
    return Sample(**json.loads(output.splitlines()[-1]))
