"""Draws the waits: the cumulative distribution for each priority."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator, PercentFormatter
from matplotlib.typing import LineStyleType

from loadtests.metrics import PRIORITIES, format_seconds, list_waits, wait_without_priorities
from loadtests.oracle import ScenarioResult
from loadtests.report.plots.canvas import COLOUR_OF, NARROW_INCHES, Colour, make_figure, render, set_up_axes

_HEIGHT_INCHES = 4.6
_SHORTEST_SECONDS = 0.0001
"""A log axis has no zero; no request over a socket is faster than this."""


def plot_waits(scenario: ScenarioResult, name: str) -> str:
    """Return a curve for each priority, and a dashed one for the same requests without priorities."""
    figure = make_figure(NARROW_INCHES, _HEIGHT_INCHES)
    axes = figure.add_subplot()
    set_up_axes(axes, x="waited at most, on a log scale", y="share of requests")
    _draw_shares(axes, wait_without_priorities(scenario.traces), Colour.TEXT, (0, (4, 3)), 4)
    for layer, priority in enumerate(reversed(PRIORITIES), start=2):
        waits = list_waits(one for one in scenario.traces if one.sent.priority == priority)
        _draw_shares(axes, waits, COLOUR_OF[priority], "solid", layer)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0), numticks=8))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_seconds(value)))
    axes.set_ylim(0, 1.01)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    return render(figure, name, "Share of the requests of each priority that waited no longer than so long")


def _draw_shares(axes: Axes, waits: Sequence[float], colour: Colour, style: LineStyleType, layer: float) -> None:
    if waits:
        drawn = [max(wait, _SHORTEST_SECONDS) for wait in waits]
        axes.ecdf(drawn, color=colour, linestyle=style, linewidth=2.4, zorder=layer)
