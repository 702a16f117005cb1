"""What our classes take from the classes of a library: the methods that they override, and the names that they use."""

import ast
import functools
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any, NamedTuple

LIBRARIES = ("aiohttp", "fastapi", "redis", "rq", "starlette", "uvicorn")
"""Those whose classes we derive from."""

_OF_NAMED_TUPLES = {"_asdict", "_fields", "_make", "_replace"}


class Taken(NamedTuple):
    """One name that a class of ours takes from a class of a library."""

    ours: type
    library_class: type
    """The first class of a library among the bases that has the name."""
    name: str
    is_override: bool


def all_taken(*packages: ModuleType) -> Iterator[Taken]:
    """Yield what the classes of these packages take."""
    for module in _modules_of(*packages):
        for ours in vars(module).values():
            if inspect.isclass(ours) and ours.__module__ == module.__name__:
                yield from _taken_by(ours)


def has_name(owner: Any, name: str) -> bool:
    """Return whether a module, a class or an instance of the class has an attribute of this name."""
    return hasattr(owner, name) or (inspect.isclass(owner) and any(name in _set_by(base) for base in owner.__mro__))


def foreign_private_names(*packages: ModuleType) -> Iterator[tuple[str, str]]:
    """Yield module and name of each `other._name` whose name no source of these packages defines."""
    names = [module.__name__ for module in _modules_of(*packages)]
    nodes = [(name, node) for name in names for node in ast.walk(_tree_of(name))]
    own = {node.name for _, node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    own |= {node.id for _, node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    attributes = [(name, node) for name, node in nodes if isinstance(node, ast.Attribute)]
    own |= {node.attr for _, node in attributes if isinstance(node.ctx, ast.Store) and _is_own(node.value)}
    for name, node in attributes:
        is_private = node.attr.startswith("_") and not node.attr.startswith("__")
        if is_private and node.attr not in own | _OF_NAMED_TUPLES and not _is_own(node.value):
            yield name, node.attr


def nearest_library_class(ours: type) -> type | None:
    """Return the first class of a library among a class and its bases."""
    return next((base for base in ours.__mro__ if _is_of_library(base)), None)


def _taken_by(ours: type) -> Iterator[Taken]:
    overridden = set(vars(ours))
    for name in sorted(overridden | _used_by(ours)):
        library_class = next((base for base in ours.__mro__ if _is_of_library(base) and _defines(base, name)), None)
        if library_class is not None and not _is_of_python(name):
            yield Taken(ours, library_class, name, is_override=callable(vars(ours).get(name)))


def _modules_of(*packages: ModuleType) -> Iterator[ModuleType]:
    for package in packages:
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith(".__main__"):
                yield importlib.import_module(found.name)


def _is_of_library(one: type) -> bool:
    return one.__module__.partition(".")[0] in LIBRARIES


def _is_of_python(name: str) -> bool:
    return name == "_abc_impl" or (name.startswith("__") and name != "__call__")


def _defines(one: type, name: str) -> bool:
    return name in vars(one) or name in vars(one).get("__annotations__", {}) or name in _set_by(one)


@functools.cache
def _used_by(one: type) -> frozenset[str]:
    """Return the attributes of `self` and `super()` in the source of a class."""
    return frozenset(node.attr for node in _attributes_of(one))


@functools.cache
def _set_by(one: type) -> frozenset[str]:
    """Return the attributes of `self` that the source of a class sets; none if it has no source in Python."""
    return frozenset(node.attr for node in _attributes_of(one) if isinstance(node.ctx, ast.Store))


@functools.cache
def _attributes_of(one: type) -> tuple[ast.Attribute, ...]:
    try:
        found = _classes_of(one.__module__).get(one.__qualname__)
    except (OSError, TypeError):
        return ()
    nodes = ast.walk(found) if found else ()
    return tuple(node for node in nodes if isinstance(node, ast.Attribute) and _is_own(node.value))


@functools.cache
def _classes_of(module_name: str) -> dict[str, ast.ClassDef]:
    """Return the classes in the source of a module by their qualified names."""
    found: dict[str, ast.ClassDef] = {}
    for name, node in _classes_in(_tree_of(module_name)):
        found.setdefault(name, node)
    return found


def _classes_in(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.ClassDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield prefix + child.name, child
            yield from _classes_in(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _classes_in(child, f"{prefix}{child.name}.<locals>.")
        elif not isinstance(child, ast.expr):
            yield from _classes_in(child, prefix)


@functools.cache
def _tree_of(module_name: str) -> ast.Module:
    """Parse the source of a module, once for all of its classes."""
    return ast.parse(inspect.getsource(sys.modules[module_name]))


def _is_own(value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id == "super"
    return isinstance(value, ast.Name) and value.id == "self"
