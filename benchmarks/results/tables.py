"""Tables in Markdown."""

from collections.abc import Sequence

from benchmarks.results.finding import Finding


def markdown_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table whose first column is aligned left, the others right."""
    lines = [heads, ["---", *["--:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def findings_table(findings: Sequence[Finding]) -> str:
    """Return the findings of rounds, as docs/evidence/performance.md has them."""
    rows = [(one.label, one.bound, one.measured, one.verdict) for one in findings]
    return markdown_table(("", "asked", "median (least to most of the rounds)", ""), rows)


def bounds_table(findings: Sequence[Finding]) -> str:
    """Return findings and their bounds, as docs/evidence/streaming.md has them."""
    rows = [f"| {one.label} | {one.bound} | {one.measured} | {one.verdict} |" for one in findings]
    return "\n".join(["| | bound | seen | |", "|---|---|---|---|", *rows])
