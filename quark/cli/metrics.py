"""``quark metrics``: the numbers of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from quark.cli.asked_run import with_run
from quark.cli.metric_export import export_metrics
from quark.cli.output import Column, Output, lines_of, list_of, object_of, shown, with_output

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from quark.cli.asked_run import AskedRun
    from quark.storage.model import Series

_LISTED = list_of(
    object_of(
        key="string",
        count="integer",
        nonfinite_count="integer",
        step_min="integer|null",
        step_max="integer|null",
        last_step="integer|null",
        last_epoch="integer|null",
        last_value="number|string",
        last_time="string",
    )
)
_POINT = lines_of(
    object_of(
        key="string",
        step="integer|null",
        epoch="integer|null",
        time="string",
        value="number|string",
    )
)
_NO_STEP = -(2**63)
_EMPTY = "No metrics yet: MetricsLogger.log(), or wandb.log(), fills this."


@click.group("metrics")
def metrics() -> None:
    """The numbers of a run.

    \b
    quark metrics ls rpwnn
    quark metrics tail rpwnn train/loss -f
    quark metrics export rpwnn --key train/loss -o loss.csv
    """


metrics.add_command(export_metrics)


@metrics.command("ls")
@with_run
@click.option("--prefix", default="", help="Only keys that begin so: train/.")
@with_output(_LISTED)
def list_metrics(out: Output, asked: AskedRun, prefix: str) -> None:
    """List the metrics of a run: how many points each has, and its last one.

    \b
    quark metrics ls rpwnn
    quark metrics ls rpwnn --prefix train/ --json
    """
    from quark.cli.run_show import metric_row

    asked.read()
    found = asked.store.points.keys(asked.run_id).values()
    rows = [metric_row(one) for one in found if one.key.startswith(prefix)]
    if out.as_json:
        out.answer(rows)
        return
    columns = [
        Column("KEY", lambda row: row["key"]),
        Column("POINTS", lambda row: row["count"], numeric=True),
        Column("STEPS", _steps, numeric=True, minor=True),
        Column("LAST VALUE", lambda row: row["last_value"], numeric=True),
        Column(
            "AT (UTC)",
            lambda row: row["last_time"][:19].replace("T", " "),
            fit="whole",
            minor=True,
        ),
    ]
    if any(row["nonfinite_count"] for row in rows):
        bad = Column("NOT FINITE", lambda row: row["nonfinite_count"] or None, numeric=True)
        columns.insert(2, bad)
    out.rows(rows, columns, empty=_EMPTY if not found else f"No key begins with {prefix!r}.")


@metrics.command("tail")
@with_run
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option(
    "--lines",
    "-n",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="How many to begin with.",
)
@click.option("--follow", "-f", is_flag=True, help="Go on until the run ends.")
@with_output(_POINT)
def tail_metrics(
    out: Output, asked: AskedRun, keys: tuple[str, ...], lines: int, follow: bool
) -> None:
    """Print the last points of some metrics, or of all, and those that come.

    What was logged at one step stands on one line; with --json each point has a line.

    \b
    quark metrics tail rpwnn train/loss val/loss -f
    quark metrics tail rpwnn -n 1 --json
    """
    from quark.cli.following import NewPoints, rounds
    from quark.errors import SchemaValidationError

    asked.read()
    there = asked.store.points.keys(asked.run_id)
    missing = [key for key in keys if key not in there]
    if missing and there and not follow:
        raise SchemaValidationError(
            f"Run {asked.run_id!r} has no metric {missing[0]!r}; `quark metrics ls "
            f"{asked.run_id}` lists those that it has."
        )
    points = NewPoints(asked.store, asked.run_id)
    points.skip_to_last(lines, keys)
    for number, _ in enumerate(rounds(asked, follow=follow)):
        rows = sorted(_points(points.take(keys)), key=lambda row: (row["time_us"], row["place"]))
        if out.as_json:
            for row in rows:
                out.line(_plain(row))
            continue
        texts = list(_lines(rows))
        for text in texts[-lines:] if number == 0 and lines else texts:
            out.text(text)
    if not there and not follow:
        out.note(_EMPTY)


def _points(found: Mapping[str, Series]) -> Iterator[dict[str, Any]]:
    for key, series in found.items():
        columns = (series.step, series.epoch, series.time_us, series.value)
        for place, (step, epoch, time_us, value) in enumerate(
            zip(*(column.tolist() for column in columns), strict=True)
        ):
            yield {
                "key": key,
                "step": None if step == _NO_STEP else step,
                "epoch": None if epoch == _NO_STEP else epoch,
                "time_us": time_us,
                "value": value,
                "place": place,
            }


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    from quark.clock import format_timestamp

    named = {name: row[name] for name in ("key", "step", "epoch")}
    return {**named, "time": format_timestamp(row["time_us"]), "value": row["value"]}


def _lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Write points on lines, those of one step that came together on one."""
    from quark.clock import format_timestamp

    group: list[dict[str, Any]] = []
    for row in [*rows, None]:
        goes_on = (
            row is not None
            and group
            and row["step"] == group[0]["step"]
            and row["key"] not in {one["key"] for one in group}
        )
        if group and not goes_on:
            head = group[0]
            place = "        " if head["step"] is None else f"step {head['step']:>7}"
            values = "  ".join(f"{shown(one['key'])}={shown(one['value'])}" for one in group)
            yield f"{format_timestamp(head['time_us'])[11:19]}  {place}  {values}"
            group = []
        if row is not None:
            group.append(row)


def _steps(row: Mapping[str, Any]) -> str | None:
    ends = [one for one in (row["step_min"], row["step_max"]) if one is not None]
    return "–".join(map(str, dict.fromkeys(ends))) or None
