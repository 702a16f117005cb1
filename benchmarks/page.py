"""Puts results where they belong in docs/evidence/performance.md, beside it as JSON, and into its pictures.

What a run has not measured stays as it was, so that parts can be measured anew one at a time.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.findings import Report, findings_table
from benchmarks.plots import draw_cpu, draw_request, draw_ways

_PAGE, _FIGURES, _IMAGES = "performance.md", "performance.json", "images"
_PLOTS = {"performance-ways": draw_ways, "performance-request": draw_request, "performance-cpu": draw_cpu}


def fill(page: str, blocks: Mapping[str, str]) -> str:
    """Put each block between its two marks, `<!-- name -->` and `<!-- /name -->`; a block without marks is left out."""
    for name, text in blocks.items():
        marked = re.compile(rf"(<!-- {re.escape(name)} -->\n).*?(<!-- /{re.escape(name)} -->)", re.DOTALL)
        found = marked.search(page)
        if found:
            page = f"{page[: found.start()]}{found[1]}{text}\n{found[2]}{page[found.end() :]}"
    return page


def blocks_of(reports: Sequence[Report], machine: str) -> dict[str, str]:
    """Give what belongs between the marks: each part's findings and tables, and what all was measured on."""
    blocks = {"machine": machine}
    for report in reports:
        if report.findings:
            blocks[f"findings-{report.part}"] = findings_table(report.findings)
        blocks |= report.tables
    return blocks


def merge(before: Sequence[dict[str, Any]], reports: Sequence[Report]) -> list[dict[str, Any]]:
    """Give all figures: the new ones of each part that was measured, and those from before of the others."""
    measured = {report.part for report in reports if report.raw}
    kept = [one for one in before if one["part"] not in measured]
    return [*kept, *(one for report in reports for one in report.raw)]


def write_documents(folder: Path, reports: Sequence[Report], machine: str) -> None:
    """Write page, figures and pictures into the documentation's folder."""
    page, figures = folder / _PAGE, folder / _FIGURES
    before = json.loads(figures.read_text()) if figures.exists() else []
    raw = merge(before, reports)
    lines = ",\n".join(json.dumps(_rounded(one), ensure_ascii=False) for one in raw)
    figures.write_text(f"[\n{lines}\n]\n")
    page.write_text(fill(page.read_text(), blocks_of(reports, machine)))
    images = folder / _IMAGES
    images.mkdir(exist_ok=True)
    for name, draw in _PLOTS.items():
        if (picture := draw(raw)) is not None:
            picture.savefig(images / f"{name}.svg", metadata={"Date": None})


def _rounded(value: Any) -> Any:
    """Leave off digits that mean nothing."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return value
