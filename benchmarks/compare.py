"""What the gateway costs, and what its worker saves: direct, pass-through, PriorityWorker and stock rq, side by side.

Prints a Markdown table on stdout and its progress on stderr. Exits 1 if any request was not answered 200.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

# Run as a script, Python looks beside the file only.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.contenders import Contender, running_contenders
from benchmarks.generator import Sample
from benchmarks.report import Round, errors_of, machine_line, table
from fast_priority.errors import ConfigurationError
from fast_priority.settings import PREFIX
from fast_priority.stack import Part, running

_WARM_UP_SECONDS = 0.5
_GENERATOR_SECONDS = 60.0  # over window, warm-up and its own grace: then it hangs
_INTERRUPTED = 130


def main() -> int:
    """Compare, print, and give the exit status: 0, 1 after errors, 2 if something did not start."""
    options = _options()
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, _end)
    # What the caller's shell has set for a gateway of its own must not change what is measured.
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
    machine = machine_line()  # before the load: it tells how busy the machine was
    try:
        with running_contenders(options.slots, options.latency) as contenders:
            rounds = [_measure_round(number, contenders, options) for number in range(options.rounds)]
    except KeyboardInterrupt:
        print("interrupted; nothing is left running", file=sys.stderr)
        return _INTERRUPTED
    except (ConfigurationError, TimeoutError, subprocess.TimeoutExpired) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    names = [contender.name for contender in contenders]
    run = (
        f"Slots: {options.slots}. Latency of the target: {options.latency} s. Rounds: {options.rounds}, interleaved, "
        f"{options.seconds:g} s for each figure. Median over the rounds (min–max); "  # noqa: RUF001
        "what compares is taken in each round, then its median."
    )
    print(f"{table(names, rounds, options.connections)}\n\n{machine}\n{run}")
    errors = errors_of(names, rounds)
    for line in errors:
        print(f"\n**{line}**")
    return 1 if errors else 0


def _measure_round(number: int, contenders: list[Contender], options: argparse.Namespace) -> Round:
    """Measure each contender once; each round begins with another one, so that none always goes first."""
    first = number % len(contenders)
    measured: Round = {}
    for contender in [*contenders[first:], *contenders[:first]]:
        one = _load(contender.url, 1, options.seconds)
        many = _load(contender.url, options.connections, options.seconds)
        measured[contender.name] = (one, many)
        print(
            f"round {number + 1}/{options.rounds}  {contender.name}: median {one.median_ms:.2f} ms on one connection, "
            f"{many.completed_per_second:,.0f} requests/s on {options.connections}, {one.errors + many.errors} errors",
            file=sys.stderr,
        )
    return measured


def _load(url: str, connections: int, seconds: float) -> Sample:
    arguments = (
        str(Path(__file__).with_name("generator.py")), url, "--connections", str(connections),
        "--seconds", str(seconds), "--warm-up", str(_WARM_UP_SECONDS),
    )  # fmt: skip
    with running(Part("load generator", arguments, {}), subprocess.PIPE) as generator:
        said, _ = generator.communicate(timeout=seconds + _GENERATOR_SECONDS)
    if generator.returncode != 0:
        raise ConfigurationError(f"the load generator failed: {said.decode(errors='replace')}")
    return Sample(**json.loads(said.splitlines()[-1]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each figure is measured [3]")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured [3]")
    parser.add_argument("--slots", type=int, default=4, help="requests the workers have at the target at once [4]")
    parser.add_argument("--connections", type=int, default=32, help="connections that throughput is measured with [32]")
    parser.add_argument("--latency", default="0", help="the target's latency, as mock_target takes it [0]")
    options = parser.parse_args()
    if min(options.rounds, options.slots, options.connections) < 1 or options.seconds <= 0:
        parser.error("--seconds, --rounds, --slots and --connections must be positive")
    return options


def _end(number: int, frame: FrameType | None) -> None:
    # Once is enough: a second one in the midst of stopping the parts would leave some of them.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
