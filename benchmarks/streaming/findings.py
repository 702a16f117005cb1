"""What was measured beside its bound, as Markdown. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Finding:
    """One measurement: what it is of, what was asked for and seen, and whether the one holds the other."""

    what: str
    bound: str
    seen: str
    holds: bool | None
    """None: it is shown, and nothing is asked of it."""

    @property
    def verdict(self) -> str:
        """PASS, FAIL or nothing."""
        return "" if self.holds is None else "PASS" if self.holds else "FAIL"


def failed(what: str, how: str) -> Finding:
    """Say that something could not be measured because it did not work."""
    return Finding(what, "works", how.replace("|", "/").replace("\n", " "), False)


def memory_findings(what: str, growth_bytes: Mapping[str, int], most_bytes: int) -> list[Finding]:
    """Judge how much memory each part came to need."""
    return [
        Finding(
            f"{what}: memory of {name}", f"grows < {mebibytes(most_bytes)}", mebibytes(grown), grown < most_bytes
        )
        for name, grown in growth_bytes.items()
    ]  # fmt: skip


def table(findings: list[Finding]) -> str:
    """Give the table."""
    rows = [f"| {one.what} | {one.bound} | {one.seen} | {one.verdict} |" for one in findings]
    return "\n".join(["| | bound | seen | |", "|---|---|---|---|", *rows])


def mebibytes(size_bytes: float) -> str:
    """Write a size: 1.5 MiB."""
    return f"{size_bytes / MEBIBYTE:,.1f} MiB"
