"""`proof oracle`: the check finds every gateway without priorities, and no gateway that has them."""

from collections.abc import Iterator

from benchmarks.load import run_loadtest_check
from benchmarks.proof.gateways import DOUBLES, FAST_PRIORITY, HAPROXY_FIFO, HAPROXY_PRIORITY, running_gateway
from benchmarks.proof.table import table_head, table_row

_SLOTS = 4


def check_gateways(options: list[str]) -> Iterator[str]:
    """Check every gateway, and return the lines of the table; `options` are further ones of the check."""
    yield from table_head("gateway", "exit code", "order", "overtakings", "inversions", "tightest tolerance, ms")
    for name in (FAST_PRIORITY, HAPROXY_PRIORITY, HAPROXY_FIFO, *DOUBLES):
        with running_gateway(name, _SLOTS) as arguments:
            result = run_loadtest_check("--quick", "--slots", str(_SLOTS), *options, *arguments)
        yield table_row(
            name,
            result.exit_code,
            result.verdict,
            result.total("overtakings"),
            result.total("inversions"),
            f"{result.tightest_tolerance_ms:,.0f}",
        )
