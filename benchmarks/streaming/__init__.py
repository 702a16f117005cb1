"""The measurements of docs/streaming.md."""
