"""Repeats what docs/evidence/proof.md shows, with `fast-priority loadtest check`."""

from benchmarks.proof.command import main

__all__ = ["main"]
