"""docs/rules.md: each example is a policy that loads, and does what its table says."""

import re
import shlex
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.testing import CliRunner

from fast_priority import cli
from tests.documents import REPOSITORY

PAGE = (REPOSITORY / "docs" / "rules.md").read_text()
SECURITY = (REPOSITORY / "SECURITY.md").read_text()
_ROW = re.compile(r"^\| `([A-Z]+ /.*)` \| (.+) \|$", re.MULTILINE)
_TOML = re.compile(r"^```toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Example(NamedTuple):
    """One example: its heading, its files by the setting that names them, other variables, requests with outcomes."""

    heading: str
    files: dict[str, str]
    variables: dict[str, str]
    rows: list[tuple[str, str]]


def examples() -> list[Example]:
    """Return the examples of the page."""
    section = PAGE.partition("\n## Examples\n")[2].partition("\n## ")[0]
    found = []
    for text in section.split("\n### ")[1:]:
        files = {"KEYS_FILE" if "[[key]]" in block else "POLICY_FILE": block for block in _TOML.findall(text)}
        variables = dict(re.findall(r"`(FAST_PRIORITY_\w+)=([^\s`]+)`", text))
        found.append(Example(text.partition("\n")[0], files, variables, _ROW.findall(text)))
    return found


CASES = [pytest.param(one, row, id=f"{one.heading[:20]}: {row[0][:60]}") for one in examples() for row in one.rows]


def explained(request: str) -> str:
    """Return the outcome that `fast-priority explain` shows for these arguments."""
    result = CliRunner().invoke(cli.app, ["explain", *shlex.split(request)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    (line,) = (line for line in result.stdout.splitlines() if line.startswith("level "))
    level = line.split(maxsplit=1)[1]
    return level.removeprefix("none: it is ").removeprefix("none: it ").partition(",")[0]


@pytest.mark.parametrize(("example", "row"), CASES)
def test_an_example(example: Example, row: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request of a table has the outcome that the table shows."""
    for name, text in example.files.items():
        (tmp_path / f"{name}.toml").write_text(text)
        monkeypatch.setenv(f"FAST_PRIORITY_{name}", str(tmp_path / f"{name}.toml"))
    for variable, value in example.variables.items():
        monkeypatch.setenv(variable, value)
    request, outcome = row
    assert explained(request) == outcome.strip("`")


def test_the_page_has_examples() -> None:
    """Each example has files, and requests with different outcomes."""
    found = examples()
    assert len(found) == 6
    for example in found:
        assert example.files, example.heading
        assert len({outcome for _, outcome in example.rows}) > 1, example.heading


def test_the_example_file_is_that_of_the_page() -> None:
    """examples/rules/by-model.toml has the rule that the page shows."""
    file = tomllib.loads((REPOSITORY / "examples" / "rules" / "by-model.toml").read_text())
    assert file in [tomllib.loads(block) for block in _TOML.findall(PAGE)]


@pytest.mark.parametrize(
    "name", re.findall(r"`(test_\w+)` \|$", (REPOSITORY / "SECURITY.md").read_text(), re.MULTILINE)
)
def test_the_table_of_security_names_tests(name: str) -> None:
    """Each test at the end of a row exists."""
    sources = [path.read_text() for path in (REPOSITORY / "tests").rglob("test_*.py")]
    assert any(f"def {name}(" in source for source in sources)
