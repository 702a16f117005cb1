"""Measures whether bodies stream through the queue: memory, speed, delay and release, each beside its bound.

Prints a table in Markdown on stdout and its progress on stderr. It takes about 2 minutes; --quick takes half a minute
and has no bound on the speed, which varies too much in so short a time.
Exit status: 0; 1 if a bound does not hold; 2 if a process did not start.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace

from benchmarks.results import Finding, bounds_table
from benchmarks.streaming.events import measure_events
from benchmarks.streaming.run_size import FULL, QUICK, RunSize
from benchmarks.streaming.slow_reader import measure_slow_reader
from benchmarks.streaming.stack import PASS_THROUGH, running_streaming_stack
from benchmarks.streaming.transfers import measure_transfers
from benchmarks.streaming.waiting import measure_waiting
from benchmarks.support import exit_status, log_progress, machine_line, positive_int, prepare_process

_PARTS = {"transfers": measure_transfers, "events": measure_events, "slow": measure_slow_reader}
_WAITING = "waiting"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table and return the exit status."""
    options = _parser().parse_args(arguments)
    return exit_status(lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    prepare_process()
    machine = machine_line()
    findings: list[Finding] = []
    for found in _measure(_size(options), options):
        findings += found
        for one in found:
            log_progress(f"{one.verdict:4}  {one.label}: {one.measured}")
    print(f"{bounds_table(findings)}\n\n{machine}")
    return 1 if any(one.holds is False for one in findings) else 0


def _measure(size: RunSize, options: argparse.Namespace) -> Iterator[list[Finding]]:
    chosen = options.only or [*_PARTS, _WAITING]
    prefix = PASS_THROUGH if options.past_the_queue else ""
    with running_streaming_stack(size.streams, options.max_body, prefix, with_worker=options.with_worker) as stack:
        for name, measure in _PARTS.items():
            if name in chosen:
                yield measure(stack, size)
    if _WAITING in chosen and not options.past_the_queue:  # it needs stacks of its own, without a worker
        yield measure_waiting(size, options.max_body)


def _size(options: argparse.Namespace) -> RunSize:
    names = {field.name for field in fields(RunSize)}
    given = {name: value for name, value in vars(options).items() if name in names and value is not None}
    return replace(QUICK if options.quick else FULL, **given)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks streaming",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="small and short, for CI")
    parser.add_argument(
        "--only", action="append", choices=[*_PARTS, _WAITING], help="measure this part; can be repeated [all parts]"
    )
    parser.add_argument(
        "--past-the-queue", action="store_true", help="measure pass-through instead of the queue, for comparison"
    )
    parser.add_argument(
        "--with-worker", action="store_true", help="measure a gateway without slots of its own, and a worker"
    )
    parser.add_argument("--max-body", type=int, default=0, metavar="BYTES", help="FAST_PRIORITY_MAX_BODY [0: no limit]")
    for name, meaning in (
        ("transfer-mebibytes", "size of each download and upload"),
        ("rounds", "how often each is sent"),
        ("streams", "simultaneous event streams, and slots"),
        ("events", "events in each stream"),
        ("slow-bytes", "size of the response that is read slowly"),
        ("waiting", "requests that wait at the same time"),
        ("waiting-kibibytes", "size of each waiting upload"),
    ):
        _add(parser, name, positive_int, "N", meaning)
    for name, meaning in (
        ("event-interval-seconds", "time between two events"),
        ("slow-seconds", "how long the slow client reads"),
    ):
        _add(parser, name, float, "SECONDS", meaning)
    return parser


def _add(parser: argparse.ArgumentParser, name: str, kind: Callable[[str], float], metavar: str, meaning: str) -> None:
    default = getattr(FULL, name.replace("-", "_"))
    parser.add_argument(f"--{name}", type=kind, metavar=metavar, help=f"{meaning} [{default}]")
