"""The measurements as Markdown. Pure, but for what it asks of the machine."""

import math
import os
import platform
import subprocess
from collections.abc import Callable
from importlib.metadata import version
from statistics import median

from benchmarks.generator import Sample
from fast_priority.embedded_redis import find_redis_server

Round = dict[str, tuple[Sample, Sample]]
"""By contender: what one connection saw, and what many saw."""

_FEW_LATENCIES = 100
_PACKAGES = ("fast-priority", "rq", "redis", "uvicorn", "uvloop", "aiohttp")
_DASH = "–"  # noqa: RUF001 - the typographic sign is meant


def table(names: list[str], rounds: list[Round], connections: int) -> str:
    """Give the table; the first name is what the others are compared to."""
    base = names[0]
    lines = [
        f"| | 1 connection: median, ms | p99, ms | more than {base}, ms | times {base} "
        f"| {connections} connections: requests/s | times {base} |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    few = False
    for name in names:
        few = few or any(measured[name][0].latencies < _FEW_LATENCIES for measured in rounds)
        lines.append(f"| {name} | {' | '.join(_cells(name, base, rounds))} |")
    busiest = {name: max(measured[name][1].generator_cpu for measured in rounds) for name in names}
    shares = ", ".join(f"{name} {share:.0%}" for name, share in busiest.items())
    lines += ["", f"The load generator's share of one core at {connections} connections: {shares}."]
    if few:
        lines.append(f"A p99 of fewer than {_FEW_LATENCIES} requests a round is the slowest of them.")
    return "\n".join(lines)


def errors_of(names: list[str], rounds: list[Round]) -> list[str]:
    """Give one line for each contender that had errors: how many, and the first."""
    lines = []
    for name in names:
        samples = [sample for measured in rounds for sample in measured[name]]
        count = sum(sample.errors for sample in samples)
        if count:
            first = next(sample.first_error for sample in samples if sample.errors)
            lines.append(f"{name}: {count} requests failed, so these figures do not count. The first: {first}")
    return lines


def machine_line() -> str:
    """Say what this was measured on, and how busy it was before."""
    said = subprocess.run([find_redis_server(), "--version"], capture_output=True, text=True, check=True).stdout
    redis_version = next(
        (word.removeprefix("v=") for word in said.split() if word.startswith("v=")), "of unknown version"
    )
    packages = ", ".join(f"{package} {version(package)}" for package in _PACKAGES)
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"load average {os.getloadavg()[0]:.1f} before; "
        f"Python {platform.python_version()}, Redis server {redis_version}; {packages}."
    )


def _cells(name: str, base: str, rounds: list[Round]) -> list[str]:
    one, base_one = [[measured[who][0] for measured in rounds] for who in (name, base)]
    rates, base_rates = [[measured[who][1].completed_per_second for measured in rounds] for who in (name, base)]
    medians, base_medians = [[sample.median_ms for sample in samples] for samples in (one, base_one)]
    is_base = name == base
    over = [mine - its for mine, its in zip(medians, base_medians, strict=True)]
    return [
        _spread(medians, "{:.2f}".format),
        _spread([sample.p99_ms for sample in one], "{:.2f}".format),
        "" if is_base else _spread(over, "{:.2f}".format),
        "1" if is_base else _ratio(medians, base_medians),
        _spread(rates, _short),
        "1" if is_base else _ratio(rates, base_rates),
    ]


def _ratio(values: list[float], bases: list[float]) -> str:
    ratios = [value / base for value, base in zip(values, bases, strict=True) if base > 0 and math.isfinite(value)]
    return _spread(ratios, _short, with_range=False)


def _spread(values: list[float], shown: Callable[[float], str], with_range: bool = True) -> str:
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return _DASH
    middle = shown(median(known))
    return f"{middle} ({shown(min(known))}{_DASH}{shown(max(known))})" if with_range and len(known) > 1 else middle


def _short(value: float) -> str:
    """Two digits that count, or all before the point: 0.00046, 2.7, 13, 9,604."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
