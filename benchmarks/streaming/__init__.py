"""All measurements of docs/evidence/streaming.md: bodies of any size through the queue."""

from benchmarks.streaming.command import main

__all__ = ["main"]
