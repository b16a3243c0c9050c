"""The floors: who may import whom, and that pictures, contracts and code say the same.

import-linter reads the contracts in pyproject.toml and follows every import that runs. Here is
what it leaves open: imports for types only, floors that are not built yet, the pictures.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.syntax import PACKAGE, ROOT, SOURCES, Found

CONTRACTS = {
    contract["id"]: contract
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
}

#: Contracts that become possible when a package is there: package, then what it may not import.
PROMISED = {
    "quark.service": {"quark.session", "quark.writers", "quark.hooks", "torch"},
    "quark.analyzers.rules": {"quark.storage", "threading", "httpx", "torch"},
    "quark.analyzers.phases": {"quark.storage", "threading", "httpx", "torch"},
    "quark.analyzers.comparison": {"quark.storage", "threading", "httpx", "torch"},
}


def is_built(module: str) -> bool:
    path = ROOT.joinpath(*module.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def floors() -> list[list[str]]:
    """The floors of pyproject.toml from the top, each with its modules as written there."""
    return [re.split(r"\s*\|\s*", layer) for layer in CONTRACTS["floors"]["layers"]]


def test_parentheses_go_when_a_floor_is_built() -> None:
    pending = [name[1:-1] for floor in floors() for name in floor if name.startswith("(")]

    assert [name for name in pending if is_built(f"quark.{name}")] == []


@pytest.mark.parametrize("module", PROMISED)
def test_promised_contracts_are_in_force_once_the_package_is_there(module: str) -> None:
    forbidden: set[str] = set()
    for contract in CONTRACTS.values():
        if module in contract.get("source_modules", ()):
            forbidden |= set(contract["forbidden_modules"])

    assert PROMISED[module] <= forbidden or not is_built(module)


def upward_imports(file: str, tree: ast.Module) -> list[Found]:
    """Imports from a floor that is not below, those for types only included."""
    height = {
        name.strip("()"): level for level, floor in enumerate(reversed(floors())) for name in floor
    }
    own = re.split(r"[/.]", file)[0]
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "quark":
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("quark."):
            modules = [(node.module or "").split(".")[1]]
        elif isinstance(node, ast.Import):
            words = [alias.name.split(".") for alias in node.names]
            modules = [parts[1] for parts in words if parts[0] == "quark" and parts[1:]]
        else:
            continue
        for module in modules:
            if module in height and module != own and height[module] >= height[own]:
                found.append(Found(node.lineno, f"quark.{module}"))
    return found


def test_imports_for_types_keep_to_the_floors_too() -> None:
    strays = [
        f"quark/{file}:{found.line}: {found.what}"
        for file, path in SOURCES.items()
        if file != "__init__.py"  # exports from every floor
        for found in upward_imports(file, ast.parse(path.read_text()))
    ]

    assert strays == []


@pytest.mark.parametrize(
    ("file", "source", "strays"),
    [
        ("records/metric.py", "from quark.session.training import A", ["quark.session"]),
        ("records/metric.py", "import quark.session.training", ["quark.session"]),
        ("records/metric.py", "if TYPE_CHECKING:\n    from quark import cli", ["quark.cli"]),
        ("clock.py", "from quark.ids import random_id", ["quark.ids"]),
        ("session/handle.py", "from quark import jsonio\nfrom quark.session.git import x", []),
    ],
)
def test_upward_imports_are_found(file: str, source: str, strays: list[str]) -> None:
    assert [found.what for found in upward_imports(file, ast.parse(source))] == strays


@pytest.mark.parametrize("document", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_the_picture_of_the_floors_is_true(document: str) -> None:
    text = (ROOT / document).read_text()
    match = re.search(r"<!-- floors -->\n```text\n(.*?)```", text, re.DOTALL)
    assert match is not None, f"{document} has no picture of the floors"

    drawn = [line.split("  ")[0] for line in match[1].splitlines() if line.strip()]

    assert [re.split(r"\s*\|\s*", line) for line in drawn] == [
        [name.strip("()") for name in floor] for floor in floors()
    ]


@pytest.mark.parametrize(
    ("file", "text", "word"),
    [
        ("records/metric.py", "from quark.session.training import TrainingSession", "broken"),
        ("stray.py", "", "stray"),
    ],
)
def test_the_floors_can_fail(file: str, text: str, word: str, tmp_path: Path) -> None:
    pytest.importorskip("importlinter")
    shutil.copytree(PACKAGE, tmp_path / "quark", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "quark" / file).open("a") as module:
        module.write(f"\n{text}\n")
    script = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}

    result = subprocess.run(
        [sys.executable, "-c", script, "--no-cache", "--contract", "floors"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode != 0
    assert word in (result.stdout + result.stderr).lower()
