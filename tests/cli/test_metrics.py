"""``quark metrics``: every number comes out as it went in, in every format."""

from __future__ import annotations

import csv
import io
import json
import math
import subprocess
from pathlib import Path
from typing import Any

import pytest

from quark import TrainingSession
from quark.cli.following import NewPoints
from quark.cli.target import opened
from quark.settings import Settings
from tests.support.cli import COMMAND, json_of, run_cli
from tests.support.cli_inside import called
from tests.support.cli_runs import kept, trained, uneven
from tests.support.over_service import place, running

__all__ = ["kept", "place", "running"]


def stored(run_id: str) -> dict[str, list[tuple[int, float]]]:
    """Every point of a run, asked of the store itself."""
    with opened(Settings.load()) as store:
        keys = store.points.keys(run_id)
        found = {key: store.points.series(run_id, key) for key in keys}
    return {
        key: list(zip(one.step.tolist(), one.value.tolist(), strict=True))
        for key, one in found.items()
    }


def same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


def number(text: Any) -> float:
    """Read a number as JSON and CSV of Quark have it."""
    return float(str(text).replace("Infinity", "inf"))


def test_metrics_are_listed_and_their_last_points_shown(kept: str) -> None:
    run_id = trained()

    (row,) = json_of(called("metrics", "ls", run_id, "--json"))
    assert (row["key"], row["count"], row["step_min"], row["step_max"]) == ("train/loss", 20, 0, 19)
    assert row["last_value"] == 0.5 / 20
    assert "0–19" in called("metrics", "ls", run_id).ok().out
    assert "No key begins" in called("metrics", "ls", run_id, "--prefix", "val/").ok().err

    points = json_of(called("metrics", "tail", run_id, "-n", 3, "--json"))
    assert [(one["step"], one["value"]) for one in points] == [
        (17, 0.5 / 18),
        (18, 0.5 / 19),
        (19, 0.5 / 20),
    ]
    assert "step      19  train/loss=0.025" in called("metrics", "tail", run_id).ok().out
    missing = called("metrics", "tail", run_id, "loss")
    assert (missing.code, "metrics ls" in missing.err) == (1, True)
    bare = called("run", "start").ok().out.strip()
    for words in (("ls", bare), ("tail", bare), ("export", bare)):
        assert "no metrics yet" in called("metrics", *words).ok().err.lower()


def test_an_export_holds_every_point_bit_for_bit(kept: str, tmp_path: Path) -> None:
    run_id = uneven()
    expected = stored(run_id)
    assert sum(map(len, expected.values())) == 12

    for form in ("csv", "json", "jsonl"):
        done = called("metrics", "export", run_id, "--long", "--format", form).ok()
        rows: list[dict[str, Any]]
        if form == "csv":
            rows = list(csv.DictReader(io.StringIO(done.out)))
        elif form == "json":
            rows = json.loads(done.out)
        else:
            rows = [json.loads(line) for line in done.out.splitlines()]
        found: dict[str, list[tuple[int, float]]] = {}
        for row in rows:
            step = -(2**63) if row["step"] in (None, "") else int(row["step"])
            found.setdefault(row["key"], []).append((step, number(row["value"])))
        assert found.keys() == expected.keys()
        for key, points in expected.items():
            for (step, value), (its_step, its_value) in zip(points, found[key], strict=True):
                assert (step, same(value, its_value)) == (its_step, True), (form, key)


def test_a_wide_export_has_a_row_for_each_step_and_says_what_it_leaves_out(kept: str) -> None:
    run_id = uneven()

    done = called("metrics", "export", run_id).ok()
    rows = list(csv.DictReader(io.StringIO(done.out)))

    assert "2 points share their step" in done.err
    assert list(rows[0]) == ["_step", "loss", "step", "gain"]  # a metric has the name
    assert [row["_step"] for row in rows] == ["0", "1", "2", "3", "", ""]
    assert [row["loss"] for row in rows[:4]] == [*map(repr, (1 / 3, 4 / 3, 1 / 3 + 2)), "NaN"]
    assert [row["gain"] for row in rows] == ["", "", "", "Infinity", "-Infinity", "5e-324"]
    plain = json_of(called("metrics", "export", run_id, "-k", "gain", "--json"))
    assert plain[0] == {"step": 3, "gain": "Infinity"}


def test_parquet_and_files(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    run_id = uneven()
    expected = stored(run_id)

    for name, words in (("wide.parquet", ()), ("long.pq", ("--long",)), ("run.jsonl", ())):
        said = called("metrics", "export", run_id, "-o", name, *words).ok()
        assert "Wrote 12 points of 3 metrics" in said.err
        assert said.out == ""
    wide = parquet.read_table("wide.parquet").to_pydict()
    assert wide["_step"] == [0, 1, 2, 3, None, None]
    assert wide["gain"] == [None, None, None, math.inf, -math.inf, 5e-324]
    assert math.isnan(wide["loss"][3])
    long = parquet.read_table("long.pq").to_pydict()
    of_loss = [
        (step, value)
        for key, step, value in zip(long["key"], long["step"], long["value"], strict=True)
        if key == "loss"
    ]
    assert of_loss[:4] == expected["loss"][:4]
    assert len(Path("run.jsonl").read_text().splitlines()) == 6
    refused = called("metrics", "export", run_id, "-o", "no/such/place.csv")
    assert (refused.code, "cannot be written" in refused.err) == (1, True)
    assert called("metrics", "export", run_id, "-k", "none").code == 1


def test_what_is_followed_is_complete_and_ends_with_the_run(kept: str) -> None:
    session = TrainingSession.start_run(project="live")
    session.log_row({"loss": 0.0, "other": 0.0}, 0)
    session.flush()
    words = ("metrics", "tail", session.run_id, "loss", "-f", "--json")
    follower = subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, text=True)
    assert follower.stdout is not None
    first = json.loads(follower.stdout.readline())

    for step in range(1, 500):
        session.log_row({"loss": float(step), "other": 1.0}, step)
        if step % 50 == 0:
            session.flush()
    session.end_run()
    rest = follower.stdout.read()
    follower.stdout.close()

    values = [first["value"], *(json.loads(line)["value"] for line in rest.splitlines())]
    assert values == [float(step) for step in range(500)]
    assert follower.wait(60) == 0


def test_points_that_come_while_it_looks_are_neither_lost_nor_told_twice() -> None:
    session = TrainingSession.start_run(project="live")
    told: list[float] = []
    with session, opened(Settings.load()) as store:
        session.flush()
        points = NewPoints(store, session.run_id)
        counted = store.points.keys
        step = 0

        def more() -> None:
            nonlocal step
            session.log_row({"loss": float(step)}, step)
            session.flush()
            step += 1

        def racing(run_id: str) -> Any:
            found = counted(run_id)
            more()  # somebody is always faster
            return found

        more()
        store.points.keys = racing  # type: ignore[method-assign]
        for _ in range(6):
            told += [value for one in points.take().values() for value in one.value.tolist()]
        assert len(told) > 10
        store.points.keys = counted  # type: ignore[method-assign]
        told += [value for one in points.take().values() for value in one.value.tolist()]

    assert told == [float(one) for one in range(step)]


def test_a_closed_pipe_ends_it_quietly() -> None:
    run_id = trained()
    command = " ".join([COMMAND[0], "-c", repr(COMMAND[2]).replace("'", '"')])

    done = subprocess.run(
        ["bash", "-c", f"{command} metrics export {run_id} --long | head -n 1"],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.stdout == "key,step,epoch,time,value\n"
    assert "Traceback" not in done.stderr
    assert run_cli("metrics", "ls", run_id).ok().out.count("train/loss") == 1
