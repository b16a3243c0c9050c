"""Tables: what they take and refuse, what they say, and what is written of them."""

from __future__ import annotations

import datetime
import decimal
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from tests.compat.wandb.data_types.table_files import artifact_text, run_files

NAN = math.nan
MOMENT = datetime.datetime(2024, 2, 29, 23, 59, 58, 765432)
WITH_ZONE = datetime.datetime(2024, 2, 29, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))


def keyed(wandb: Any) -> Any:
    table = wandb.Table(columns=["k", "v"], data=[["a", 1], ["b", 2]])
    table.set_pk("k")
    return table


def widened(wandb: Any) -> Any:
    table = wandb.Table(columns=["k"], data=[["a"], ["b"]])
    table.add_column("x", [1.0, 1e-7])
    table.add_column("y", np.array([1, 2]), optional=True)
    table.add_column("z", [None, "text"], optional=True)
    table.add_computed_columns(lambda index, row: {"twice": row["x"] * 2, "index": int(index)})
    return table


def from_nothing(wandb: Any) -> Any:
    table = wandb.Table(columns=[])
    table.add_column("first", [3, 4])
    table.add_data(5)
    return table


def cast(wandb: Any) -> Any:
    table = wandb.Table(columns=["a"], data=[[1], [2]])
    table.cast("a", {1, 2, 3})
    return table


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "i": [1, 2],
            "f": [0.5, 1e16],
            "missing": [NAN, 1.0],
            "s": ["a", "b"],
            "t": pd.to_datetime(["2020-01-01", "2021-02-03"]),
            "b": [True, False],
        }
    )


#: Tables that both packages make.
MADE: dict[str, Callable[[Any], Any]] = {
    "default columns": lambda wandb: wandb.Table(),
    "scalars": lambda wandb: wandb.Table(
        columns=["a", "b", "c"],
        data=[[1, "x", True], [2.5, "y", False], [None, None, None], [NAN, "z", True]],
    ),
    "rows": lambda wandb: wandb.Table(rows=[[1, 2, 3]]),
    "extremes": lambda wandb: wandb.Table(
        columns=["n"], data=[[2**63], [-1e-300], [math.inf], [0.1 + 0.2], [1e22], [-0.0]]
    ),
    "texts": lambda wandb: wandb.Table(columns=["é\n"], data=[['ü"\\'], ["\U0001f600\x00"]]),
    "array": lambda wandb: wandb.Table(columns=["a", "b"], data=np.arange(6).reshape(3, 2) / 7),
    "array of texts": lambda wandb: wandb.Table(columns=["a"], data=np.array([["x"], ["y"]])),
    "frame": lambda wandb: wandb.Table(dataframe=frame()),
    "frame as data": lambda wandb: wandb.Table(data=frame()[["i", "s"]]),
    "moments": lambda wandb: wandb.Table(
        columns=["t", "z", "d", "n"],
        data=[[MOMENT, WITH_ZONE, MOMENT.date(), np.datetime64("2020-02-01T00:00:01")]],
    ),
    "lists": lambda wandb: wandb.Table(
        columns=["l", "d"], data=[[[1, 2, 3], {"a": 1, "b": [1.5]}], [[1, 2], {"a": 2, "b": [1]}]]
    ),
    "sets and tuples": lambda wandb: wandb.Table(columns=["s", "t"], data=[[{1}, (1, 2)]] * 2),
    "nested missing": lambda wandb: wandb.Table(columns=["l"], data=[[[1, None, NAN]]]),
    "embeddings": lambda wandb: wandb.Table(columns=["e"], data=[[np.ones(3)], [np.zeros(3)]]),
    "mixed": lambda wandb: wandb.Table(
        columns=["a"], data=[[1], ["x"], [None], [[1]], [NAN]], allow_mixed_types=True
    ),
    "declared": lambda wandb: wandb.Table(
        columns=["a", "b"], data=[[1, "x"]], dtype=[int, str], optional=[True, False]
    ),
    "a declared union": lambda wandb: wandb.Table(
        columns=["a"], data=[[1], ["x"], [[1, 2]]], dtype=[[int, str, [int]]]
    ),
    "a constant": lambda wandb: wandb.Table(columns=["a"], data=[[1], [1]], dtype=1),
    "numpy's classes": lambda wandb: wandb.Table(
        columns=["a", "b", "c"], data=[[1, True, 2]], dtype=[np.float32, np.bool_, np.int64]
    ),
    "numpy's scalars": lambda wandb: wandb.Table(
        columns=["a", "b", "c"], data=[[np.float32(0.1), np.bool_(True), np.float64(NAN)]]
    ),
    "numbers as columns": lambda wandb: wandb.Table(columns=[1, 2], data=[[1, 2]]),
    "a decimal": lambda wandb: wandb.Table(columns=["a"], data=[[decimal.Decimal("0.5")]]),
    "artifacts": lambda wandb: wandb.Table(columns=["a"], data=[["wandb-artifact://abc/x.png"]]),
    "keys": keyed,
    "added columns": widened,
    "from nothing": from_nothing,
    "mutable": lambda wandb: wandb.Table(columns=["a"], data=[[1]], log_mode="MUTABLE"),
    "incremental": lambda wandb: wandb.Table(columns=["a"], data=[[1]], log_mode="INCREMENTAL"),
}


def digest(wandb: Any, table: Any) -> str:
    artifact = wandb.Artifact("tables", "test")
    artifact.add(table, "t")
    return str(artifact.digest)


def behaviour_made(wandb: Any, see: Any) -> None:
    for name, make in MADE.items():
        table = make(wandb)
        see(f"columns of {name}", lambda table=table: table.columns)
        see(f"types of {name}", lambda table=table: str(table._column_types))
        see(f"equal {name}", lambda table=table, make=make: bool(table == make(wandb)))
        see(f"digest of {name}", lambda table=table: digest(wandb, table))
        see(f"artifact of {name}", lambda table=table: artifact_text(wandb, table))


def boxed(wandb: Any) -> Any:
    box = {
        "position": {"minX": 0.1, "maxX": 0.2, "minY": 0.3, "maxY": 0.4},
        "class_id": 1,
        "scores": {"sure": 0.5},
    }
    layer = {"box_data": [box], "class_labels": {0: "car", 1: "truck"}}
    mask = {"mask_data": np.ones((4, 4), np.uint8), "class_labels": {1: "sky"}}
    return wandb.Image(
        np.zeros((4, 4, 3), np.uint8),
        boxes={"predicted": layer},
        masks={"true": mask},
        classes=[{"id": 5, "name": "five"}],
    )


def sorted_inside(value: Any) -> Any:
    """Return a written type with its sets, which are in no order, in one."""
    if isinstance(value, dict):
        return {str(key): sorted_inside(item) for key, item in value.items()}
    if isinstance(value, (list, set)):
        return sorted((sorted_inside(item) for item in value), key=str)
    return value


def behaviour_media(wandb: Any, see: Any) -> None:
    pixels = np.zeros((4, 4, 3), np.uint8)
    for name, rows in {
        "image": [[wandb.Image(pixels)]],
        "image with boxes": [[boxed(wandb)]],
        "images": [[wandb.Image(pixels)], [boxed(wandb)], [None]],
        "html": [[wandb.Html("<b>x</b>")]],
        "audio": [[wandb.Audio(np.zeros(10), sample_rate=10)]],
        "histogram": [[wandb.Histogram([1, 2])]],
        "classes": [[wandb.Classes([{"id": 1, "name": "a"}])]],
        "table": [[wandb.Table(columns=["a"], data=[[1]])]],
        "two kinds": [[wandb.Image(pixels)], [wandb.Html("x")]],
    }.items():
        see(
            f"types of {name}",
            lambda rows=rows: sorted_inside(
                wandb.Table(columns=["a"], data=rows)._column_types.to_json()
            ),
        )
    for kind in ("Image", "Html", "Audio", "Video", "Object3D", "Molecule", "Histogram"):
        see(
            f"declared {kind}",
            lambda kind=kind: str(
                wandb.Table(columns=["a"], dtype=getattr(wandb, kind))._column_types
            ),
        )


def behaviour_refused(wandb: Any, see: Any) -> None:
    table = wandb.Table(columns=["a", "b"], data=[[1, "x"]])
    strict = wandb.Table(columns=["a"], data=[[1]], optional=False)
    other = wandb.Table(columns=["l"], data=[[[1, 2]]])
    see("too few", lambda: table.add_data(1))
    see("too many", lambda: table.add_data(1, 2, 3))
    for name, row in {
        "text for number": ("y", "x"),
        "number for text": (1, 2),
        "boolean for number": (True, "x"),
        "list for number": ([1], "x"),
        "dict for text": (1, {}),
        "object for text": (1, object()),
        "numpy": (np.float32(1), "x"),
        "none": (None, None),
        "nan": (NAN, "x"),
        "array": (np.ones(2), "x"),
    }.items():
        see(f"add {name}", lambda row=row: table.add_data(*row))
    see("none where there must be one", lambda: strict.add_data(None))
    see("nan where there must be one", lambda: strict.add_data(NAN))
    see("texts in list of numbers", lambda: other.add_data(["x"]))
    see("list with other length", lambda: other.add_data([1, 2, 3]))
    see("dict with other keys", lambda: wandb.Table(columns=["d"], data=[[{"a": 1}], [{"b": 1}]]))
    see("rows left", lambda: len(table.data))
    see("columns a tuple", lambda: bool(wandb.Table(columns=("a",))))
    see("a column a float", lambda: bool(wandb.Table(columns=[1.5])))
    see("data a tuple", lambda: bool(wandb.Table(columns=["a"], data=((1,),))))
    see("data a text", lambda: bool(wandb.Table(columns=["a"], data="x")))
    see("log_mode", lambda: bool(wandb.Table(log_mode="SOMETIMES")))
    see("mixed in data", lambda: bool(wandb.Table(columns=["a"], data=[[1], ["x"]])))
    see("wrong dtype", lambda: bool(wandb.Table(columns=["a"], data=[["x"]], dtype=int)))
    see("wrong constant", lambda: bool(wandb.Table(columns=["a"], data=[[2]], dtype=1)))
    see("cast", lambda: table.cast("b", int))
    see("cast to a union", lambda: str(table.cast("b", [str, int])))
    see("primary key of numbers", lambda: table.set_pk("a"))
    see("add a known column", lambda: table.add_column("a", [1]))
    see("add a short column", lambda: table.add_column("c", []))
    see("add a mixed column", lambda: table.add_column("c", [1, "x"]))
    see(
        "add a column of none",
        lambda: wandb.Table(columns=["a"], data=[[1]]).add_column("b", [None]),
    )
    see("computed no dict", lambda: table.add_computed_columns(lambda index, row: 1))
    see("get a missing column", lambda: table.get_column("z"))
    see("convert to a list", lambda: table.get_column("a", convert_to="list"))
    see("index of no row", lambda: table.index_ref(99))
    incremental = wandb.Table(columns=["a"], log_mode="INCREMENTAL")
    see("incremental add_column", lambda: incremental.add_column("b", []))
    see("incremental computed", lambda: incremental.add_computed_columns(dict))


def behaviour_read(wandb: Any, see: Any) -> None:
    table = wandb.Table(columns=["a", "b"], data=[[1, "x"], [2, "y"]])
    see("column", lambda: table.get_column("a"))
    see("as array", lambda: table.get_column("a", convert_to="numpy").tolist())
    see("frame", lambda: table.get_dataframe().to_dict())
    see("rows", lambda: [[int(index), *row] for index, row in table.iterrows()])
    see("index", lambda: [int(index) for index in table.get_index()])
    see("row of an index", lambda: table.index_ref(1).get_row())
    see("max rows", lambda: [table.MAX_ROWS, wandb.Table.MAX_ARTIFACT_ROWS])
    see("log mode", lambda: table.log_mode)
    see("logged", lambda: table.has_been_logged())
    see("not equal", lambda: table == wandb.Table(columns=["a", "b"], data=[[1, "x"]]))
    see("not equal to others", lambda: [table == 1, table != 1, table == None])  # noqa: E711
    table.add_row(3, "z")
    see("old name", lambda: table.data)
    linked = wandb.Table(columns=["row", "n"])
    for index, _ in table.iterrows():
        linked.add_data(index, 1.5)
    see("types of indices", lambda: [type(row[0]).__mro__[1].__name__ for row in linked.data])
    see("row through an index", lambda: linked.data[1][0].get_row())
    keys = keyed(wandb)
    foreign = wandb.Table(columns=["f"], data=[["a"]])
    foreign.set_fk("f", keys, "k")
    see("foreign key", lambda: foreign.data)
    see("a second primary key", lambda: keys.set_pk("v"))
    see("a table of keys", lambda: wandb.Table(columns=["x"], data=[[keys.data[0][0]]]).data)


def behaviour_joined(wandb: Any, see: Any) -> None:
    table = wandb.Table(columns=["a"], data=[[1]])
    see("a text", lambda: bool(wandb.JoinedTable("a.table.json", "b.table.json", "k")))
    see("two keys", lambda: bool(wandb.JoinedTable(table, table, ["a", "a"])))
    see("no path", lambda: bool(wandb.JoinedTable("a.json", "b.table.json", "k")))
    see("no table", lambda: bool(wandb.JoinedTable(1, table, "k")))
    see("second", lambda: bool(wandb.JoinedTable(table, None, "k")))
    see("three keys", lambda: bool(wandb.JoinedTable(table, table, ["a", "b", "c"])))
    see("a tuple", lambda: bool(wandb.JoinedTable(table, table, ("a", "b"))))
    see("no key", lambda: bool(wandb.JoinedTable(table, table, None)))


def behaviour_logged(wandb: Any, see: Any) -> None:
    run = wandb.init(project="p")
    names = ("scalars", "array", "frame", "lists", "embeddings", "mixed", "texts", "added columns")
    run.log({f"t/{name}": MADE[name](wandb) for name in names})
    run.log({"bare frame": frame()[["i", "s", "missing"]]})
    run.log({"nested": {"t": wandb.Table(columns=["a"], data=[[1]])}})
    run.log({"several": [wandb.Table(columns=["a"], data=[[1]])] * 2})
    changing = wandb.Table(columns=["a"], data=[[1]], log_mode="MUTABLE")
    run.log({"changing": changing})
    changing.add_data(2)
    run.log({"changing": changing})
    see("logged", changing.has_been_logged)
    growing = wandb.Table(columns=["a"], log_mode="INCREMENTAL")
    for number in range(3):
        growing.add_data(number)
        run.log({"growing": growing})
    fixed = wandb.Table(columns=["a"], data=[[1]])
    run.log({"fixed": fixed})
    fixed.add_data(2)
    run.log({"fixed": fixed})
    large = wandb.Table(columns=["a"], data=[[number] for number in range(10_001)])
    run.log({"large": large})
    run.log({"end": 1})
    if wandb.__name__ != "wandb":
        run._settle()
    for key in ("t/scalars", "bare frame", "several", "changing", "growing", "large"):
        see(f"value of {key}", lambda key=key: what_is_said(run.summary[key]))
    see("value of nested", lambda: what_is_said(run.summary["nested"]["t"]))
    files = dict(run_files(run))
    see("rows of large", lambda: len(files.pop("large_11")["data"]))
    for name in sorted({*files, "fixed_10"}):
        see(f"file {name}", lambda name=name: files[name])


def what_is_said(value: Any) -> Any:
    """Return what a value says of a table, without digests and links to artifacts."""
    if isinstance(value, (list, tuple)):
        return [what_is_said(item) for item in value]
    fields = {key: value[key] for key in value.keys()}  # noqa: SIM118 - wandb's own dict
    kept = ("_type", "ncols", "nrows", "log_mode", "increment_num")
    said = {key: fields[key] for key in kept if key in fields}
    said["path"] = fields["path"].rpartition("_")[0]
    return {**said, "earlier": len(fields.get("previous_increments_paths", ()))}


def behaviour_row_limit(wandb: Any, see: Any) -> None:
    settings = wandb.Settings(table_raise_on_max_row_limit_exceeded=True)
    run = wandb.init(project="p", settings=settings)
    limit, wandb.Table.MAX_ARTIFACT_ROWS = wandb.Table.MAX_ARTIFACT_ROWS, 2
    try:
        see("two rows", lambda: run.log({"t": wandb.Table(columns=["a"], data=[[1]] * 2)}))
        see("three rows", lambda: run.log({"t": wandb.Table(columns=["a"], data=[[1]] * 3)}))
    finally:
        wandb.Table.MAX_ARTIFACT_ROWS = limit
