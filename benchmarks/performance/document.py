"""Writes results into docs/evidence/performance.md, docs/evidence/performance.json and the pictures of the page.

Parts that a run did not measure stay as they were, so each part can be measured alone.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.performance.report import Report
from benchmarks.results import findings_table

_PAGE, _FIGURES, _IMAGES = "performance.md", "performance.json", "images"


def write_documents(folder: Path, reports: Sequence[Report], machine: str) -> None:
    """Write page, figures and pictures into the folder of the documentation. Raises OSError."""
    # Imported here: only the pictures need matplotlib, and that takes half a second to import.
    from benchmarks.performance.plots import draw_cpu, draw_request, draw_ways

    page, figures = folder / _PAGE, folder / _FIGURES
    before = json.loads(figures.read_text()) if figures.exists() else []
    merged = merge_figures(before, reports)
    lines = ",\n".join(json.dumps(_rounded(one), ensure_ascii=False) for one in merged)
    figures.write_text(f"[\n{lines}\n]\n")
    page.write_text(fill_page(page.read_text(), blocks_of(reports, machine)))
    images = folder / _IMAGES
    images.mkdir(exist_ok=True)
    plots = {"performance-ways": draw_ways, "performance-request": draw_request, "performance-cpu": draw_cpu}
    for name, draw in plots.items():
        if (picture := draw(merged)) is not None:
            picture.savefig(images / f"{name}.svg", metadata={"Date": None})


def fill_page(page: str, blocks: Mapping[str, str]) -> str:
    """Replace the text between `<!-- name -->` and `<!-- /name -->` by each block; skip blocks without these marks."""
    for name, text in blocks.items():
        marked = re.compile(rf"(<!-- {re.escape(name)} -->\n).*?(<!-- /{re.escape(name)} -->)", re.DOTALL)
        match = marked.search(page)
        if match:
            page = f"{page[: match.start()]}{match[1]}{text}\n{match[2]}{page[match.end() :]}"
    return page


def blocks_of(reports: Sequence[Report], machine: str) -> dict[str, str]:
    """Return the blocks of the page by name: findings and tables of each part, and the machine."""
    blocks = {"machine": machine}
    for report in reports:
        if report.findings:
            blocks[f"findings-{report.part}"] = findings_table(report.findings)
        blocks |= report.tables
    return blocks


def merge_figures(before: Sequence[dict[str, Any]], reports: Sequence[Report]) -> list[dict[str, Any]]:
    """Return the new figures of the measured parts, and the previous figures of the others."""
    measured = {report.part for report in reports if report.figures}
    kept = [one for one in before if one["part"] not in measured]
    return [*kept, *(one for report in reports for one in report.figures)]


def _rounded(value: Any) -> Any:
    """Return the value with five significant digits."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return value
