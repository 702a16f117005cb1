"""The pictures of docs/evidence/performance.md, drawn from docs/evidence/performance.json."""

from collections import defaultdict
from collections.abc import Sequence
from statistics import median
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from benchmarks.performance.costs import PROCESSES
from benchmarks.systems import ALL_CONTENDERS, QUEUE

Figures = Sequence[dict[str, Any]]
"""Rows of docs/evidence/performance.json."""

_TEXT, _GRID = "#1b1f24", "#e3e6ea"
_CONTENDER_COLOURS = dict(
    zip(ALL_CONTENDERS, ("#6a737d", "#2f9e44", "#c77700", "#7ba7d6", "#0067a5", "#7048e8", "#c1121f"), strict=True)
)
_PROCESS_COLOURS = ("#adb5bd", "#2f9e44", "#c77700", "#0067a5", "#c1121f", "#7048e8", "#6a737d")
_STAGE_COLOURS = {"gateway": "#0067a5", "Redis": "#c1121f", "worker": "#7048e8", "target": "#6a737d"}
_MANY = 256
_LEAST_SHARE_FOR_LABELS = 0.4  # of the longest bar; the stages of a shorter one are named in one line below it
_BELOW: dict[str, Any] = {"ha": "center", "va": "top", "fontsize": 7.5, "color": _TEXT}
_ABOVE: dict[str, Any] = {**_BELOW, "va": "bottom"}
matplotlib.rcParams["svg.hashsalt"] = "fast-priority"  # the same figures produce the same file


def draw_ways(figures: Figures) -> Figure | None:
    """Draw requests per second of every contender over connections, for each service time; None without figures."""
    rates: dict[tuple[int, str], dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in figures:
        if one["part"] == "ways" and not one["errors"] and one["requests"]:
            rates[one["service_ms"], one["way"]][one["connections"]].append(one["per_second"])
    services = sorted({service for service, _ in rates})
    if not services:
        return None
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    for axes, service_ms in zip(_row(figure, len(services)), services, strict=True):
        for way in ALL_CONTENDERS:
            if points := rates.get((service_ms, way)):
                counts = sorted(points)
                values = [median(points[count]) for count in counts]
                width = 2.6 if way == QUEUE else 1.5
                axes.plot(counts, values, "o-", ms=4, lw=width, color=_CONTENDER_COLOURS[way], label=way)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(
            sorted({count for (service, _), points in rates.items() if service == service_ms for count in points})
        )
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        title = f"service {service_ms} ms" if service_ms else "target for free"
        _label(axes, title, "connections", "requests per second")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=6, frameon=False)
    return figure


def draw_request(figures: Figures) -> Figure | None:
    """Draw the stages of one request through queue and pass-through; None without figures."""
    ways = {one["way"]: one["stages"] for one in figures if one["part"] == "request"}
    if not ways:
        return None
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    (axes,) = _row(figure, 1)
    longest = max(sum(stages.values()) for stages in ways.values())
    for row, stages in enumerate(ways.values()):
        left, total = 0.0, sum(stages.values())
        has_room = total > longest * _LEAST_SHARE_FOR_LABELS
        for number, (name, microseconds) in enumerate(stages.items()):
            process, _, stage = name.partition(":")
            axes.barh(row, microseconds, left=left, height=0.5, color=_STAGE_COLOURS[process], edgecolor="white")
            if has_room:
                above = number % 2 == 0
                axes.text(
                    left + microseconds / 2,
                    row + (0.29 if above else -0.29),
                    f"{process}\n{stage.strip()} {microseconds:.0f}",
                    **(_ABOVE if above else _BELOW),
                )
            left += microseconds
        axes.text(left, row, f" {total:,.0f} µs", va="center", fontsize=9, color=_TEXT)
        if not has_room:
            labels = ", then ".join(f"{name} {microseconds:.0f}" for name, microseconds in stages.items())
            axes.text(0, row - 0.29, labels, va="top", fontsize=7.5, color=_TEXT)
    axes.set_yticks(range(len(ways)), list(ways))
    axes.set_ylim(-0.75, len(ways) - 0.25)
    axes.margins(x=0.08)
    _label(axes, "one request, one connection: median of each stage", "microseconds since its client sent it", "")
    return figure


def draw_cpu(figures: Figures) -> Figure | None:
    """Draw the CPU time of each process per request, by contender, on many connections; None without figures."""
    uses: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in figures:
        if one["part"] == "costs" and one["connections"] == _MANY:
            for process, microseconds in one["cpu_microseconds"].items():
                uses[one["way"]][process].append(microseconds)
    if not uses:
        return None
    figure = Figure(figsize=(11, 3.2), layout="constrained")
    (axes,) = _row(figure, 1)
    ways = [way for way in reversed(ALL_CONTENDERS) if way in uses]
    left = [0.0] * len(ways)
    for process, colour in zip(PROCESSES, _PROCESS_COLOURS, strict=True):
        widths = [median(uses[way].get(process, [0.0])) for way in ways]
        axes.barh(ways, widths, left=left, height=0.6, color=colour, edgecolor="white", label=process)
        left = [before + width for before, width in zip(left, widths, strict=True)]
    for way, total in zip(ways, left, strict=True):
        axes.text(total, ways.index(way), f" {total:,.0f} µs", va="center", fontsize=9, color=_TEXT)
    axes.margins(x=0.1)
    _label(axes, f"CPU for one request, {_MANY} connections, target for free", "microseconds", "")
    axes.legend(loc="upper right", frameon=False, ncols=4)
    return figure


def _row(figure: Figure, count: int) -> list[Axes]:
    return [figure.add_subplot(1, count, place) for place in range(1, count + 1)]


def _label(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title, fontsize=11, color=_TEXT)
    axes.set_xlabel(x, color=_TEXT)
    axes.set_ylabel(y, color=_TEXT)
    axes.grid(color=_GRID)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
