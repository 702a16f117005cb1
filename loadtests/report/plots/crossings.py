"""Draws some requests as lines from sending to the target: where lines cross, one overtook the other."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from loadtests.metrics import PRIORITIES, choose_close_up, find_span, sort_by_arrival
from loadtests.oracle import ScenarioResult
from loadtests.records import RequestTrace
from loadtests.report.plots.canvas import (
    COLOUR_OF,
    FONT_POINTS,
    WIDE_INCHES,
    Colour,
    make_figure,
    name_run_seconds,
    render,
    set_up_axes,
)

_HEIGHT_INCHES = 4.4
_WIDTHS = {"high": 2.6, "low": 1.4}


def plot_crossings(scenario: ScenarioResult, name: str) -> str | None:
    """Return the close-up; None if no request reached the target."""
    chosen = choose_close_up(sort_by_arrival(scenario.traces), scenario.order)
    if not chosen:
        return None
    figure = make_figure(WIDE_INCHES, _HEIGHT_INCHES)
    axes = figure.add_subplot()
    set_up_axes(axes, x="time of the run")
    _show_ends(axes)
    begun_at = find_span(scenario.traces).begun_at
    broken = {one.ahead.sent.request_id for one in scenario.order.inversions}
    inverted = [one for one in chosen if one.sent.request_id in broken]
    _draw_lines(axes, inverted, begun_at, Colour.TEXT, _WIDTHS["low"] + 4, 2)
    for layer, priority in enumerate(reversed(PRIORITIES), start=3):
        own = [one for one in chosen if one.sent.priority == priority]
        _draw_lines(axes, own, begun_at, COLOUR_OF[priority], _WIDTHS[priority], layer)
    first, last = min(one.sent.sent_at for one in chosen), max(one.waited_until for one in chosen)
    margin = max(last - first, 1e-3) * 0.01
    axes.set_xlim(first - begun_at - margin, last - begun_at + margin)
    name_run_seconds(axes)
    return render(figure, name, "Some requests as lines from sending to the target; crossing lines are overtakings")


def _show_ends(axes: Axes) -> None:
    axes.set_ylim(-0.03, 1.03)
    axes.set_yticks([0, 1], ["reached\nthe target", "sent"])
    axes.tick_params(axis="y", labelsize=FONT_POINTS, labelcolor=Colour.TEXT)
    axes.grid(visible=False)
    for height in (0, 1):
        axes.axhline(height, color=Colour.FAINT, linewidth=1, zorder=1)


def _draw_lines(
    axes: Axes, traces: Sequence[RequestTrace], begun_at: float, colour: Colour, width: float, layer: float
) -> None:
    ends = [((one.sent.sent_at - begun_at, 1.0), (one.waited_until - begun_at, 0.0)) for one in traces]
    axes.add_collection(LineCollection(ends, colors=colour, linewidths=width, zorder=layer))
