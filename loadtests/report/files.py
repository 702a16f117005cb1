"""Puts a finished report on the disk."""

import os
from pathlib import Path

from fast_priority.errors import ConfigurationError

MOST_WRITTEN = 200
"""Of the evidence for one finding, and of the inversions of one run, a file for machines holds so many."""


class ReportError(ConfigurationError):
    """Says in one sentence why a report could not be made or written."""


def write_whole(path: Path, content: bytes) -> None:
    """Write the file whole or leave what was there; makes the folders above it. Raises ReportError if it cannot."""
    # Beside the file itself: a rename is atomic only within one file system.
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.write_bytes(content)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise ReportError(f"{path} cannot be written: {error.strerror or error}") from error
