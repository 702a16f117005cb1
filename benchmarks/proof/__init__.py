"""Repeats what docs/proof.md shows, with `fast-priority loadtest check`."""

from benchmarks.proof.command import main

__all__ = ["main"]
