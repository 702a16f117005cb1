"""The command that installs missing packages where this process finds them."""

import shlex
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires
from importlib.util import find_spec

from packaging.requirements import Requirement

DISTRIBUTION = "fast-priority"
"""The name of this package, as an installer knows it."""


def install_command(requirements: Iterable[Requirement]) -> str:
    """Return a shell command that installs these packages for the Python that runs this, by pip or, without it, uv."""
    by_pip = [sys.executable, "-m", "pip", "install"]
    by_uv = ["uv", "pip", "install", "--python", sys.executable]
    return shlex.join([*(by_pip if find_spec("pip") else by_uv), *map(requirement_text, requirements)])


def install_command_of_extra(extra: str) -> str:
    """Return a shell command that installs what an extra of this package consists of.

    It names the packages and not the extra: the package index has another project under this package's name.
    """
    try:
        declared = [Requirement(line) for line in requires(DISTRIBUTION) or ()]
    except PackageNotFoundError:  # a source tree that is not installed
        return f"pip install '.[{extra}]', in a checkout of the repository"
    return install_command(
        one for one in declared if one.marker and one.marker.evaluate({"extra": extra}) and not _is_always_needed(one)
    )


def requirement_text(requirement: Requirement) -> str:
    """Return name and bounds of a requirement, without its marker."""
    return f"{requirement.name}{','.join(sorted(map(str, requirement.specifier), reverse=True))}"


def _is_always_needed(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})
