"""Print the oldest version of each declared dependency, as constraints for pip or uv: `make test-lowest`.

uv has `--resolution lowest-direct` for this; pip has not, and both take these lines. Packages that are not declared in
pyproject.toml stay at their newest versions. Needs the standard library alone, because it runs before anything is
installed.
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(?:\[[^]]*])?(?P<bounds>[^;]*)(?P<marker>;.*)?")
_LOWER_END = re.compile(r"(?:>=|==)\s*([\w.]+)")


def lowest_versions(project: dict[str, Any]) -> Iterator[str]:
    """Yield `name==version` for each requirement of a `[project]` table and its extras, with its marker.

    Raises ValueError for a requirement without a lower end: its oldest version is then a guess.
    """
    extras: dict[str, list[str]] = project.get("optional-dependencies", {})
    for requirement in [*project["dependencies"], *(one for extra in extras.values() for one in extra)]:
        parts = _REQUIREMENT.fullmatch(requirement)
        if parts is None:
            raise ValueError(f"pyproject.toml: {requirement!r} is not a name with bounds")
        if parts["name"] == project["name"]:
            continue
        lower_end = _LOWER_END.search(parts["bounds"])
        if lower_end is None:
            raise ValueError(f"pyproject.toml: {requirement!r} has no lower end")
        yield f"{parts['name']}=={lower_end[1]}{parts['marker'] or ''}"


def main() -> None:
    """Print the lines for this project."""
    document = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    sys.stdout.writelines(f"{line}\n" for line in lowest_versions(document["project"]))


if __name__ == "__main__":
    main()
