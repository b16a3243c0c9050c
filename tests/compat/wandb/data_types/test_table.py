"""Tables: what comes back of them, and what a script may do meanwhile."""

from __future__ import annotations

import datetime
import gc
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

import quark.compat.wandb as wandb
from quark import jsonio
from quark.compat.wandb.data_types.table_frames import table_of
from quark.compat.wandb.data_types.table_nested_types import TypedDictType
from quark.compat.wandb.data_types.table_rows import TypedRows
from quark.compat.wandb.data_types.table_types import INVALID
from tests.compat.wandb.data_types.table_files import Folder

UTC = datetime.UTC
MOMENT = datetime.datetime(2024, 2, 29, 23, 59, 58, 765432)


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_SILENT", "true")


def image(shade: int) -> wandb.Image:
    return wandb.Image(np.full((5, 4, 3), shade, np.uint8), caption=f"shade {shade}")


def cells(table: Any) -> list[list[Any]]:
    """The cells of a table in a form that compares: NaN is equal to itself, an array its list."""
    return [
        [
            cell.tolist()
            if isinstance(cell, np.ndarray)
            else "nan"
            if isinstance(cell, float) and math.isnan(cell)
            else cell
            for cell in row
        ]
        for row in table.data
    ]


SCALAR = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=5),
    st.datetimes(),
    st.dates(),
    st.lists(st.integers(), max_size=3),
)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_is_in_a_table_comes_back_from_its_file(data: st.DataObject) -> None:
    width = data.draw(st.integers(1, 3))
    rows = data.draw(st.lists(st.lists(SCALAR, min_size=width, max_size=width), max_size=8))
    table = wandb.Table(columns=list(range(width)), data=rows, allow_mixed_types=True)
    place = Folder()

    back = wandb.Table.from_json(table.frozen().stored(place), place)

    def as_text(cell: Any) -> Any:  # where every type is allowed, a moment stays its text
        return cell.isoformat() if isinstance(cell, datetime.date) else cell

    assert cells(back) == [[as_text(cell) for cell in row] for row in cells(table)]
    assert back._column_types == table._column_types


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(SCALAR, SCALAR), max_size=12), st.booleans())
def test_the_quick_check_of_a_row_takes_and_learns_what_the_slow_one_does(
    rows: list[tuple[Any, Any]], optional: bool
) -> None:
    quick = TypedRows(["a", "b"], [int, [str, int]], optional)
    slow = TypedDictType(quick._column_types.type_map)
    taken = 0

    for row in rows:
        after = slow.assign(dict(zip("ab", row, strict=True)))
        if after is INVALID:
            with pytest.raises(TypeError, match="does not fit into column"):
                quick.add_data(*row)
        else:
            assert isinstance(after, TypedDictType)
            slow, taken = after, taken + 1
            quick.add_data(*row)

    assert quick._column_types == slow
    assert len(quick.data) == taken


def test_a_value_that_does_not_fit_is_named_with_its_column_and_a_way_out() -> None:
    table = wandb.Table(columns=["n", "name"], data=[[1, "x"]], optional=False)

    with pytest.raises(TypeError, match=r"Row 1: 'two' .*column 'n'.*String .*allow_mixed_types"):
        table.add_data("two", "y")
    with pytest.raises(TypeError, match=r"None does not fit into column 'name'.*optional=True"):
        table.add_data(2, None)

    assert table.data == [[1, "x"]]


def test_moments_arrays_and_missing_values_keep_their_kind_in_the_file_of_a_run() -> None:
    rows: list[list[Any]] = [
        [MOMENT, MOMENT.replace(tzinfo=UTC), MOMENT.date(), np.ones((2, 3), np.float32), math.nan],
        [None, None, None, None, 1.5],
    ]
    table = wandb.Table(columns=["t", "z", "d", "array", "n"], data=rows)
    place = Folder()

    back = wandb.Table.from_json(table.frozen().stored(place), place)

    assert cells(back) == cells(table)
    assert back.data[0][3].dtype == np.float32
    assert [type(cell) for cell in back.data[0][:3]] == [type(cell) for cell in rows[0][:3]]


def test_what_w_and_b_cannot_write_is_kept_as_well_as_it_can_be() -> None:
    torch = pytest.importorskip("torch")
    row = [
        *(b"bytes", Path("a/b"), 1j, torch.arange(40), {1: {2}}, np.timedelta64(1, "s")),
        *(pd.NaT, pd.NA, pd.Timestamp("2024-01-02"), np.datetime64("NaT"), np.longdouble(0.5)),
    ]
    table = wandb.Table(columns=list(range(len(row))), data=[row], allow_mixed_types=True)
    place = Folder()

    back = wandb.Table.from_json(table.frozen().stored(place), place)

    assert back.data == [
        [
            *("bytes", "a/b", "1j", list(range(40)), {"1": [2]}, "PT1S"),
            *(None, None, "2024-01-02T00:00:00", None, 0.5),
        ]
    ]


def test_media_in_cells_come_back_from_a_run_and_from_an_artifact() -> None:
    html = wandb.Html("<b>bold</b>", inject=False)
    rows = [[image(1), [image(2)], {"at": image(3)}, html], [None, [], {"at": None}, html]]
    table = wandb.Table(columns=["i", "l", "d", "h"], data=rows, allow_mixed_types=True)
    typed = wandb.Table(columns=["i", "h"], data=[[image(1), html], [image(9), None]])
    run_files, artifact = Folder(), Folder()

    fields = table.frozen().stored(run_files)
    written = typed.in_artifact(artifact)

    assert fields["_type"] == "table-file"
    assert wandb.Table.from_json(fields, run_files).data == rows
    back = wandb.Table.from_json(written, artifact)
    assert back == typed
    assert back.data[1][0]._caption == "shade 9"
    assert written["column_types"]["params"]["type_map"]["h"]["params"]["allowed_types"] == [
        {"wb_type": "html-file"},
        {"wb_type": "none"},
    ]


def test_arrays_of_an_artifact_are_in_a_file_of_their_own() -> None:
    table = wandb.Table(columns=["a"], data=[[np.ones((2, 3), np.int16)], [np.eye(2, 3)]])
    artifact = Folder()

    written = table.in_artifact(artifact)

    assert written["data"] == [[None], [None]]
    assert [name.partition("_data/")[0] for name in artifact.files] == ["media/serialized"]
    assert cells(wandb.Table.from_json(written, artifact)) == cells(table)


def test_columns_and_keys_of_mixed_kinds_can_be_put_into_an_artifact() -> None:
    rows = [[1, {"a": 1, 2: "x"}], [2, {}]]
    table = wandb.Table(columns=["n", 0], data=rows, allow_mixed_types=True)
    artifact = Folder()

    written = jsonio.python_loads(table.whole().artifact_json(artifact))

    back = wandb.Table.from_json(written, artifact)
    assert back.columns == ["n", 0]
    assert back.data == [[1, {"a": 1, "2": "x"}], [2, {}]]


def test_keys_of_another_table_come_back_with_that_table() -> None:
    people = wandb.Table(columns=["name", "age"], data=[["ann", 30], ["bob", 40]])
    people.set_pk("name")
    visits = wandb.Table(columns=["who", "row"])
    visits.add_data(people.data[1][0], people.index_ref(0))
    place = Folder()

    back = wandb.Table.from_json(visits.frozen().stored(place), place)

    assert back.data == [["bob", 0]]
    assert back.data[0][1].get_row() == {"name": "ann", "age": 30}
    assert back.data[0][0].table.get_column("age") == [30, 40]


def test_what_a_script_changes_after_log_is_not_in_what_was_logged() -> None:
    array, inner = np.zeros(2), [1]
    table = wandb.Table(columns=["a", "l"], data=[[array, inner]])
    place = Folder()

    frozen = table.frozen()
    array += 1
    inner.append(2)
    table.data[0][1] = [9]
    table.add_column("more", [5])
    table.add_data(array, [3], 6)

    assert cells(wandb.Table.from_json(frozen.stored(place), place)) == [[[0.0, 0.0], [1]]]


def test_rows_that_a_script_put_into_data_itself_are_kept() -> None:
    table = wandb.Table(columns=["a", "b"], data=[[1, 2]])
    table.data.append([3])  # too short
    table.data.append((4, 5, 6))  # type: ignore[arg-type]  # too long, and no list
    place = Folder()

    back = wandb.Table.from_json(table.frozen().stored(place), place)

    assert back.data == [[1, 2], [3, None], [4, 5]]


def test_every_log_of_an_incremental_table_is_complete_though_each_writes_only_what_is_new() -> (
    None
):
    table = wandb.Table(columns=["n"], log_mode="INCREMENTAL")
    place = Folder()
    logged = []
    for number in range(4):
        table.add_data(number)
        logged.append(table.frozen())
    again = table.frozen()

    fields = [logged[order].stored(place) for order in (2, 0, 3, 1)]  # whoever comes first

    by_number = sorted(fields, key=lambda row: row["increment_num"])
    assert [row["nrows"] for row in by_number] == [1, 2, 3, 4]
    assert again.stored(place) == by_number[-1]
    assert len(place.files) == 4
    for count, row in enumerate(by_number, 1):
        back = wandb.Table.from_json(row, place)
        assert back.get_column("n") == list(range(count))
        assert back.log_mode == "INCREMENTAL"


def test_a_table_is_taken_over_without_an_object_for_each_row() -> None:
    table = wandb.Table(columns=["a", "b"], data=[[row, "x"] for row in range(2_000)])
    gc.collect()
    before = len(gc.get_objects())

    frozen = table.frozen()

    assert len(gc.get_objects()) - before < 100
    assert frozen.size_bytes > 2_000 * 2 * 8


def test_a_joined_table_comes_back_with_its_tables() -> None:
    left = wandb.Table(columns=["k", "a"], data=[["x", 1]])
    right = wandb.Table(columns=["k", "b"], data=[["x", image(3)]])
    joined = wandb.JoinedTable(left, right, "k")
    place = Folder()

    frozen = joined.frozen()
    left.add_data("y", 2)
    fields = frozen.stored(place)
    back = wandb.JoinedTable.from_json(fields, place)

    assert fields["join_key"] == "k"
    assert back._table1.data == [["x", 1]]
    assert back._table2 == right
    assert back == wandb.JoinedTable(back._table1, right, "k")
    assert back != wandb.JoinedTable(back._table1, right, ["k", "k"])
    absent = wandb.JoinedTable("x.table.json", "y.table.json", "k")
    assert wandb.JoinedTable.from_json(absent.stored(place), place)._table1 == "x.table.json"


def test_a_partitioned_table_reads_its_parts_in_order() -> None:
    place = Folder()
    for name, rows in {"b": [[3]], "a": [[1], [2]]}.items():
        kept = wandb.Table(columns=["n"], data=rows).kept_whole(place)
        place.files[f"parts/{name}.table.json"] = place.files.pop(kept.path)
    place.files["other/c.table.json"] = b""
    table = wandb.data_types.PartitionedTable("parts")

    back = wandb.data_types.PartitionedTable.from_json(table.stored(place), place)

    assert list(back.iterrows()) == [(0, [1]), (1, [2]), (2, [3])]
    assert back == table
    kept = wandb.Table(columns=["other"], data=[[1]]).kept_whole(place)
    place.files["parts/z.table.json"] = place.files[kept.path]
    odd = wandb.data_types.PartitionedTable.from_json(table.stored(place), place)
    with pytest.raises(ValueError, match="different columns"):
        list(odd.iterrows())


def test_an_eval_table_says_which_column_is_what() -> None:
    table = wandb.EvalTable(
        input_columns=["image"], score_columns=["score"], data=[[image(1), 0.5]]
    )
    table.add_column("prediction", ["4"])
    place = Folder()

    fields = table.frozen().stored(place)
    back = wandb.EvalTable.from_json(fields, place)

    assert fields["_type"] == "eval-table"
    assert (fields["input_columns"], fields["score_columns"]) == (["image"], ["score"])
    assert fields["output_columns"] == ["prediction"]
    assert back == table
    assert back._output_columns == ["prediction"]
    with pytest.raises(wandb.UsageError, match="IMMUTABLE"):
        wandb.EvalTable(log_mode="MUTABLE")
    with pytest.raises(TypeError, match="artifact"):
        table.in_artifact(place)


def test_a_data_frame_that_w_and_b_refuses_is_kept_too() -> None:
    frame = pd.DataFrame({("a", 1): [1, "x"], ("b", 2): [None, [1]]})

    table = table_of(frame)

    assert table is not None
    assert table.columns == ["('a', 1)", "('b', 2)"]
    assert table.data == [[1, None], ["x", [1]]]
    assert table_of([[1]]) is None


def test_logged_tables_are_read_back_by_the_api() -> None:
    growing = wandb.Table(columns=["n"], log_mode="INCREMENTAL")
    with wandb.init(project="p") as run:
        table = wandb.Table(columns=["i", "n"], data=[[image(7), math.nan]])
        wandb.log({"eval/table": table, "loss": 1})
        table.add_data(image(8), 2)
        wandb.log({"eval/table": table})
        wandb.log({"frame": pd.DataFrame({"a": [1, 2]})})
        for number in range(3):
            growing.add_data(number)
            wandb.log({"growing": growing})
        wandb.log({"both": wandb.JoinedTable(growing, table, "n")})

    read = wandb.Api().run(run.id)
    rows = list(read.scan_history())

    first, second = (read.media(row["eval/table"]) for row in rows[:2])
    assert cells(first) == [[image(7), "nan"]]
    assert cells(second) == [[image(7), "nan"], [image(8), 2]]
    assert rows[0]["loss"] == 1
    assert read.media(rows[2]["frame"]).get_column("a") == [1, 2]
    grown = [read.media(row["growing"]).get_column("n") for row in rows[3:6]]
    assert grown == [[0], [0, 1], [0, 1, 2]]
    assert cells(read.media(read.summary["eval/table"])) == cells(second)
    joined = read.media(rows[6]["both"])
    assert joined._table1.get_column("n") == [0, 1, 2]
    path = rows[0]["eval/table"]["path"]
    assert path.startswith("media/table/eval/table_0_")
    assert path in [file.name for file in read.files()]


def test_a_table_in_an_artifact_is_written_again_once_it_has_changed() -> None:
    table = wandb.Table(columns=["n"], data=[[1]])
    with wandb.init(project="p") as run:
        for version in range(3):
            artifact = wandb.Artifact("rows", "dataset")
            artifact.add(table, "t")
            artifact.add_file(__file__, f"{version}.py")
            run.log_artifact(artifact).wait()
            if version:
                table.add_data(version + 1)

    counts = [
        wandb.Api().artifact(f"p/rows:v{version}").get("t").get_column("n") for version in range(3)
    ]
    assert counts == [[1], [1], [1, 2]]


def test_a_table_with_more_rows_than_allowed_is_refused_only_where_that_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wandb.Table, "MAX_ARTIFACT_ROWS", 1)
    table = wandb.Table(columns=["a"], data=[[1], [2]])
    with wandb.init(project="p") as run:
        wandb.log({"t": table})
    strict = wandb.Settings(table_raise_on_max_row_limit_exceeded=True)
    with wandb.init(project="p", settings=strict), pytest.raises(ValueError, match="allow 1"):
        wandb.log({"t": table})

    (row,) = wandb.Api().run(run.id).scan_history()
    assert row["t"]["nrows"] == 2
