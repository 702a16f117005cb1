"""All measurements of docs/streaming.md: bodies of any size through the queue."""

from benchmarks.streaming.command import main

__all__ = ["main"]
