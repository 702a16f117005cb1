"""All measurements of docs/evidence/performance.md. Each part is a file; `parts` lists them."""

from benchmarks.performance.command import measure, performance

__all__ = ["measure", "performance"]
