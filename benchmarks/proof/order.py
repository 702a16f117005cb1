"""`proof order`: saturated runs of stacks of many shapes, each with several seeds."""

from collections.abc import Iterator

from benchmarks.load import run_loadtest_check
from benchmarks.proof.table import table_head, table_row

_SHAPES = [
    # slots, worker processes, gateways
    *[(1, 1, gateways) for gateways in (1, 2)],
    *[(slots, workers, gateways) for slots in (4, 16) for workers in (1, 3) for gateways in (1, 2)],
]
_SEEDS = (1, 2)
# One slot serves five requests per second; a shorter run would have too few of them.
_ONE_SLOT_OPTIONS = ["--seconds", "25"]


def check_saturated_runs(options: list[str]) -> Iterator[str]:
    """Check every shape with every seed, and return the lines of the table."""
    yield from table_head(
        "slots", "workers", "gateways", "seed", "verdict", "requests", "overtakings", "inversions",
        "high that could tell", "tightest tolerance, ms",
    )  # fmt: skip
    for slots, workers, gateways in _SHAPES:
        for seed in _SEEDS:
            shape = {"--slots": slots, "--workers": workers, "--gateways": gateways, "--seed": seed}
            arguments = [str(word) for option in shape.items() for word in option]
            seconds = options or (_ONE_SLOT_OPTIONS if slots == 1 else [])
            result = run_loadtest_check("--quick", *seconds, *arguments)
            priorities = [scenario["priorities"] for scenario in result.scenarios]
            yield table_row(
                slots, workers, gateways, seed, result.verdict,
                sum(by_name[name]["sent"] for by_name in priorities for name in ("high", "low")),
                *(result.total(count) for count in ("overtakings", "inversions", "tested")),
                f"{result.tightest_tolerance_ms:,.0f}",
            )  # fmt: skip
