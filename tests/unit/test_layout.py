"""The bounds of the layout: how much stands at the top, in a module and in a class."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import fast_priority

PACKAGE = Path(fast_priority.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
MOST_FILES_AT_THE_TOP, MOST_FOLDERS = 8, 13
MOST_LINES = 350
MOST_ATTRIBUTES = 16
MOST_LAYERS = 10


def named(module: Path) -> str:
    return str(module.relative_to(PACKAGE))


def attributes_of(owner: ast.ClassDef) -> set[str]:
    """Return the names that methods of the class assign on `self`, and the fields that it declares."""
    fields = {
        statement.target.id
        for statement in owner.body
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
    }
    return fields | {
        node.attr
        for node in ast.walk(owner)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }


def classes() -> Iterator[tuple[str, ast.ClassDef]]:
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.ClassDef):
                yield f"{named(module)}:{node.name}", node


def test_few_things_stand_at_the_top() -> None:
    """Only public paths are files at the top, and every folder is a room."""
    entries = [entry for entry in PACKAGE.iterdir() if entry.name != "__pycache__"]
    folders = [entry.name for entry in entries if entry.is_dir()]
    assert len(entries) - len(folders) <= MOST_FILES_AT_THE_TOP
    assert len(folders) <= MOST_FOLDERS


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_no_module_is_long(module: Path) -> None:
    """A module has at most 350 lines."""
    assert len(module.read_text().splitlines()) <= MOST_LINES


def test_no_class_is_large() -> None:
    """A class has at most 16 attributes of its own, settings apart."""
    sizes = {name: len(attributes_of(owner)) for name, owner in classes() if not name.startswith("settings/")}
    assert len(sizes) > 100
    assert {name: size for name, size in sizes.items() if size > MOST_ATTRIBUTES} == {}


def test_the_contract_is_short(pytestconfig: pytest.Config) -> None:
    """The layers of the package fit a glance."""
    text = (pytestconfig.rootpath / "pyproject.toml").read_text()
    contracts = tomllib.loads(text)["tool"]["importlinter"]["contracts"]
    (layers,) = [one["layers"] for one in contracts if one.get("containers") == ["fast_priority"]]
    assert len(layers) <= MOST_LAYERS


def test_every_room_has_a_face() -> None:
    """Each folder says what it is for, and what others may use of it or which modules it has."""
    for folder in sorted({module.parent for module in MODULES}):
        face = ast.parse((folder / "__init__.py").read_text())
        assert ast.get_docstring(face), folder
