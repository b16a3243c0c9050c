"""Finding things in the syntax trees of ``quark``: what is used, caught, made, reached into."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "quark"

#: Every module of the package, by its path in it.
SOURCES = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}


@dataclass(frozen=True)
class Found:
    """One place that breaks a rule."""

    line: int
    what: str


Finder = Callable[[ast.Module], list[Found]]


def imported_names(tree: ast.Module) -> dict[str, str]:
    """Map each name that imports bind to the dotted name of what it stands for."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def dotted(node: ast.expr, names: dict[str, str]) -> str | None:
    """The full dotted name of an expression such as ``t.sleep``, if imports say what it is."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value, names)
        return None if owner is None else f"{owner}.{node.attr}"
    return None


def uses(tree: ast.Module) -> Iterator[Found]:
    """Yield every imported module or name, and every dotted name built on one."""
    names = imported_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Found(node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (Found(node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Attribute):
            name = dotted(node, names)
            if name is not None:
                yield Found(node.lineno, name)


def using(pattern: str) -> Finder:
    """A finder of uses whose whole dotted name, or a leading part of it, matches ``pattern``."""
    compiled = re.compile(rf"(?:{pattern})(?:\..+)?")
    return lambda tree: [found for found in uses(tree) if compiled.fullmatch(found.what)]


def store_constructions(tree: ast.Module) -> list[Found]:
    """Calls of a store's class, or of a classmethod of it."""
    stores = {"EmbeddedStore", "HttpStore", "MemoryStore", "PostgresStore", "ClickHouseStore"}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            words = re.findall(r"\w+", ast.unparse(node.func))[-2:]
            found += [Found(node.lineno, word) for word in words if word in stores]
    return found


def broad_excepts(tree: ast.Module) -> list[Found]:
    """Handlers that catch everything and let nothing out; one that ends in ``raise`` does."""
    broad = {"Exception", "BaseException"}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "BaseException"
            last = node.body[-1]
            reraises = isinstance(last, ast.Raise) and last.exc is None
            if broad & set(re.findall(r"\w+", caught)) and not reraises:
                found.append(Found(node.lineno, f"except {caught}"))
        elif (
            isinstance(node, ast.Call)
            and ast.unparse(node.func).endswith("suppress")
            and broad & {ast.unparse(argument) for argument in node.args}
        ):
            found.append(Found(node.lineno, ast.unparse(node)))
    return found


def private_names_defined(tree: ast.Module) -> set[str]:
    """Every underscored name that a module gives to a function, class, field or attribute."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.attr if isinstance(node, ast.Attribute) else node.id)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(node.value)  # __slots__, object.__setattr__(self, "_x", ...)
    return {name for name in names if is_private(name)}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


def foreign_privates(tree: ast.Module, own: set[str]) -> list[Found]:
    """Underscored attributes and imports that are not among ``own``."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in own:
            found.append(Found(node.lineno, ast.unparse(node)))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("quark"):
            found += [
                Found(node.lineno, f"{node.module}.{alias.name}")
                for alias in node.names
                if is_private(alias.name) and alias.name not in own | {"_optional"}
            ]
    return found
