"""Draws mean waits in comparison with the perfect queue and theory, for high and for low."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from loadtests.metrics import format_seconds
from loadtests.oracle import ClassWaits, Comparison
from loadtests.report.plots.canvas import COLOUR_OF, FONT_POINTS, WIDE_INCHES, Colour, make_figure, render, set_up_axes

_HEIGHT_INCHES = 3.6


@dataclass(frozen=True, slots=True)
class _Row:
    """One mean wait; a measured one is a filled mark, a reference value an open one."""

    name: str
    seconds: float
    is_measured: bool = False
    interval: tuple[float, float] | None = None


def plot_comparison(comparison: Comparison, name: str) -> str:
    """Return a plot with a column for each priority, each with its own axis."""
    figure = make_figure(WIDE_INCHES, _HEIGHT_INCHES)
    left, right = figure.subplots(1, 2, sharey=True)
    for axes, waits in ((left, comparison.high), (right, comparison.low)):
        _draw_class(axes, waits, comparison.fifo_seconds)
    return render(figure, name, "Mean waits of high and low, measured, in the perfect queue and by theory")


def _draw_class(axes: Axes, waits: ClassWaits, fifo_seconds: float) -> None:
    rows = [
        _Row("this run", waits.measured_seconds, is_measured=True),
        _Row("perfect queue", waits.perfect_seconds),
        _Row("without priorities", fifo_seconds),
        _Row("in the long run", waits.estimated_seconds, is_measured=True, interval=waits.interval_seconds),
        _Row("theory", waits.theory_seconds),
    ]
    set_up_axes(axes, x=f"mean wait of {waits.priority} requests")
    longest_seconds = _find_longest(rows)
    # Space for the numbers at the marks.
    axes.set_xlim(0, longest_seconds * 1.25)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_seconds(value)))
    heights = [0.0, -1.0, -2.0, -3.4, -4.4]
    axes.set_ylim(-5.0, 0.6)
    axes.set_yticks(heights, [row.name for row in rows])
    axes.tick_params(axis="y", labelcolor=Colour.TEXT)
    for height, row in zip(heights, rows, strict=True):
        _draw_row(axes, row, height, COLOUR_OF[waits.priority], longest_seconds * 1.25)


def _find_longest(rows: Sequence[_Row]) -> float:
    known = [row.seconds for row in rows] + [row.interval[1] for row in rows if row.interval]
    return max((seconds for seconds in known if 0 < seconds < math.inf), default=1.0)


def _draw_row(axes: Axes, row: _Row, height: float, colour: Colour, edge_seconds: float) -> None:
    end_seconds = row.seconds
    if row.interval is not None:
        end_seconds = min(row.interval[1], edge_seconds)
        axes.plot([row.interval[0], end_seconds], [height, height], color=colour, linewidth=9, alpha=0.35, zorder=2)
    if math.isfinite(row.seconds):
        face = colour if row.is_measured else "none"
        axes.plot(
            row.seconds, height, "o", markersize=9, color=colour, markerfacecolor=face, markeredgewidth=2, zorder=3
        )
    axes.annotate(
        format_seconds(row.seconds),
        (max(end_seconds, 0.0) if math.isfinite(end_seconds) else 0.0, height),
        xytext=(12, 0),
        textcoords="offset points",
        va="center",
        color=Colour.TEXT,
        fontsize=FONT_POINTS,
    )
