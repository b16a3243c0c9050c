"""What the documents say is tried: blocks run, examples in docstrings hold, tables are true."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import re
import subprocess
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from quark.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md")
    for path in ROOT.glob(pattern)
    if path.name != "CHANGELOG.md"
)

BLOCK = re.compile(
    r"(?:^<!-- no-run: (?P<reason>[^>]*?) -->\n+)?^```python\n(?P<code>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """A Python block of a document. ``no_run`` is why it is compiled only."""

    document: str
    line: int
    code: str
    no_run: str | None = None

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def python_blocks(document: str, text: str) -> list[Block]:
    """Every Python block in a Markdown text, with the line its code starts on."""
    return [
        Block(
            document,
            text.count("\n", 0, match.start("code")) + 1,
            match["code"],
            match["reason"],
        )
        for match in BLOCK.finditer(text)
    ]


def run_block(block: Block, python: str) -> subprocess.CompletedProcess[str]:
    """Run a block as a script of its own in the current folder."""
    script = Path("block.py")
    script.write_text(block.code)
    return subprocess.run(
        [python, str(script)], capture_output=True, text=True, check=False, timeout=60
    )


BLOCKS = [
    block
    for path in DOCUMENTS
    for block in python_blocks(path.relative_to(ROOT).as_posix(), path.read_text())
]


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.no_run is None], ids=str)
def test_the_block_runs(block: Block, python: str) -> None:
    result = run_block(block, python)

    assert result.returncode == 0, f"{block}\n{result.stdout}\n{result.stderr}"


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_the_block_compiles_and_says_why_it_does_not_run(block: Block) -> None:
    compile(block.code, str(block), "exec")

    assert block.no_run is None or block.no_run.strip()


def test_the_readme_has_blocks_that_run() -> None:
    assert [b for b in BLOCKS if b.document == "README.md" and b.no_run is None] != []


def test_blocks_are_found_with_their_marks() -> None:
    text = (
        "# Title\n\n```python\nx = 1\n```\n\n"
        "<!-- no-run: needs a server -->\n```python\ny = 2\n```\n\n"
        "```bash\nmake\n```\n"
    )

    assert python_blocks("a.md", text) == [
        Block("a.md", 4, "x = 1\n"),
        Block("a.md", 9, "y = 2\n", "needs a server"),
    ]


def test_a_block_that_fails_is_seen(python: str) -> None:
    result = run_block(Block("a.md", 1, "assert 1 + 1 == 3"), python)

    assert result.returncode != 0


# -- docstrings ----------------------------------------------------------------------------------

WITH_EXAMPLES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((ROOT / "quark").rglob("*.py"))
    if ">>>" in path.read_text()
]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_in_docstrings_hold(name: str) -> None:
    module = importlib.import_module(name)

    results = doctest.testmod(module, optionflags=doctest.ELLIPSIS)

    assert results.attempted > 0
    assert results.failed == 0


def test_a_wrong_example_is_seen() -> None:
    parser = doctest.DocTestParser()
    example = parser.get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, None)

    results = doctest.DocTestRunner(verbose=False).run(example, out=lambda text: None)

    assert results.failed == 1


# -- tables --------------------------------------------------------------------------------------


def settings_table() -> str:
    """The table of docs/settings.md, made from the settings themselves."""
    rows = ["| setting | variable | default | what it does |", "|---|---|---|---|"]
    for item in fields(Settings):
        variable = f"`{item.metadata['variable']}`" if item.metadata["variable"] else "–"
        default = "unset" if item.default is None else f"`{item.default!r}`"
        rows.append(f"| `{item.name}` | {variable} | {default} | {item.metadata['doc']} |")
    return "\n".join(rows) + "\n"


def test_the_settings_document_lists_every_setting_as_it_is() -> None:
    text = (ROOT / "docs" / "settings.md").read_text()

    assert settings_table() in text, "docs/settings.md should hold:\n" + settings_table()


def test_the_readme_lists_every_variable() -> None:
    text = (ROOT / "README.md").read_text()
    rows = set(re.findall(r"^\| `(QUARK_[A-Z_]+)`", text, re.MULTILINE))

    assert rows == {
        item.metadata["variable"] for item in fields(Settings) if item.metadata["variable"]
    }


# -- references ----------------------------------------------------------------------------------


def missing_references(text: str, folder: Path) -> list[str]:
    """Relative link targets of a Markdown text that are not there."""
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", text)
    return [target for target in targets if not (folder / target).exists()]


def unknown_targets(text: str, makefile: str) -> set[str]:
    """What a text says to ``make`` and the Makefile does not have."""
    said = set(re.findall(r"(?:`|^)make ([a-z][a-z-]*)\b", text, re.MULTILINE))
    return said - set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_points_to_is_there(path: Path) -> None:
    text = path.read_text()

    assert missing_references(text, path.parent) == []
    assert unknown_targets(text, (ROOT / "Makefile").read_text()) == set()


def test_dead_references_are_seen(tmp_path: Path) -> None:
    text = (
        "[a](gone.md), [b](https://example.com/x); run `make nonsense` or `make test`; make sense"
    )

    assert missing_references(text, tmp_path) == ["gone.md"]
    assert unknown_targets(text, "test: venv\n\tpytest\n") == {"nonsense"}
