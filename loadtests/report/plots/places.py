"""Draws how many places in line each request gained or lost: high above low is high overtaking low."""

from collections.abc import Iterable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from loadtests.metrics import MAX_DRAWN_INVERSIONS, PRIORITIES, count_places, find_span, format_places
from loadtests.oracle import Overtaking, ScenarioResult
from loadtests.report.plots.canvas import (
    COLOUR_OF,
    FONT_POINTS,
    WIDE_INCHES,
    Colour,
    draw_marks,
    make_figure,
    render,
    set_up_axes,
    show_run_seconds,
)

_HEIGHT_INCHES = 5.0
_FEWEST_PLACES = 5
"""The axis shows at least this many in both directions: jitter alone changes a few places."""
_LEAST_SHARE = 0.3
"""The minimum share of the picture for either side of the axis, so that its label fits."""


def plot_places(scenario: ScenarioResult, name: str) -> str:
    """Return all requests by their arrival at the target, above the middle if they overtook."""
    figure = make_figure(WIDE_INCHES, _HEIGHT_INCHES)
    axes = figure.add_subplot()
    places = count_places(scenario.traces)
    set_up_axes(axes, x="reached the target, time of the run", y="places in line")
    span = find_span(scenario.traces)
    show_run_seconds(axes, span.seconds)
    _show_places(axes, places.values())
    points = {
        one.sent.request_id: (one.arrived_at - span.begun_at, places[one.sent.request_id])
        for one in scenario.traces
        if one.arrived_at is not None
    }
    for layer, priority in enumerate(reversed(PRIORITIES), start=2):
        own = (one.sent.request_id for one in scenario.traces if one.sent.priority == priority)
        draw_marks(axes, [points[request_id] for request_id in own if request_id in points], COLOUR_OF[priority], layer)
    _draw_inversions(axes, scenario.order.inversions, points)
    return render(figure, name, "Places in line that each request gained or lost, by the time it reached the target")


def _show_places(axes: Axes, places: Iterable[int]) -> None:
    values = list(places)
    lowest, highest = min(values, default=0), max(values, default=0)
    gained = max(highest, _FEWEST_PLACES, -lowest * _LEAST_SHARE / (1 - _LEAST_SHARE)) * 1.08
    lost = min(lowest, -_FEWEST_PLACES, -gained * _LEAST_SHARE / (1 - _LEAST_SHARE)) * 1.08
    axes.set_ylim(lost, gained)
    axes.yaxis.set_major_locator(MaxNLocator(7, integer=True, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: format_places(round(value))))
    axes.axhline(0, color=Colour.TEXT, linewidth=1.2, zorder=1)
    for at, text in (
        (gained / 2, "▲ went ahead of\n    requests sent earlier"),
        (0, "served in the\norder of sending"),
        (lost / 2, "▼ let requests pass\n    that were sent later"),
    ):
        axes.annotate(
            text,
            (1.0, at),
            xycoords=("axes fraction", "data"),
            xytext=(10, 0),
            textcoords="offset points",
            va="center",
            color=Colour.TEXT,
            fontsize=FONT_POINTS,
        )


def _draw_inversions(axes: Axes, inversions: Sequence[Overtaking], points: Mapping[str, tuple[float, float]]) -> None:
    for one in inversions[:MAX_DRAWN_INVERSIONS]:
        ahead = points[one.ahead.sent.request_id]
        axes.plot(*ahead, "o", markersize=11, markerfacecolor="none", markeredgecolor=Colour.TEXT, zorder=5)
        # A request whose client left never arrived, so there is no point to draw a line to.
        behind = points.get(one.behind.sent.request_id)
        if behind is not None:
            axes.plot(*zip(ahead, behind, strict=True), color=Colour.TEXT, linewidth=1.5, zorder=4)
