"""What commands print: tables that stay tables, whoever named the runs and however wide it is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from rich.cells import cell_len

from quark.cli.output import Column, Output
from quark.cli.terminal_table import fitted
from tests.support.cli import COMMAND, logged_run, on_terminal, run_cli

ROWS = [("rpwnnfgh", "損失-☃", 7), ("run_x1oaydyiv69a", "a name of thirty letters, about", 1200)]
COLUMNS = [
    Column("ID", lambda row: row[0]),
    Column("NAME", lambda row: row[1]),
    Column("POINTS", lambda row: row[2], numeric=True, minor=True),
]


def test_columns_stand_below_each_other_where_letters_are_twice_as_wide(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Output(as_json=False).rows(ROWS, COLUMNS, empty="")
    Output(as_json=False).pairs([("損失", 1), ("abcd", 2)])

    head, *lines, first, second = capsys.readouterr().out.splitlines()
    end = cell_len(head)  # numbers stand at the right
    assert [cell_len(line) for line in lines] == [end, end]
    assert (cell_len(first), cell_len(second)) == (7, 7)


@pytest.mark.parametrize(
    ("width", "kept"),
    [
        pytest.param(80, {0: 16, 1: 31, 2: 6}, id="everything-fits"),
        pytest.param(50, {0: 16, 1: 24, 2: 6}, id="texts-are-cut"),
        pytest.param(33, {0: 16, 1: 15}, id="what-is-minor-goes"),
        pytest.param(20, {0: 16}, id="what-is-typed-again-stays-whole"),
        pytest.param(5, {0: 16}, id="even-if-the-terminal-breaks-it"),
    ],
)
def test_a_narrow_terminal_cuts_texts_and_then_leaves_columns_out(
    width: int, kept: dict[int, int]
) -> None:
    texts = [[str(cell) for cell in row] for row in ROWS]

    found = fitted(COLUMNS, texts, width)

    assert found == kept
    assert sum(found.values()) + 2 * (len(found) - 1) <= max(width, 16)


def test_a_list_of_runs_has_a_line_for_each_at_40_columns(tmp_path: Path) -> None:
    ids = {logged_run(tmp_path, name=f"a-rather-long-name-{number}") for number in range(3)}
    words = ("run", "list", "--storage-dir", tmp_path)

    shown, code = on_terminal(*words, env={"COLUMNS": "40", "NO_COLOR": "1", "TERM": "xterm"})

    assert code == 0
    lines = [line.split() for line in shown.splitlines() if "completed" in line]
    assert {words[0] for words in lines} == ids
    assert {words[-1] for words in lines} == {"completed"}
    assert "Too narrow for PROJECT, CREATED (UTC), DURATION, TAGS" in shown
    piped = run_cli(*words, env={"COLUMNS": "40"}).ok()
    assert piped.out.count("a-rather-long-name") == 3
    assert "short" in piped.out  # a tag: a pipe has room for everything
    closed = ["sh", "-c", '"$@" >&-', "sh", *COMMAND, *map(str, words)]
    nowhere = subprocess.run(closed, stderr=subprocess.PIPE)
    assert (nowhere.returncode, nowhere.stderr) == (0, b"")
