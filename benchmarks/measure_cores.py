"""Two gateways and two worker processes beside one and one, on the same cores and with the same slots and load."""

import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.findings import Finding, Report, Spread, at_least, ratios, rotated, table, times
from benchmarks.nginx import running_target
from benchmarks.ours import Stack, running_ours
from benchmarks.paths import PRIORITIES, QUEUE, path_of
from benchmarks.recording import record, tell
from benchmarks.sizes import Sizes
from benchmarks.ways import measuring
from benchmarks.wrk import loading

_SLOTS, _CONNECTIONS = 16, 256
_SHAPES = (1, 2)  # so many gateways, and as many worker processes
_CLIENTS = 2  # programs that put load on, alike in both shapes


def measure_cores(sizes: Sizes) -> Report:
    """Compare throughput with a target for free; and prove the order of the larger stack."""
    report = Report("cores")
    rates: dict[int, list[float]] = {shape: [] for shape in _SHAPES}
    with measuring() as output, running_target(output) as target, ExitStack() as parts:
        stacks = {
            shape: parts.enter_context(running_ours(target.url, output, _SLOTS, workers=shape, gateways=shape))
            for shape in _SHAPES
        }
        for number in range(-1, sizes.rounds):  # the first one warms up
            for shape in rotated(_SHAPES, number):
                rate = _load(report, stacks[shape], shape, number, sizes.seconds if number >= 0 else 1)
                if number >= 0:
                    rates[shape].append(rate)
    what = "two gateways and two worker processes: throughput, times that of one and one"
    report.findings = [at_least(what, 1.0, ratios(rates[2], rates[1]), times)]
    rows = [[f"{shape} and {shape}", Spread.of(rates[shape]).shown("{:,.0f}".format)] for shape in _SHAPES]
    report.tables["cores"] = table(("gateways and worker processes", "requests per second"), rows)
    if sizes.proves_order:
        report.findings.append(_prove_order(report))
    return report


def _load(report: Report, stack: Stack, shape: int, number: int, seconds: int) -> float:
    paths = [path_of(QUEUE, priority, 0) for priority in PRIORITIES]
    with ExitStack() as loads:
        running = [
            loads.enter_context(loading(stack.urls[client % shape], paths, _CONNECTIONS // _CLIENTS, seconds))
            for client in range(_CLIENTS)
        ]
        seen = [one.result() for one in running]
    stack.wait_until_idle()
    if number < 0:
        return 0.0
    return sum(
        record(report, one, shape=shape, client=client, round=number).per_second for client, one in enumerate(seen)
    )


def _prove_order(report: Report) -> Finding:
    """Run the load tests' own proof on such a stack."""
    with tempfile.TemporaryDirectory(prefix="bench-proof-") as folder:
        command = [
            sys.executable, "-m", "loadtests", "check", "--quick", "--slots", str(_SLOTS), "--workers", "2",
            "--gateways", "2", "--out", folder,
        ]  # fmt: skip
        subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        results = Path(folder) / "results.json"
        found: dict[str, Any] = json.loads(results.read_text()) if results.exists() else {"scenarios": []}
    orders = [scenario["order"] for scenario in found["scenarios"]]
    inversions, overtakings = (sum(order[name] for order in orders) for name in ("inversions", "overtakings"))
    verdict = found.get("verdict", "it could not run")
    report.raw.append({"part": "cores", "proof": verdict, "inversions": inversions, "overtakings": overtakings})
    tell(f"cores: the order of two and two: {verdict}, {inversions} inversions, {overtakings} overtakings")
    return Finding(
        "two gateways and two worker processes: the order, by `loadtest check`",
        "0 inversions",
        f"{inversions} inversions, {overtakings} overtakings: {verdict}",
        verdict == "PROVED" and inversions == 0,
    )
