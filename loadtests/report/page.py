"""The page: its text for each scenario, and the pictures with their captions. Pure.

`page.html.j2` is its structure, `page.css` its style.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from loadtests.metrics import PRIORITIES, Span, Summary, find_span, format_ratio, format_seconds, summarise
from loadtests.oracle import CheckResult, ScenarioResult, Verdict
from loadtests.report.captions import (
    COMPARISON,
    LOAD,
    WAITS,
    caption_crossings,
    caption_places,
    describe_places,
    describe_ratios,
    describe_waits,
)
from loadtests.report.plots import plot_comparison, plot_crossings, plot_load, plot_places, plot_waits

MAX_LISTED_INVERSIONS = 20
_ORDER_PROVED = "High-priority requests overtook low ones, and every promise that was tested held."
_MEANINGS = {
    Verdict.PROVED: "Every promise that was tested held. Whether high requests overtake low ones was not tested.",
    Verdict.VIOLATED: "At least one promise was broken. The reasons are below, and the pictures mark where.",
    Verdict.UNPROVED: "Nothing was seen to be broken, but at least one check could not show what it is there to show.",
}
_MARKS = {Verdict.PROVED: "✓", Verdict.VIOLATED: "✗", Verdict.UNPROVED: "?"}


@dataclass(frozen=True, slots=True)
class Picture:
    """One plot with its caption; a wide one takes the width of the page."""

    svg: Markup
    heading: str
    caption: str
    is_wide: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """The part of the page about one scenario."""

    scenario: ScenarioResult
    anchor: str
    summaries: tuple[Summary, ...]
    pictures: tuple[Picture, ...]
    span: Span


def make_page(result: CheckResult) -> str:
    """Return the whole page; everything that comes from the run is escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["seconds"] = lambda seconds: format_seconds(seconds).replace(" ", "\N{NO-BREAK SPACE}")
    environment.filters["ratio"] = format_ratio
    return environment.get_template("page.html.j2").render(
        result=result,
        meaning=_describe_meaning(result),
        marks=_MARKS,
        sections=[_make_section(scenario, f"s{index}") for index, scenario in enumerate(result.scenarios, start=1)],
        most_listed=MAX_LISTED_INVERSIONS,
    )


def _describe_meaning(result: CheckResult) -> str:
    orders = {finding.verdict for one in result.scenarios for finding in one.findings if finding.check == "order"}
    if result.verdict is Verdict.PROVED and Verdict.PROVED in orders:
        return _ORDER_PROVED
    return _MEANINGS[result.verdict]


def _make_section(scenario: ScenarioResult, anchor: str) -> Section:
    return Section(
        scenario=scenario,
        anchor=anchor,
        summaries=tuple(summarise(scenario.traces, priority) for priority in PRIORITIES),
        pictures=tuple(_draw(scenario, anchor)),
        span=find_span(scenario.traces),
    )


def _draw(scenario: ScenarioResult, anchor: str) -> Iterator[Picture]:
    places = plot_places(scenario, f"{anchor}-places")
    yield Picture(_as_markup(places), describe_places(scenario), caption_places(scenario), is_wide=True)
    crossings = plot_crossings(scenario, f"{anchor}-crossings")
    if crossings is not None:
        yield Picture(_as_markup(crossings), "In close-up", caption_crossings(scenario), is_wide=True)
    yield Picture(_as_markup(plot_waits(scenario, f"{anchor}-waits")), describe_waits(scenario), WAITS)
    yield Picture(_as_markup(plot_load(scenario, f"{anchor}-load")), "How busy it was", LOAD)
    if scenario.comparison is not None:
        comparison = plot_comparison(scenario.comparison, f"{anchor}-comparison")
        yield Picture(_as_markup(comparison), describe_ratios(scenario.comparison), COMPARISON, is_wide=True)


def _as_markup(svg: str) -> Markup:
    return Markup(svg)  # noqa: S704 - made by matplotlib, from numbers and text of this program
