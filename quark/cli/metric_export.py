"""``quark metrics export``: the points of a run as a table for other programs.

A *long* table has a row for each point, and is all that there is, bit for bit. A *wide* one has a
row for each step and a column for each key; of several points of a key at one step it has the last.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from quark.cli.asked_run import with_run
from quark.cli.output import Output, list_of, with_output

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from quark.cli.asked_run import AskedRun
    from quark.storage.model import Series

_SCHEMA = list_of({"type": "object", "$comment": "a row by step, or with --long by point"})
_FORMATS = ("csv", "json", "jsonl", "parquet")
_SUFFIXES = {".csv": "csv", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_NO_STEP = -(2**63)
_LONG = ("key", "step", "epoch", "time", "value")

#: A row of a table: values by the names of its columns, without those that it has not.
Rows = Iterator[dict[str, Any]]


@click.command("export")
@with_run
@click.option("--key", "-k", "keys", multiple=True, help="Only these; several times.")
@click.option("--format", "form", type=click.Choice(_FORMATS), help="By -o's suffix, else csv.")
@click.option("--long", "is_long", is_flag=True, help="A row for each point: exact.")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    default="-",
    help="A file, or - for stdout.  [default: -]",
)
@with_output(_SCHEMA)
def export_metrics(
    out: Output,
    asked: AskedRun,
    keys: tuple[str, ...],
    form: str | None,
    is_long: bool,
    output: Path,
) -> None:
    """Write the points of a run as CSV, JSON, JSON lines or Parquet.

    A row for each step with a column for each metric, or with --long a row for each point: key,
    step, epoch, time, value. Numbers are exact; what is not finite is NaN, Infinity, -Infinity.

    \b
    quark metrics export rpwnn > run.csv
    quark metrics export rpwnn --key train/loss --key val/loss -o loss.parquet
    quark metrics export rpwnn --long --format jsonl | gzip > points.jsonl.gz
    """
    from quark.cli.logs import written
    from quark.errors import SchemaValidationError

    chosen = "json" if out.as_json else form or _form_of(output)
    if chosen == "parquet" and str(output) == "-" and sys.stdout.isatty():
        raise click.UsageError("Parquet is no text for a terminal; name a file with -o.")
    asked.read()
    there = asked.store.points.keys(asked.run_id)
    missing = [key for key in keys if key not in there]
    if missing:
        raise SchemaValidationError(
            f"Run {asked.run_id!r} has no metric {missing[0]!r}; `quark metrics ls "
            f"{asked.run_id}` lists those that it has."
        )
    wanted = tuple(dict.fromkeys(keys)) or tuple(there)
    found = asked.store.points.many_series(asked.run_id, wanted) if wanted else {}
    series = [found[key] for key in wanted]
    if chosen == "parquet":
        write = _parquet(series, is_long)
    else:
        table = _Wide(series)
        names = _LONG if is_long else (table.step_name, *wanted)
        rows = _long_rows(series) if is_long else table.rows()
        write = _writers()[chosen](names, rows)
        if not is_long and table.hidden_count:
            out.note(
                f"{table.hidden_count} points share their step with a later one of the same key, "
                "and are left out. --long writes all."
            )
    with written(output) as file:
        write(file)
    if not wanted:
        out.note("The run has no metrics yet.")
    elif str(output) != "-":
        count = sum(len(one) for one in series)
        out.note(f"Wrote {count} points of {len(wanted)} metrics to {output}.")


def _form_of(path: Path) -> str:
    if path.suffix in (".parquet", ".pq"):
        return "parquet"
    return _SUFFIXES.get(path.suffix, "csv")


class _Wide:
    """Series side by side: a row for each step, then one for each moment without a step."""

    def __init__(self, series: Sequence[Series]) -> None:
        import numpy as np

        self._keys = [one.key for one in series]
        places = [_places(one) for one in series]
        everything = [place for one in places for place in one]
        self._index = np.unique(np.array(everything, dtype=np.int64).reshape(-1, 2), axis=0)
        self._columns: list[tuple[NDArray[np.float64], NDArray[np.bool_]]] = []
        self.hidden_count = 0
        order = {place: row for row, place in enumerate(map(tuple, self._index.tolist()))}
        for one, own in zip(series, places, strict=True):
            values = np.zeros(len(order))
            is_there = np.zeros(len(order), dtype=bool)
            rows = np.array([order[place] for place in own], dtype=np.int64)
            values[rows] = one.value  # of equal places the last one stays
            is_there[rows] = True
            self.hidden_count += len(rows) - int(is_there.sum())
            self._columns.append((values, is_there))

    @property
    def steps(self) -> list[int | None]:
        """The step of each row."""
        return [None if without else step for without, step in self._index.tolist()]

    @property
    def step_name(self) -> str:
        """What the column of steps is called, as no metric is."""
        return "_step" if "step" in self._keys else "step"

    @property
    def columns(self) -> dict[str, tuple[NDArray[np.float64], NDArray[np.bool_]]]:
        """Of each key its values, and where there are any."""
        return dict(zip(self._keys, self._columns, strict=True))

    def rows(self) -> Rows:
        """Yield the rows."""
        lists = [(key, values.tolist(), there) for key, (values, there) in self.columns.items()]
        for row, step in enumerate(self.steps):
            found: dict[str, Any] = {self.step_name: step}
            found.update((key, values[row]) for key, values, there in lists if there[row])
            yield found


def _places(series: Series) -> list[tuple[int, int]]:
    """Return where each point belongs: a step, or a moment behind all steps."""
    return [
        (1, moment) if step == _NO_STEP else (0, step)
        for step, moment in zip(series.step.tolist(), series.time_us.tolist(), strict=True)
    ]


def _long_rows(series: Sequence[Series]) -> Rows:
    from quark.clock import format_timestamp

    for one in series:
        columns = (one.step.tolist(), one.epoch.tolist(), one.time_us.tolist(), one.value.tolist())
        for step, epoch, time_us, value in zip(*columns, strict=True):
            yield {
                "key": one.key,
                "step": None if step == _NO_STEP else step,
                "epoch": None if epoch == _NO_STEP else epoch,
                "time": format_timestamp(time_us),
                "value": value,
            }


# -- formats ---------------------------------------------------------------------------------------

Write = Callable[[BinaryIO], None]


def _writers() -> dict[str, Callable[[Sequence[str], Rows], Write]]:
    return {"csv": _csv, "json": _json, "jsonl": _jsonl}


def _csv(names: Sequence[str], rows: Rows) -> Write:
    def write(file: BinaryIO) -> None:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=False)
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(names)
        for row in rows:
            writer.writerow([_cell(row.get(name)) for name in names])
        text.flush()
        text.detach()

    return write


def _cell(value: Any) -> Any:
    from quark import jsonio

    if isinstance(value, float):
        exact = jsonio.float_to_json(value)
        return exact if isinstance(exact, str) else repr(exact)
    return "" if value is None else value


def _json(names: Sequence[str], rows: Rows) -> Write:
    from quark import jsonio

    def write(file: BinaryIO) -> None:
        between = b"[\n"
        for row in rows:
            file.write(between + jsonio.dumps(row))
            between = b",\n"
        file.write(b"[]\n" if between == b"[\n" else b"\n]\n")

    return write


def _jsonl(names: Sequence[str], rows: Rows) -> Write:
    from quark import jsonio

    def write(file: BinaryIO) -> None:
        for row in rows:
            file.write(jsonio.dumps(row) + b"\n")

    return write


def _parquet(series: Sequence[Series], is_long: bool) -> Write:
    from quark._optional import require

    arrow = require("pyarrow", purpose="Parquet")
    parquet = require("pyarrow.parquet", purpose="Parquet")
    table = _long_table(arrow, series) if is_long else _wide_table(arrow, series)

    def write(file: BinaryIO) -> None:
        parquet.write_table(table, file)

    return write


def _wide_table(arrow: Any, series: Sequence[Series]) -> Any:
    wide = _Wide(series)
    columns = {wide.step_name: arrow.array(wide.steps, type=arrow.int64())}
    for key, (values, there) in wide.columns.items():
        columns[key] = arrow.array(values, mask=~there, type=arrow.float64())
    return arrow.table(columns)


def _long_table(arrow: Any, series: Sequence[Series]) -> Any:
    parts = [
        arrow.table(
            {
                "key": arrow.array([one.key] * len(one), type=arrow.string()),
                "step": arrow.array(one.step, mask=one.step == _NO_STEP),
                "epoch": arrow.array(one.epoch, mask=one.epoch == _NO_STEP),
                "time": arrow.array(one.time_us, type=arrow.int64()).cast(
                    arrow.timestamp("us", tz="UTC")
                ),
                "value": arrow.array(one.value, type=arrow.float64()),
            }
        )
        for one in series
    ]
    return arrow.concat_tables(parts) if parts else arrow.table({name: [] for name in _LONG})
