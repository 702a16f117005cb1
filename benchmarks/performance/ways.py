"""Part `ways`: every contender, with several numbers of connections and service times."""

from collections import defaultdict
from collections.abc import Mapping

from benchmarks.load import LoadResult
from benchmarks.performance.report import Report
from benchmarks.performance.run_size import RunSize
from benchmarks.results import Spread, format_ratio, markdown_table, ratios, rotate, two_digits
from benchmarks.support import captured_output
from benchmarks.systems import DIRECT, STOCK_WORKERS, Contender, running_contenders

SLOTS = 16
_WARM_UP_CONNECTIONS = 32
Results = dict[tuple[str, int, int], list[LoadResult]]
"""The results of all rounds, by contender, service time and connections."""


def measure_ways(size: RunSize) -> Report:
    """Load every contender with every number of connections and every service time."""
    report, results = Report("ways"), defaultdict[tuple[str, int, int], list[LoadResult]](list)
    with captured_output() as output, running_contenders(output, SLOTS) as (_, contenders):
        warm_up(contenders)
        for number in range(size.ways_rounds):
            for service_ms in size.service_times_ms:
                for connections in size.connections:
                    for name in rotate(list(contenders), number):
                        is_stock = name == STOCK_WORKERS
                        if is_stock and number:
                            continue
                        seconds = size.stock_seconds if is_stock else size.ways_seconds
                        result = contenders[name].run_load(service_ms, connections, seconds)
                        labels: dict[str, str | int] = {
                            "way": name,
                            "service_ms": service_ms,
                            "connections": connections,
                            "round": number,
                        }
                        results[name, service_ms, connections].append(report.record(result, **labels))
    for service_ms in size.service_times_ms:
        report.tables[f"ways-{service_ms}"] = _table(results, list(contenders), service_ms, size.connections)
    return report


def warm_up(contenders: Mapping[str, Contender]) -> None:
    """Load each contender for a second, so that imports and first connections are not measured."""
    for contender in contenders.values():
        contender.run_load(0, _WARM_UP_CONNECTIONS, 1)


def _table(results: Results, names: list[str], service_ms: int, connections: tuple[int, ...]) -> str:
    heads = ["requests per second; times direct"]
    heads += [f"{count:,} connection{'s' if count > 1 else ''}" for count in connections]
    rows = []
    for name in names:
        row = [name]
        for count in connections:
            rates, direct = [
                [result.per_second for result in results[one, service_ms, count]] for one in (name, DIRECT)
            ]
            times_direct = "" if name == DIRECT else f"; {ratios(rates, direct[: len(rates)]).format(format_ratio)}"
            row.append(f"{two_digits(Spread.of(rates).median)}{times_direct}")
        rows.append(row)
    return markdown_table(heads, rows)
