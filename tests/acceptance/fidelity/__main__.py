"""Try every case on every contender, and write docs/evidence/fidelity.md: `python -m tests.acceptance.fidelity`."""

import sys
import tempfile
from pathlib import Path

from tests.acceptance.fidelity.cases import CASES, GROUPS
from tests.acceptance.fidelity.contenders import OTHERS, OURS, NotInstalled, Start, running_contender
from tests.acceptance.fidelity.page import Column, key_of, render
from tests.acceptance.fidelity.runner import verdict_of

PAGE = Path(__file__).parents[3] / "docs" / "evidence" / "fidelity.md"


def main() -> int:
    """Write the page; give 1 where ours is not as it should be."""
    columns = {name: _column(name, start) for name, start in {**OURS, **OTHERS}.items()}
    PAGE.write_text(render(GROUPS, columns))
    sys.stderr.write(f"written: {PAGE.name}\n")
    ours = [column for name, column in columns.items() if name in OURS]
    return int(any(isinstance(column, str) or not all(one.fine for one in column.values()) for column in ours))


def _column(name: str, start: Start) -> Column:
    column = {}
    try:
        with (
            tempfile.TemporaryDirectory(prefix="fidelity-") as folder,
            running_contender(start, Path(folder), CASES) as contender,
        ):
            for group in GROUPS:
                sys.stderr.write(f"{name}: {group.title}\n")
                for case in group.cases:
                    column[key_of(group, case.name)] = verdict_of(case, contender)
    except NotInstalled as why:
        return str(why)
    return column


if __name__ == "__main__":
    sys.exit(main())
