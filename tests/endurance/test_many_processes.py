"""Many processes log into one storage directory at once while others read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from quark.persistence.open import open_store
from quark.session.reading import load_context
from quark.settings import Settings
from quark.storage.model import RunQuery

WRITERS, POINTS = 8, 50_000

WRITER = """
import sys
from quark import TrainingSession
name, rows = sys.argv[2], int(sys.argv[3])
with TrainingSession.start_run(project="many", storage_dir=sys.argv[1], tags=[name]) as session:
    for step in range(rows):
        row = {"loss": step * 0.5, "acc": 0.25, "lr": 0.1, "n": step, "t": 1.5}
        assert session.log_row(row, step)
assert session.diagnostics().dropped == {}
"""

READER = """
import sys, pathlib
from quark.persistence.open import open_store
from quark.settings import Settings
store = open_store(Settings.load(storage_dir=sys.argv[1]))
reads, stop = 0, pathlib.Path(sys.argv[2])
while not stop.exists():
    for run in store.records.list_runs():
        series = store.points.series(run.id, "loss")
        assert series.step.tolist() == list(range(len(series))), run.id
        store.points.keys(run.id)
        reads += 1
print(reads)
"""


def python(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        env={**os.environ, "QUARK_QUIET": "1"},  # so that whatever is said is an error
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_eight_writers_and_a_reader_share_a_store(tmp_path: Path) -> None:
    stop = tmp_path / "stop"
    reader = python(READER, str(tmp_path), str(stop))
    writers = [python(WRITER, str(tmp_path), f"w{n}", str(POINTS // 5)) for n in range(WRITERS)]

    outputs = [writer.communicate(timeout=110) for writer in writers]
    stop.touch()
    reads, trouble = reader.communicate(timeout=60)

    for writer, (_, errors) in zip(writers, outputs, strict=True):
        assert (writer.returncode, errors) == (0, "")
    assert trouble == ""
    assert int(reads) > 0
    store = open_store(Settings.load(storage_dir=str(tmp_path)))
    runs = store.records.list_runs(RunQuery(project="many", status="completed"))
    assert len(runs) == WRITERS
    for run in runs:
        stats = store.points.keys(run.id)
        assert sum(key.count for key in stats.values()) == POINTS
        values = store.points.series(run.id, "loss").value.tolist()
        assert values == [step * 0.5 for step in range(POINTS // 5)]
    store.close()
    assert load_context(runs[0].id, Settings.load(storage_dir=str(tmp_path))).status == "completed"
