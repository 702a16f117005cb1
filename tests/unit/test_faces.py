"""Folders of a package are used through their faces, and no folder is one without a face."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
# What a folder's own tests need of it is not limited.
READERS = ("fast_priority", "mock_target", "loadtests", "benchmarks", "tests/acceptance", "tests/chaos", "tests/fuzz")


def imports_of(path: Path) -> Iterator[str]:
    """Every module that a file imports from, by its whole name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def room_of(module: str) -> str | None:
    """The folder of one of the packages that a module lies in; None: it lies in none."""
    package, *inner = module.split(".")
    is_folder = len(inner) > 1 and (REPOSITORY / package / inner[0]).is_dir()
    return f"{package}.{inner[0]}" if is_folder else None


@pytest.mark.parametrize("package", ["mock_target", "loadtests"])
def test_inner_files_are_reached_through_the_face(package: str) -> None:
    """Code outside of a folder imports from its `__init__.py`, never from one of its files."""
    broken = []
    for path in (path for reader in READERS for path in (REPOSITORY / reader).rglob("*.py")):
        own_room = room_of(".".join(path.relative_to(REPOSITORY).with_suffix("").parts))
        for module in imports_of(path):
            room = room_of(module) if module.startswith(f"{package}.") else None
            if room not in (None, own_room):
                broken.append(f"{path.relative_to(REPOSITORY)} imports {module}")
    assert broken == []


@pytest.mark.parametrize("package", ["fast_priority", "mock_target", "loadtests"])
def test_every_folder_has_a_face(package: str) -> None:
    """Each folder that holds Python files has an `__init__.py` with a docstring and `__all__`."""
    folders = [path for path in (REPOSITORY / package).iterdir() if any(path.glob("*.py"))]
    assert folders
    for folder in folders:
        face = ast.parse((folder / "__init__.py").read_text())
        names = [target.id for node in face.body if isinstance(node, ast.Assign) for target in node.targets
                 if isinstance(target, ast.Name)]  # fmt: skip
        assert ast.get_docstring(face), folder
        assert names == ["__all__"], folder


def parts_of(folder: Path) -> set[str]:
    """The modules and folders of a folder, and its Lua files with their ending."""
    names = {path.stem for path in folder.glob("*.py")} | {path.name for path in folder.glob("*.lua")}
    return names.union(path.parent.name for path in folder.glob("*/__init__.py")) - {"__init__", "__main__"}


@pytest.mark.parametrize(
    "face", sorted((REPOSITORY / "fast_priority").rglob("*/__init__.py")), ids=lambda face: face.parent.name
)
def test_a_face_lists_its_modules(face: Path) -> None:
    """The docstring of a face names each module of its folder, and nothing that does not exist."""
    named = set(re.findall(r"`(\w+(?:\.lua)?)`", ast.get_docstring(ast.parse(face.read_text())) or ""))
    parts, top = parts_of(face.parent), parts_of(REPOSITORY / "fast_priority")
    modules = {part for part in parts if not part.endswith(".lua")}
    assert (modules - named, named - parts - top) == (set(), set())
