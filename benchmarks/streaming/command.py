"""Whether bodies stream through the queue: memory, speed, delay and what is let go of, each beside its bound.

Prints a Markdown table on stdout and its progress on stderr. Exits 1 if a bound does not hold, 2 if something did not
start. --quick takes half a minute and asks nothing of the speed: in so short a time, it is luck.
"""

import argparse
import os
import resource
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

from benchmarks.streaming.crowds import measure_events, measure_waiting
from benchmarks.streaming.findings import MEBIBYTE, Finding, table
from benchmarks.streaming.stack import PASSED, running_stack
from benchmarks.streaming.transfers import measure_slow_reader, measure_transfers
from benchmarks.support.command_line import end_on_signals, positive
from benchmarks.support.machine import machine_line
from fast_priority.errors import ConfigurationError
from fast_priority.settings import PREFIX

_INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large a run is."""

    transfer_mebibytes: int = 1024
    rounds: int = 3
    streams: int = 200
    events: int = 50
    event_interval_seconds: float = 0.1
    slow_bytes: int = 200_000_000
    slow_seconds: float = 20.0
    waiting: int = 1000
    waiting_kibibytes: int = 1024
    judge_speed: bool = True


_QUICK = Sizes(
    transfer_mebibytes=128, rounds=1, streams=20, events=6, event_interval_seconds=0.5, slow_seconds=3.0, waiting=100,
    judge_speed=False,
)  # fmt: skip
_MOST_GROWTH_OF_SLOW_BYTES = 16 * MEBIBYTE
_PARTS = ("transfers", "events", "slow", "waiting")


def main() -> int:
    """Measure, print, and give the exit status."""
    options = _options()
    sizes = _sizes(options)
    end_on_signals()
    # What the caller's shell has set for a gateway of its own must not change what is measured.
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
    # A thousand clients, and as many connections at the gateway: the parts inherit what this process may open.
    most_files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    machine = machine_line()  # before the load: it tells how busy the machine was
    findings: list[Finding] = []
    try:
        for found in _measure(sizes, options):
            findings += found
            for one in found:
                print(f"{one.verdict:4}  {one.what}: {one.seen}", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted; nothing is left running", file=sys.stderr)
        return _INTERRUPTED
    except (ConfigurationError, TimeoutError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{table(findings)}\n\n{machine}")
    return 1 if any(one.holds is False for one in findings) else 0


def _measure(sizes: Sizes, options: argparse.Namespace) -> Iterator[list[Finding]]:
    parts = options.only or _PARTS
    with running_stack(sizes.streams, options.max_body, PASSED if options.past_the_queue else "") as stack:
        if "transfers" in parts:
            size_bytes = sizes.transfer_mebibytes * MEBIBYTE
            yield measure_transfers(stack, size_bytes, sizes.rounds, judge_speed=sizes.judge_speed)
        if "events" in parts:
            yield measure_events(stack, sizes.streams, sizes.events, sizes.event_interval_seconds)
        if "slow" in parts:
            yield measure_slow_reader(stack, sizes.slow_bytes, sizes.slow_seconds, _MOST_GROWTH_OF_SLOW_BYTES)
    if "waiting" in parts and not options.past_the_queue:  # on stacks of its own, on which no worker runs
        yield measure_waiting(sizes.waiting, sizes.waiting_kibibytes * 1024, options.max_body)


def _sizes(options: argparse.Namespace) -> Sizes:
    given = {name: value for name, value in vars(options).items() if name in Sizes.__slots__ and value is not None}
    return replace(_QUICK if options.quick else Sizes(), **given)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small and short, for CI")
    parser.add_argument("--only", action="append", choices=_PARTS, help="this part; may be given several times [all]")
    parser.add_argument("--past-the-queue", action="store_true", help="measure pass-through, to know what can be had")
    parser.add_argument("--max-body", type=int, default=0, help="FAST_PRIORITY_MAX_BODY in bytes [0: no limit]")
    for name, meaning in (
        ("transfer-mebibytes", "size of the downloads and uploads"),
        ("rounds", "how often each is made"),
        ("streams", "event streams at once, and slots"),
        ("events", "events in each stream"),
        ("slow-bytes", "size of what is read slowly"),
        ("waiting", "requests that wait at once"),
        ("waiting-kibibytes", "size of each upload that waits"),
    ):
        parser.add_argument(f"--{name}", type=positive, help=f"{meaning} [{getattr(Sizes(), name.replace('-', '_'))}]")
    for name, meaning in (("event-interval-seconds", "between events"), ("slow-seconds", "how long it is read slowly")):
        parser.add_argument(f"--{name}", type=float, help=f"{meaning} [{getattr(Sizes(), name.replace('-', '_'))}]")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
