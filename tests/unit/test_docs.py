"""The documentation and the code agree: settings, errors, commands, keys, links, examples."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from fast_priority import Priority, Settings, errors
from fast_priority.broker.keys import KEY_TABLE, KeyRow
from fast_priority.scheduling.rules import RequestFacts
from tests.documents import PAGES, REPOSITORY, anchors_of, blocks_of, links_of, name_of
from tools.write_docs import SETTING_GROUPS, fill, pages

DOCS = REPOSITORY / "docs"
ARCHITECTURE = (DOCS / "internals" / "architecture.md").read_text()
CONFIGURATION = (DOCS / "configuration.md").read_text()
ERRORS = (DOCS / "reference" / "errors.md").read_text()
README = (REPOSITORY / "README.md").read_text()
TROUBLESHOOTING = (DOCS / "troubleshooting.md").read_text()
LANGUAGES = {"sh", "text", "json", "yaml", "python", "toml"}
"""A block is run (sh), compared with a file or a model (json, yaml, python, toml), or not code (text)."""
COMMANDS = r"^(\$ |[A-Z_]+=\S+ )*(make|pip|fast-priority|run-fast-priority|fastapi|rq|curl|docker|kubectl|python3?) "
COMPARED_LINES = (*REPOSITORY.glob("docker-compose*.yml"), REPOSITORY / "Dockerfile")

each_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_the_generated_parts_are_up_to_date(page: Path) -> None:
    """What the code decides in a page is what `make docs` writes."""
    assert page.read_text() == pages()[page], "run `make docs`"


def test_a_generated_part_has_its_place() -> None:
    """A block whose marks are missing is an error, so that no page loses its table unnoticed."""
    assert fill("<!-- a -->\nold\n<!-- /a -->\n", {"a": "new\n"}) == "<!-- a -->\nnew\n<!-- /a -->\n"
    with pytest.raises(ValueError, match="no place for 'b'"):
        fill("<!-- a -->\n<!-- /a -->\n", {"b": "text"})


def test_each_setting_is_in_one_group() -> None:
    """The groups of the configuration page hold every setting, each once."""
    grouped = [name for group in SETTING_GROUPS.values() for name in group]
    assert sorted(grouped) == sorted(Settings.model_fields)


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_the_configuration_lists_every_setting(name: str) -> None:
    """Each setting has one row, with its meaning."""
    (row,) = (line for line in CONFIGURATION.splitlines() if line.startswith(f"| `FAST_PRIORITY_{name.upper()}`"))
    assert f"| {Settings.model_fields[name].description} |" in row


@pytest.mark.parametrize(
    ("name", "values", "default"),
    [
        ("TTL", "from 1 to 604800", "`300`"),
        ("NORMALIZE_PATHS", "0, false, no or off", "on"),
        ("REDIS_TLS", "0, false, no or off", "off"),
        ("PASS_THROUGH", "comma-separated paths", "`health/`"),
        ("HIGH_PRIO_PATHS", "listed or unlisted", "`unlisted`"),
        ("TARGET_BASE_URL", "http:// or https:// URL", ""),
    ],
)
def test_the_configuration_shows_values_and_defaults(name: str, values: str, default: str) -> None:
    """A row names the accepted values, and the default as a person would write it."""
    (row,) = (line for line in CONFIGURATION.splitlines() if line.startswith(f"| `FAST_PRIORITY_{name}`"))
    assert values in row
    assert row.endswith(f"| {default} |")


@pytest.mark.parametrize("slug", sorted(errors._BY_SLUG))
def test_the_error_page_lists_every_error(slug: str) -> None:
    """Each error that a client can get stands in docs/reference/errors.md with its status."""
    assert f"| {errors._BY_SLUG[slug].status} | `{slug}` |" in ERRORS


@pytest.mark.parametrize("row", KEY_TABLE, ids=lambda row: row.pattern)
def test_the_architecture_lists_every_key(row: KeyRow) -> None:
    """Each row of the key table stands in docs/internals/architecture.md, word for word."""
    assert f"| `{row.pattern}` | {row.kind} | {row.holds} | {row.written_by} | {row.gone} |" in ARCHITECTURE


def table_after(text: str, heading: str) -> Iterator[list[str]]:
    """Yield the cells of each row of the first table below a heading, without its head."""
    section = text.partition(f"\n{heading}\n")[2]
    rows = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert rows, f"there is no table below {heading!r}"
    for line in rows[0].splitlines()[2:]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


def test_the_errors_of_the_troubleshooting_page_exist() -> None:
    """Each type of error in docs/troubleshooting.md is one that a client can get."""
    named = {
        slug
        for cells in table_after(TROUBLESHOOTING, "## Every response is an error")
        for slug in re.findall(r"`([a-z-]+)`", cells[0])
    }
    assert len(named) > 10
    assert named - set(errors._BY_SLUG) == set()


def paths_of_the_readme() -> list[tuple[dict[str, str], str, Priority]]:
    cases = []
    for settings, high, low in table_after(README, "## Which requests are high, which are low"):
        variables = dict(re.findall(r"(FAST_PRIORITY_\w+)=([^\s`]+)", settings))
        for cell, priority in ((high, Priority.HIGH), (low, Priority.LOW)):
            named = re.findall(r"`([^`]+)`", cell) or (["/anything"] if cell == "every path" else [])
            cases += [(variables, path, priority) for path in named]
    return cases


@pytest.mark.parametrize(("variables", "path", "priority"), paths_of_the_readme())
def test_the_readme_is_right_about_high_and_low(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], path: str, priority: Priority
) -> None:
    """Each path in the README's table has the priority that the table shows, under the settings of its row."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert Settings.load().rules.priority_of(RequestFacts(path, "GET")) is priority


def test_the_readmes_table_has_cases() -> None:
    """The table is read: it has several rows of each kind, one of them for `listed`."""
    cases = paths_of_the_readme()
    assert {priority for _, _, priority in cases} == {Priority.HIGH, Priority.LOW}
    assert len(cases) > 8
    assert any("FAST_PRIORITY_HIGH_PRIO_PATHS" in variables for variables, _, _ in cases)


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    """Each link to a file of the repository, or to a heading in a page, has its target; images exist."""
    for file, anchor in links_of(page):
        assert file.exists(), f"{name_of(page)} links to {file}, which does not exist"
        if anchor:
            assert anchor in anchors_of(file), f"{name_of(page)} links to #{anchor} in {name_of(file)}"


def test_every_page_is_found_from_the_readme() -> None:
    """A reader who follows links from the README comes to every page of docs/."""
    found, new = set(), {REPOSITORY / "README.md"}
    while new:
        found |= new
        new = {file for page in new for file, _ in links_of(page) if file.suffix == ".md"} - found
    assert {page for page in PAGES if page.is_relative_to(DOCS)} - found == set()


@each_page
def test_every_block_has_a_language(page: Path) -> None:
    """Each fenced block says what it is, and no command hides in a block that no test runs."""
    for block in blocks_of(page):
        where = f"{name_of(page)}:{block.line}"
        assert block.language in LANGUAGES, f"{where} has the language {block.language!r}"
        if block.language == "text" and page.name != "cli.md":  # whose blocks are printed from the commands' help
            assert not re.search(COMMANDS, block.text, re.MULTILINE), f"{where} has commands: mark it as sh"


EXAMPLES = [path for path in (REPOSITORY / "examples").rglob("*.*") if path.parent.name != "__pycache__"]


@pytest.mark.parametrize("path", [*PAGES, *COMPARED_LINES, *EXAMPLES], ids=name_of)
def test_every_variable_exists(path: Path) -> None:
    """Each FAST_PRIORITY_* variable that a page or an example names is a setting."""
    known = {f"FAST_PRIORITY_{name.upper()}" for name in Settings.model_fields} | {"FAST_PRIORITY_WORKER"}
    named = set(re.findall(r"\bFAST_PRIORITY_[A-Z0-9_]*[A-Z0-9]\b(?!\*)", path.read_text()))
    assert named - known == set()


@each_page
def test_every_make_target_exists(page: Path) -> None:
    """Each `make` command that a page names is in the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^ *)make ([a-z-]+)", page.read_text(), re.MULTILINE))
    assert named - targets == set()


@each_page
def test_every_named_test_exists(page: Path) -> None:
    """Each test that a page names is there."""
    modules = list((REPOSITORY / "tests").rglob("test_*.py"))
    names = {module.name for module in modules}
    text = "\n".join(module.read_text() for module in modules)
    for name in set(re.findall(r"\btest_\w+(?:\.py)?", page.read_text())):
        assert name in names if name.endswith(".py") else f"def {name}(" in text, f"there is no {name}"


@pytest.mark.parametrize(
    ("page", "language", "file"),
    [("docs/embedding.md", "python", "examples/embedded.py"), ("docs/ci.md", "yaml", "examples/ci/ordering.yml")],
)
def test_an_example_stands_in_its_page(page: str, language: str, file: str) -> None:
    """What the page shows is the file that tests run, word for word."""
    shown = [block.text for block in blocks_of(REPOSITORY / page) if block.language == language]
    assert shown == [(REPOSITORY / file).read_text()]
