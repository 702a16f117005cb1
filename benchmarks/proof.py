"""Repeats what docs/evidence/proof.md shows, and writes its tables; each part can be run alone.

    python benchmarks/proof.py oracle      who is found out, and who is not: gateways with and without priorities
    python benchmarks/proof.py order       20 saturated runs of stacks of many shapes
    python benchmarks/proof.py theory      measured waits beside theory, at three loads

Every run is `fast-priority loadtest check`, as a user would start it; the numbers are read from its results.json.
HAProxy has to be on the PATH for `oracle`. The parts take about 5, 12 and 25 minutes.
Measure on a machine that does nothing else.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from fast_priority.free_ports import free_port
from fast_priority.stack import Part, mock_target_part, running, wait_until_answers

REPOSITORY = Path(__file__).parents[1]
# At half load hardly anybody waits, so it takes longer until the mean of those few is known.
THEORY_SECONDS = {0.5: 700.0, 0.8: 300.0, 0.95: 300.0}
SHAPES = [
    # slots, worker processes, gateways
    *[(1, 1, gateways) for gateways in (1, 2)],
    *[(slots, workers, gateways) for slots in (4, 16) for workers in (1, 3) for gateways in (1, 2)],
]
ORDER_SEEDS = (1, 2)
# One slot serves five requests a second: with less there are too few to prove anything.
ONE_SLOT_SECONDS = 25.0
_START_SECONDS = 20.0

Row = Sequence[object]


def main() -> None:
    """Run the parts that were asked for and print their tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["oracle", "order", "theory"])
    parser.add_argument("--seconds", type=float, help="length of each scenario")
    parser.add_argument(
        "--gateway", choices=("fast-priority", "haproxy priority"), default="fast-priority", help="whose waits: theory"
    )
    given = parser.parse_args()
    parts: dict[str, Callable[[float | None], Iterator[str]]] = {
        "oracle": tell_gateways_apart,
        "order": repeat_saturated_runs,
        "theory": partial(compare_with_theory, name=given.gateway),
    }
    for line in parts[given.part](given.seconds):
        print(line, flush=True)


def tell_gateways_apart(seconds: float | None) -> Iterator[str]:
    """Check gateways that have priorities and gateways that have none."""
    yield from _table("gateway", "exit code", "order", "overtakings", "inversions", "tightest tolerance, ms")
    names = ["fast-priority", "haproxy priority", "haproxy fifo", "fifo", "random", "sometimes-wrong"]
    for name in names:
        with _gateway(name) as arguments:
            result = _check("--quick", "--slots", "4", *_seconds(seconds), *arguments)
        orders = [scenario["order"] for scenario in result["scenarios"]]
        yield _row(
            name,
            result["exit_code"],
            result["verdict"],
            sum(order["overtakings"] for order in orders),
            sum(order["inversions"] for order in orders),
            f"{1000 * max(order['tightest_tolerance_seconds'] for order in orders):,.0f}",
        )


def repeat_saturated_runs(seconds: float | None) -> Iterator[str]:
    """Check stacks of many shapes, each with several seeds."""
    yield from _table(
        "slots", "workers", "gateways", "seed", "verdict", "requests", "overtakings", "inversions",
        "high that could tell", "tightest tolerance, ms",
    )  # fmt: skip
    for slots, workers, gateways in SHAPES:
        for seed in ORDER_SEEDS:
            shape = {"--slots": slots, "--workers": workers, "--gateways": gateways, "--seed": seed}
            words = [str(word) for option in shape.items() for word in option]
            result = _check(
                "--quick", *_seconds(ONE_SLOT_SECONDS if slots == 1 and seconds is None else seconds), *words
            )
            scenarios = result["scenarios"]
            orders = [scenario["order"] for scenario in scenarios]
            yield _row(
                slots, workers, gateways, seed, result["verdict"],
                sum(scenario["priorities"][name]["sent"] for scenario in scenarios for name in ("high", "low")),
                *(sum(order[name] for order in orders) for name in ("overtakings", "inversions", "tested")),
                f"{1000 * max(order['tightest_tolerance_seconds'] for order in orders):,.0f}",
            )  # fmt: skip


def compare_with_theory(seconds: float | None, name: str) -> Iterator[str]:
    """Check the waits of a gateway at several loads, 8 slots, 50 ms."""
    yield from _table(
        "gateway", "load of the slots", "priority", "requests", "theory, ms", "measured, ms", "95 %, ms",
        "measured / theory", "slots busy while any waited", "a slot's turnaround, ms", "waits",
    )  # fmt: skip
    for load, usual_seconds in THEORY_SECONDS.items():
        arguments = ["--scenario", "mixed", "--slots", "8", "--load", str(load), *_seconds(seconds or usual_seconds)]
        with _gateway(name, slots=8) as where:
            (scenario,) = _check(*arguments, *where)["scenarios"]
        comparison = scenario["comparison"]
        verdicts = {one["check"]: one["verdict"] for one in scenario["findings"]}
        for priority in ("high", "low"):
            waits = comparison[priority]
            low, high = waits["interval_seconds"]
            yield _row(
                name, f"{comparison['load']:.3f}", priority, f"{waits['requests']:,}",
                f"{1000 * waits['theory_seconds']:.2f}", f"{1000 * waits['estimated_seconds']:.2f}",
                f"{1000 * low:.2f} to {1000 * high:.2f}", f"{waits['ratio']:.3f}",
                f"{comparison['utilisation']:.3f}", f"{1000 * comparison['turnaround_seconds']:.2f}",
                verdicts["waits"],
            )  # fmt: skip


@contextmanager
def _gateway(name: str, slots: int = 4) -> Iterator[list[str]]:
    """Have a gateway by that name; give what `check` has to be told of it."""
    if name == "fast-priority":
        yield []
        return
    target, gateway = free_port(), free_port()
    target_url, url = f"http://127.0.0.1:{target}", f"http://127.0.0.1:{gateway}"
    with ExitStack() as parts:
        mock = parts.enter_context(running(mock_target_part(target, "0")))
        wait_until_answers(mock, "mock target", f"{target_url}/health", _START_SECONDS)
        if name.startswith("haproxy "):
            config = REPOSITORY / "examples" / "haproxy" / f"{name.removeprefix('haproxy ')}.cfg"
            environment = {"GATEWAY": f"127.0.0.1:{gateway}", "TARGET": f"127.0.0.1:{target}", "SLOTS": str(slots)}
            parts.enter_context(_program("haproxy", "-f", str(config), environment=environment))
        else:
            double = str(REPOSITORY / "tests" / "doubles" / "gateway.py")
            options = ("--order", name, "--port", str(gateway), "--target", target_url, "--slots", str(slots))
            parts.enter_context(running(Part(name, (double, *options), {})))
        yield ["--url", url, "--target-url", target_url]


@contextmanager
def _program(*command: str, environment: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen(command, env={**os.environ, **environment})
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _check(*arguments: str) -> dict[str, Any]:
    """Run a check and give its results; end this program if it could not run."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "loadtests", "check", *arguments, "--out", folder]
        done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, check=False)
        results = Path(folder) / "results.json"
        if not results.exists():
            sys.exit(f"`{' '.join(command)}` ended with exit status {done.returncode} and without results")
        found: dict[str, Any] = json.loads(results.read_text())
        return found


def _seconds(seconds: float | None) -> list[str]:
    return [] if seconds is None else ["--seconds", f"{seconds:g}"]


def _table(*heads: str) -> Iterator[str]:
    yield _row(*heads)
    yield _row(*["---"] * len(heads))


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    main()
