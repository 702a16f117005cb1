"""Run every scenario and write docs/evidence/failures.md: `python -m tests.chaos.table`, or `make failures`."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.chaos.page import render
from tests.chaos.recording import FILE_VARIABLE, read_loads, read_observations

_HERE = Path(__file__).parent
_REPOSITORY = _HERE.parents[1]
_PAGE = _REPOSITORY / "docs" / "evidence" / "failures.md"
_STOCK = _HERE / "stock_rq_worker.py"


def main() -> int:
    """Write the page; return 1 if a promise was broken."""
    with tempfile.TemporaryDirectory(prefix="failures-") as folder:
        ours, stock = Path(folder) / "ours.ndjson", Path(folder) / "stock.ndjson"
        kept = _observe(_HERE, ours)
        _observe(_STOCK, stock)
        _PAGE.write_text(render(read_observations(ours) + read_observations(stock), read_loads(ours)))
    sys.stderr.write(f"written: {_PAGE.name}\n")
    return 0 if kept else 1


def _observe(tests: Path, file: Path) -> bool:
    """Run scenarios that record observations in this file, and return whether all promises were kept."""
    file.touch()
    command = [sys.executable, "-m", "pytest", str(tests), "-q", "--numprocesses", "2"]
    result = subprocess.run(command, cwd=_REPOSITORY, env={**os.environ, FILE_VARIABLE: str(file)}, check=False)
    return result.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
