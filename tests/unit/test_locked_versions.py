"""The files in requirements/ are what `make lock` makes of pyproject.toml and constraints.txt."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = {
    "image": [],
    "demo": ["embedded-redis"],
    "loadtest": ["loadtest"],
    "dev": ["embedded-redis", "loadtest", "dev"],
}
FILES = [*EXTRAS, "supply-chain", "install"]
_PIN = re.compile(r"^([\w.-]+)(?:\[.*])?==([^\s;]+)", re.MULTILINE)


@pytest.mark.parametrize("name", EXTRAS)
def test_what_is_declared_is_locked(name: str) -> None:
    """Each package that is declared stands in the file of its set, in a version within its bounds."""
    locked = pins_of(f"requirements/{name}.txt")
    for line in [*PROJECT["dependencies"], *(one for extra in EXTRAS[name] for one in extra_of(extra))]:
        requirement = Requirement(line)
        assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)]), f"run `make lock`: {line}"


@pytest.mark.parametrize("name", FILES)
def test_the_versions_are_the_tested_ones(name: str) -> None:
    """No file has another version of a package than constraints.txt."""
    tested = pins_of("constraints.txt")
    others = {
        package: version
        for package, version in pins_of(f"requirements/{name}.txt").items()
        if tested.get(package, version) != version
    }
    assert others == {}, "run `make lock`"


@pytest.mark.parametrize("name", FILES)
def test_each_package_has_hashes(name: str) -> None:
    """A file that somebody has exchanged is refused: no package is without its hashes."""
    packages = re.split(r"\n(?=\w)", (REPOSITORY / "requirements" / f"{name}.txt").read_text())[1:]
    assert packages
    assert [package for package in packages if "--hash=sha256:" not in package] == []


def test_what_the_tests_run_with_is_tested() -> None:
    """constraints.txt has each package that dev locks for this kind of machine."""
    only_elsewhere = {"async-timeout", "colorama", "pywin32", "setuptools"}
    assert set(pins_of("requirements/dev.txt")) - set(pins_of("constraints.txt")) <= only_elsewhere


def extra_of(name: str) -> list[str]:
    requirements: list[str] = PROJECT["optional-dependencies"][name]
    return [one for one in requirements if not one.startswith(PROJECT["name"])]


def pins_of(path: str) -> dict[str, str]:
    return {canonicalize_name(name): version for name, version in _PIN.findall((REPOSITORY / path).read_text())}
