"""Progress lines, on stderr: stdout has only results."""

import sys


def log_progress(line: str) -> None:
    """Print one line about how far a benchmark is."""
    print(line, file=sys.stderr, flush=True)
