"""Two gateways and two worker processes beside one and one, on the same cores and with the same slots and load."""

import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.load.wrk import loading
from benchmarks.performance.recording import record, tell
from benchmarks.performance.sizes import Sizes
from benchmarks.results.findings import Finding, Report, Spread, at_least, ratios, rotated, table, times
from benchmarks.systems.contenders import measuring
from benchmarks.systems.nginx import running_target
from benchmarks.systems.paths import PRIORITIES, QUEUE, path_of
from benchmarks.systems.stack import Stack, running_ours

_CONNECTIONS = 256
_SHAPES = (1, 2)  # so many gateways, and as many worker processes
_CLIENTS = 2  # programs that put load on, alike in both shapes
_SLOTS_OF_PROOF = 16


@dataclass(frozen=True, slots=True)
class _Case:
    """What is the limit, and the slots and service that make it so."""

    limit: str
    slots: int
    service_ms: int


_CASES = (_Case("the slots as the limit: 64 at 16 ms", 64, 16), _Case("the cores as the limit: target for free", 16, 0))


def measure_cores(sizes: Sizes) -> Report:
    """Compare throughput, whatever the limit is; and prove the order of the larger stack."""
    report = Report("cores")
    rows = [_compare(report, case, sizes) for case in _CASES]
    heads = ("requests per second of gateways and worker processes", *(f"{shape} and {shape}" for shape in _SHAPES))
    report.tables["cores"] = table(heads, rows)
    if sizes.proves_order:
        report.findings.append(_prove_order(report))
    return report


def _compare(report: Report, case: _Case, sizes: Sizes) -> list[str]:
    """Add the finding, and give the row of the table."""
    rates: dict[int, list[float]] = {shape: [] for shape in _SHAPES}
    with measuring() as output, running_target(output) as target, ExitStack() as parts:
        stacks = {
            shape: parts.enter_context(running_ours(target.url, output, case.slots, workers=shape, gateways=shape))
            for shape in _SHAPES
        }
        for number in range(-1, sizes.rounds):  # the first one warms up
            for shape in rotated(_SHAPES, number):
                rate = _load(report, stacks[shape], case, shape, number, sizes.seconds if number >= 0 else 1)
                if number >= 0:
                    rates[shape].append(rate)
    what = f"two gateways and two worker processes, {case.limit}: throughput, times that of one and one"
    report.findings.append(at_least(what, 1.0, ratios(rates[2], rates[1]), times))
    return [case.limit, *(Spread.of(rates[shape]).shown("{:,.0f}".format) for shape in _SHAPES)]


def _load(report: Report, stack: Stack, case: _Case, shape: int, number: int, seconds: int) -> float:
    paths = [path_of(QUEUE, priority, case.service_ms) for priority in PRIORITIES]
    with ExitStack() as loads:
        running = [
            loads.enter_context(loading(stack.urls[client % shape], paths, _CONNECTIONS // _CLIENTS, seconds))
            for client in range(_CLIENTS)
        ]
        seen = [one.result() for one in running]
    stack.wait_until_idle()
    if number < 0:
        return 0.0
    where = {"service_ms": case.service_ms, "shape": shape, "round": number}
    return sum(record(report, one, **where, client=client).per_second for client, one in enumerate(seen))


def _prove_order(report: Report) -> Finding:
    """Run the load tests' own proof on such a stack."""
    with tempfile.TemporaryDirectory(prefix="bench-proof-") as folder:
        command = [
            sys.executable, "-m", "loadtests", "check", "--quick", "--slots", str(_SLOTS_OF_PROOF), "--workers", "2",
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
