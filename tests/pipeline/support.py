"""Pieces that the pipeline's tests share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from quark import jsonio
from quark.pipeline.frames import RECORD, SegmentMeta
from quark.pipeline.journal import Journal, JournalConfig
from quark.pipeline.rows import encode_row
from quark.storage.model import NO_STEP, RecordFilter
from quark.storage.protocols import Store

RUN_BODY = jsonio.dumps(
    {"project_id": "proj_1", "project_name": "demo", "created_at": "2026-01-01T00:00:00.000000Z"}
)


def new_journal(
    folder: Path, *, run_id: str = "run_1", writer_id: str = "w1", **sizes: Any
) -> Journal:
    """A journal in ``folder``/<run>/journal whose writer owns the run."""
    config = JournalConfig(**{"segment_bytes": 65536, **sizes})
    meta = SegmentMeta(run_id=run_id, writer_id=writer_id, project="demo", owner=True)
    return Journal(folder / run_id / "journal", meta, config)


def start_run(journal: Journal) -> int:
    """Journal the record that creates the run."""
    return journal.append(RECORD, b"run\0" + RUN_BODY, essential=True)


def log(journal: Journal, step: int, **values: Any) -> int:
    """Journal one row."""
    return journal.append(*encode_row(values), step)


def points_of(store: Store, key: str = "loss", run_id: str = "run_1") -> list[tuple[int, float]]:
    """Steps and values of a key, in order of arrival."""
    series = store.points.series(run_id, key)
    return list(zip(series.step.tolist(), series.value.tolist(), strict=True))


__all__ = ["NO_STEP", "RecordFilter", "log", "new_journal", "points_of", "start_run"]
