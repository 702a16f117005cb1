"""Repeats what docs/evidence/proof.md shows and prints its tables in Markdown, one part at a time.

  oracle   5 minutes: the check finds gateways without priorities, and no other; needs HAProxy
  order    12 minutes: 20 saturated runs of stacks of many shapes
  theory   25 minutes: measured waits beside those of theory, at three loads

Every run is `fast-priority loadtest check`, as a user starts it; the numbers are read from its results.json. Measure on
a machine that does nothing else. Exit status: 0; 2 if a check ended without results.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from benchmarks.proof.gateways import FAST_PRIORITY, HAPROXY_PRIORITY
from benchmarks.proof.oracle import check_gateways
from benchmarks.proof.order import check_saturated_runs
from benchmarks.proof.theory import compare_waits
from benchmarks.support import exit_status


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a part, print its table and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks proof", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=["oracle", "order", "theory"])
    parser.add_argument("--seconds", type=float, help="length of each scenario [different for each part]")
    parser.add_argument(
        "--gateway",
        choices=(FAST_PRIORITY, HAPROXY_PRIORITY),
        default=FAST_PRIORITY,
        help="theory: the gateway whose waits are compared [%(default)s]",
    )
    options = parser.parse_args(arguments)
    parts: dict[str, Callable[[list[str]], Iterator[str]]] = {
        "oracle": check_gateways,
        "order": check_saturated_runs,
        "theory": partial(compare_waits, gateway=options.gateway),
    }
    check_options = [] if options.seconds is None else ["--seconds", f"{options.seconds:g}"]
    return exit_status(lambda: _print(parts[options.part](check_options)))


def _print(lines: Iterator[str]) -> int:
    for line in lines:
        print(line, flush=True)
    return 0
