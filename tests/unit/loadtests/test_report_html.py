"""The results of a check as a page.

What draws it is imported where it is used: that takes half a second, which each process of pytest would pay.
"""

import random
import re
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

from loadtests.metrics.formatting import format_ratio, format_seconds
from loadtests.oracle.measurement import compare_with_theory
from loadtests.oracle.results import CheckResult
from loadtests.oracle.verdict import Verdict
from loadtests.records.traces import RequestTrace
from loadtests.report import ReportError, write_html
from tests.unit.loadtests import report_rig as rig

_VOID = frozenset({"meta", "br", "img", "link", "hr", "input"})


class Page(HTMLParser):
    """What a page is made of; `text` is what a reader sees."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.text += " "

    def handle_data(self, data: str) -> None:
        self.text += data.replace("\N{NO-BREAK SPACE}", " ")

    def all_of(self, name: str) -> list[str]:
        return [value for attribute, value in self.attributes if attribute == name]


def written(result: CheckResult, folder: Path) -> Page:
    path = folder / "report.html"
    write_html(result, path)
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page_of_two(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The page of two scenarios with inversions."""
    result = rig.check(rig.scenario(rig.inverted(3)), rig.scenario(rig.inverted(3)))
    return written(result, tmp_path_factory.mktemp("two"))


@pytest.fixture(scope="module")
def page_of_overtaking(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The page of a scenario that was proved, and of one that was skipped."""
    result = rig.check(rig.scenario(rig.overtaking()), skipped={"drain": "not ours"})
    return written(result, tmp_path_factory.mktemp("overtaking"))


def many(count: int) -> list[RequestTrace]:
    """So many requests with waits at random, of which a third are high."""
    dice = random.Random(1)
    return [
        rig.trace(f"request-{i}", "high" if i % 3 == 0 else "low", i / 200, i / 200 + dice.uniform(0.01, 5.0))
        for i in range(count)
    ]


def test_the_verdict_the_reasons_and_the_numbers_are_there(page_of_overtaking: Page) -> None:
    """The text of the page has the verdicts, the reasons, the skipped scenarios and the command to repeat the check."""
    for words in ("Proved", "30 high requests overtook low ones", "not ours", "loadtest check --seed 1", "3.11.9"):
        assert words in page_of_overtaking.text


def test_overtaking_is_spoken_of_only_where_the_order_was_proved(tmp_path: Path) -> None:
    """The page claims that high overtakes low only if the check has proved the order."""
    order, once = (rig.finding(Verdict.PROVED, check=check) for check in ("order", "once"))
    claim = "High-priority requests overtook low ones, and every promise that was tested held."
    assert claim in written(rig.check(rig.scenario(findings=(once,)), rig.scenario(findings=(order,))), tmp_path).text
    without = written(rig.check(rig.scenario(rig.overtaking(), findings=(once,))), tmp_path).text
    assert claim not in without
    assert "Whether high requests overtake low ones was not tested." in without


def test_texts_of_a_run_are_escaped(tmp_path: Path) -> None:
    """Ids, names, reasons, evidence, the url and the machine cannot put anything into the page."""
    nasty = rig.NASTY
    traces = [rig.trace(f"{nasty}low", "low", 0.5, 1.0), rig.trace(f"{nasty}high", "high", 0.0, 3.0)]
    finding = rig.finding(Verdict.VIOLATED, check=nasty, reason=nasty, evidence=nasty)
    scenario = rig.scenario(traces, name=nasty, title=nasty, findings=(finding,))
    page = written(CheckResult(nasty, (scenario,), {nasty: nasty}, {nasty: nasty, "command": nasty}), tmp_path)
    assert "script" not in page.tags
    assert page.text.count(nasty) >= 12


def test_nothing_is_fetched_and_nothing_runs(page_of_two: Page) -> None:
    """The page is one file without scripts and without addresses of other files."""
    assert not {"script", "link", "img", "iframe", "object"} & set(page_of_two.tags)
    assert not page_of_two.all_of("src")
    assert all(base_url.startswith("#") for base_url in page_of_two.all_of("href"))


def test_each_id_is_there_once_and_each_reference_leads_somewhere(page_of_two: Page) -> None:
    """The pictures of several scenarios do not share ids of shapes or clips."""
    page = page_of_two
    ids = Counter(page.all_of("id"))
    assert set(ids.values()) == {1}
    clips = re.findall(r"url\(#([^)]+)\)", " ".join(page.all_of("clip-path")))
    assert {*clips, *(base_url[1:] for base_url in page.all_of("href"))} <= set(ids)
    # All of the two pictures' shapes that are used again, and the two links of the table.
    assert len(page.all_of("href")) == page.tags.count("use") + 2


def test_all_that_is_opened_is_closed(page_of_overtaking: Page) -> None:
    """The page is well-formed, with its pictures."""
    assert page_of_overtaking.open == []


def test_the_first_inversions_are_listed_and_all_are_counted(tmp_path: Path) -> None:
    """The page lists the first inversions and the number of all, so that it stays small."""
    from loadtests.report.page import MAX_LISTED_INVERSIONS

    scenario = rig.scenario(rig.inverted(30))
    page = written(rig.check(scenario), tmp_path)
    listed = [one for one in scenario.order.inversions if one.ahead.sent.request_id in page.text.split()]
    assert len(listed) == MAX_LISTED_INVERSIONS
    assert f"The first {MAX_LISTED_INVERSIONS} of {len(scenario.order.inversions)}." in page.text


@pytest.mark.parametrize(
    "traces",
    [
        (),
        (rig.trace("only", "high", 0.0, 0.0),),
        (rig.trace("left", "low", 0.0, None, "left", 2.0), rig.trace("refused", "high", 1.0, None, "failed")),
    ],
    ids=["none", "one that did not wait", "none that arrived"],
)
def test_a_run_with_hardly_anything_in_it_has_a_page(tmp_path: Path, traces: tuple[RequestTrace, ...]) -> None:
    """A run of which few or no requests were answered has a page, too."""
    assert "Unproved" in written(rig.check(rig.scenario(traces)), tmp_path).text


@pytest.mark.parametrize("traces", [rig.overtaking(60), ()], ids=["a run", "nothing to compare"])
def test_a_comparison_has_its_picture_and_its_table(tmp_path: Path, traces: tuple[RequestTrace, ...]) -> None:
    """Measured waits are shown with theory, also without a value for one of them."""
    comparison = compare_with_theory(traces, 1)
    page = written(rig.check(rig.scenario(traces, comparison=comparison)), tmp_path)
    assert any("by theory" in label for label in page.all_of("aria-label"))
    assert page.text.count(format_seconds(comparison.high.theory_seconds)) >= 2
    assert format_ratio(comparison.low.ratio) in page.text


def test_a_large_run_makes_a_page_of_moderate_size(tmp_path: Path) -> None:
    """20,000 requests take less than 3 MB."""
    written(rig.check(rig.scenario(many(20_000))), tmp_path)
    assert (tmp_path / "report.html").stat().st_size < 3_000_000


def test_marks_in_different_places_are_all_drawn() -> None:
    """Thinning omits only marks under another mark."""
    from loadtests.report.plots.canvas import Colour, draw_marks, make_figure, render

    figure = make_figure(10, 4)
    axes = figure.add_subplot()
    axes.set_xlim(0, 10)
    axes.set_ylim(0, 10)
    draw_marks(axes, [(x + 0.5, y + 0.5) for x in range(10) for y in range(10) for _ in range(5)], Colour.HIGH, 2)
    [marks] = [line for line in render(figure, "marks", "").splitlines() if "stroke-linecap: round" in line]
    # A stroke that does not lead anywhere is not drawn.
    assert marks.count("M ") == 100
    assert len(re.findall(r"M \S+ \S+ L", marks)) == 100


def test_the_colours_are_those_of_the_page(page_of_two: Page) -> None:
    """No picture has fixed colours: all follow light mode, dark mode and print."""
    styles = " ".join(page_of_two.all_of("style"))
    assert "var(--high)" in styles
    assert not re.findall(r"#[0-9a-f]{6}", styles)


@pytest.mark.parametrize("library", ["matplotlib", "jinja2"])
def test_a_missing_library_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    """The error names the library and how to get it; nothing is written."""
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ReportError, match=rf"^[^\n]*{library}[^\n]*pip install[^\n]*$"):
        write_html(rig.check(), tmp_path / "report.html")
    assert not list(tmp_path.iterdir())
