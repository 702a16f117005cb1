"""Whether the installed packages are of versions that this one works with.

An installer keeps to the bounds in pyproject.toml only as long as nothing else is installed later; a version outside of
them would fail with a request, and far from the cause. The bounds are read from the metadata of this distribution.
Without metadata, as in a source tree that is not installed, nothing is checked.
"""

from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion, Version

from fast_priority.errors import ConfigurationError
from fast_priority.support.install_command import DISTRIBUTION, install_command, requirement_text


@cache
def check_installed_versions() -> None:
    """Raise ConfigurationError if an installed package is not of a version that is declared for it.

    The error has a line for each such package, with the version found and the bounds, and the command that installs
    versions within them. It reads the metadata of each package, for some hundredths of a second, once in a process.
    """
    try:
        declared = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return
    refused = dict(_outside_of_bounds(declared))
    if refused:
        lines = [
            f"{one.name} {found} is installed, but {DISTRIBUTION} works with {requirement_text(one)} only"
            for one, found in refused.items()
        ]
        raise ConfigurationError("\n".join((*lines, f"to install what it works with: {install_command(refused)}")))


def own_version() -> str:
    """Return the version of this package, or "(version unknown)" in a source tree that is not installed."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "(version unknown)"


def _outside_of_bounds(declared: list[str]) -> Iterator[tuple[Requirement, str]]:
    for line in declared:
        try:
            requirement = Requirement(line)
            # An extra's packages are its own affair: without it they may be there for something else.
            if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
                continue
            found = version(requirement.name)
            is_within = requirement.specifier.contains(Version(found), prereleases=True)
        except (InvalidRequirement, InvalidVersion, PackageNotFoundError):
            continue  # it cannot be judged: importing it shows whether it works
        if not is_within:
            yield requirement, found
