"""Draws the load over time: how many requests of each priority waited, and how many were at the target."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from loadtests.metrics import PRIORITIES, Sample, count_in_flight, count_waiting, find_span, sample
from loadtests.oracle import ScenarioResult
from loadtests.report.plots.canvas import (
    COLOUR_OF,
    FONT_POINTS,
    NARROW_INCHES,
    Colour,
    make_figure,
    render,
    set_up_axes,
    show_run_seconds,
)

_HEIGHT_INCHES = 4.6


def plot_load(scenario: ScenarioResult, name: str) -> str:
    """Return both over the time of the run, one above the other."""
    figure = make_figure(NARROW_INCHES, _HEIGHT_INCHES)
    waiting, in_flight = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    span = find_span(scenario.traces)
    set_up_axes(waiting, y="waiting")
    for layer, priority in enumerate(reversed(PRIORITIES), start=2):
        samples = sample(count_waiting(scenario.traces, priority, span.begun_at), span.seconds)
        _draw_most(waiting, samples, COLOUR_OF[priority], layer)
    waiting.set_ylim(bottom=0)
    set_up_axes(in_flight, x="time of the run", y="at the target")
    samples = sample(count_in_flight(scenario.traces, span.begun_at), span.seconds)
    in_flight.fill_between(
        [one.at_seconds for one in samples], [one.mean for one in samples], step="post", color=Colour.GRID, linewidth=0
    )
    _draw_most(in_flight, samples, Colour.FAINT, 2)
    _draw_limit(in_flight, scenario.slots)
    in_flight.set_ylim(0, max(scenario.slots, *(one.most for one in samples)) * 1.4)
    show_run_seconds(in_flight, span.seconds)
    for axes in (waiting, in_flight):
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
    figure.align_ylabels()
    return render(figure, name, "Requests that waited, by priority, and requests at the target, over the run")


def _draw_most(axes: Axes, samples: Sequence[Sample], colour: Colour, layer: float) -> None:
    at_seconds, counts = [one.at_seconds for one in samples], [one.most for one in samples]
    axes.step(at_seconds, counts, where="post", color=colour, linewidth=1.8, zorder=layer)


def _draw_limit(axes: Axes, slots: int) -> None:
    axes.axhline(slots, color=Colour.TEXT, linestyle=(0, (4, 3)), linewidth=1.5, zorder=3)
    axes.annotate(
        f"{slots} slots",
        (1.0, slots),
        xycoords=("axes fraction", "data"),
        xytext=(0, 5),
        textcoords="offset points",
        ha="right",
        color=Colour.TEXT,
        fontsize=FONT_POINTS,
    )
