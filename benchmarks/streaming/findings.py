"""Findings about the memory of each process, and about what did not work."""

from collections.abc import Mapping

from benchmarks.results import Finding, format_mebibytes


def failure(label: str, reason: str) -> Finding:
    """Return the finding that something could not be measured because it did not work."""
    return Finding(label, "works", reason.replace("|", "/").replace("\n", " "), False)


def memory_findings(label: str, growth_bytes: Mapping[str, int], most_bytes: int) -> list[Finding]:
    """Return a finding for each process: its memory must grow by less than `most_bytes`."""
    bound = f"grows < {format_mebibytes(most_bytes)}"
    return [
        Finding(f"{label}: memory of {name}", bound, format_mebibytes(growth), growth < most_bytes)
        for name, growth in growth_bytes.items()
    ]
