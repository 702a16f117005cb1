"""`proof theory`: measured waits beside those of queueing theory, at several loads, with 8 slots and 50 ms."""

from collections.abc import Iterator

from benchmarks.load import run_loadtest_check
from benchmarks.proof.gateways import running_gateway
from benchmarks.proof.table import table_head, table_row

# At half load few requests wait, so their mean needs a longer run.
_SECONDS_BY_LOAD = {0.5: 700, 0.8: 300, 0.95: 300}
_SLOTS = 8


def compare_waits(options: list[str], gateway: str) -> Iterator[str]:
    """Check the waits of a gateway at every load, and return the lines of the table."""
    yield from table_head(
        "gateway", "load of the slots", "priority", "requests", "theory, ms", "measured, ms", "95 %, ms",
        "measured / theory", "slots busy while any waited", "a slot's turnaround, ms", "waits",
    )  # fmt: skip
    for load, usual_seconds in _SECONDS_BY_LOAD.items():
        shape = ["--scenario", "mixed", "--slots", str(_SLOTS), "--load", str(load)]
        with running_gateway(gateway, _SLOTS) as arguments:
            seconds = options or ["--seconds", str(usual_seconds)]
            (scenario,) = run_loadtest_check(*shape, *seconds, *arguments).scenarios
        comparison = scenario["comparison"]
        verdicts = {one["check"]: one["verdict"] for one in scenario["findings"]}
        for priority in ("high", "low"):
            waits = comparison[priority]
            low, high = waits["interval_seconds"]
            yield table_row(
                gateway, f"{comparison['load']:.3f}", priority, f"{waits['requests']:,}",
                f"{1000 * waits['theory_seconds']:.2f}", f"{1000 * waits['estimated_seconds']:.2f}",
                f"{1000 * low:.2f} to {1000 * high:.2f}", f"{waits['ratio']:.3f}",
                f"{comparison['utilisation']:.3f}", f"{1000 * comparison['turnaround_seconds']:.2f}",
                verdicts["waits"],
            )  # fmt: skip
