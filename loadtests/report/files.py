"""Writing of report files."""

import os
from pathlib import Path

from fast_priority.errors import ConfigurationError

MAX_WRITTEN = 200
"""How many lines of evidence of one finding, and how many inversions of one run, a file contains."""


class ReportError(ConfigurationError):
    """A report could not be made or written; the message says why in one sentence."""


def write_atomically(path: Path, content: bytes) -> None:
    """Write the file atomically; create its folders. Raises ReportError if it cannot be written."""
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
