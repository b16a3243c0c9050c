"""Delivering journals and whole runs: everything once, whatever was there already."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import quark
from quark import ArtifactStore, EventLogger, MetricsLogger, SessionStoreError, TrainingSession
from quark.errors import RunNotFoundError
from quark.pipeline.frames import SegmentMeta
from quark.pipeline.quarantine import set_aside
from quark.pipeline.recovery import read_segment
from quark.records import RECORD_KINDS
from quark.session import RunRequest
from quark.session.past import RunPast
from quark.settings import Settings
from quark.storage.embedded import EmbeddedStore
from quark.storage.layout import store_root
from quark.storage.model import Batch
from quark.storage.protocols import Store
from tests.support.over_service import ServicePlace


def logged_locally(folder: Path, step_count: int = 300) -> TrainingSession:
    """Train a run that is kept in the embedded store of a folder."""
    settings = Settings(storage_dir=str(folder), quiet=True)
    request = RunRequest(project="p", settings=settings, config={"lr": 0.1}, tags=("t",))
    with TrainingSession.open(request) as session:
        with MetricsLogger(session) as metrics, EventLogger(session) as events:
            for step in range(step_count):
                metrics.log("train/loss", 1.0 / (step + 1), step=step, epoch=step // 100)
                session.log_row({"lr": 0.1, "odd": float("nan")}, step)
            events.log("checkpoint", step=7)
        ArtifactStore(session).store("notes", "n", b"payload", payload_format="bytes")
        session.update_config({"more": 1})
    return session


def content(store: Store, run_id: str) -> tuple[object, ...]:
    """Return all that a store has of a run, positions and the run's workspace excepted."""
    keys = sorted(store.points.keys(run_id))
    series = store.points.many_series(run_id, keys)
    points = [
        (
            key,
            [one.writers[index] for index in one.writer.tolist()],
            *(getattr(one, name).tolist() for name in ("seq", "step", "epoch", "time_us")),
            one.value.view(np.int64).tolist(),
        )
        for key, one in series.items()
    ]
    kinds = RECORD_KINDS.keys() - {"run"}
    stored = [row for part in store.records.scan(run_id, kinds) for row in part]
    records = sorted((r[1:-1], bytes(str(r.body), "utf-8")) for r in stored)
    run = store.records.get_run(run_id)
    return points, records, (run.status, run.config, run.tags, run.created_at, run.ended_at)


def test_a_whole_run_is_copied_into_a_service_once_and_brought_up_to_date(
    place: ServicePlace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = logged_locally(tmp_path / "here")
    sync = partial(quark.sync, url=place.url, user_key=place.key)

    first = sync(tmp_path / "here", runs=[session.run_id])
    second = sync(tmp_path / "here", runs="all")

    source, target = EmbeddedStore(store_root(tmp_path / "here")), place.store()
    assert content(target, session.run_id) == content(source, session.run_id)
    assert (first.run_ids, first.payload_count, first.skipped_count) == ((session.run_id,), 1, 0)
    assert first.sent_count > 600
    assert (second.sent_count, second.payload_count) == (0, 0)
    assert second.skipped_count == first.sent_count
    assert "delivered 6" in capsys.readouterr().err

    late = TrainingSession.open(
        RunRequest(
            project="",
            settings=Settings(storage_dir=str(tmp_path / "here"), quiet=True),
            run_id=session.run_id,
            resume="must",
            reopen_completed=True,
        )
    )
    late.log_row({"loss": 0.5}, 1_000)
    late.end_run()
    third = sync(tmp_path / "here", runs="all")
    assert 0 < third.sent_count < 20
    assert content(target, session.run_id) == content(source, session.run_id)
    source.close()
    target.close()


class FailingStore(EmbeddedStore):
    """An embedded store that takes so many batches, and then no more."""

    left = 0

    def append(self, batch: Batch) -> int:
        if not self.left:
            raise SessionStoreError("the network is gone")
        self.left -= 1
        return super().append(batch)


def test_a_copy_that_was_broken_off_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from quark.session import past
    from quark.session.sync_runs import sync_runs

    monkeypatch.setattr(past, "_PART_BYTES", 2_000)
    session = logged_locally(tmp_path / "here")
    source = EmbeddedStore(store_root(tmp_path / "here"))
    target = FailingStore(store_root(tmp_path / "there"))
    batch_count = len(list(RunPast(source, session.run_id, with_run=True).batches("r")))
    assert batch_count > 10
    for _ in range(batch_count):
        target.left = 3
        try:
            sync_runs(source, target, [session.run_id], progress=lambda state: None)
        except SessionStoreError:
            continue
        break

    assert content(target, session.run_id) == content(source, session.run_id)
    source.close()
    target.close()


def test_another_run_of_the_same_id_is_left_alone(place: ServicePlace, tmp_path: Path) -> None:
    sessions = {}
    for name in ("a", "b"):
        settings = Settings(storage_dir=str(tmp_path / name), quiet=True)
        request = RunRequest(project="p", settings=settings, run_id="same")
        with TrainingSession.open(request) as sessions[name]:
            sessions[name].log_row({"loss": 1.0}, 0)
    sync = partial(quark.sync, url=place.url, user_key=place.key)
    sync(tmp_path / "a", runs="all")

    result = sync(tmp_path / "b", runs="all")

    assert result.sent_count == 0
    assert "another run 'same'" in result.waiting[0]


def test_what_cannot_be_meant_is_refused(tmp_path: Path) -> None:
    session = logged_locally(tmp_path, 1)

    with pytest.raises(SessionStoreError, match="does not exist"):
        quark.sync(tmp_path / "nowhere")
    with pytest.raises(SessionStoreError, match=r"are in file:.* already"):
        quark.sync(tmp_path, runs=[session.run_id], url=f"file:{tmp_path}")
    with pytest.raises(RunNotFoundError, match="nothing was delivered"):
        quark.sync(tmp_path, runs=["no-such-run"], url=f"file:{tmp_path / 'other'}")


def offline_run(folder: Path, step_count: int = 100) -> TrainingSession:
    settings = Settings(storage_dir=str(folder), mode="offline", quiet=True)
    with TrainingSession.open(RunRequest(project="p", settings=settings)) as session:
        for step in range(step_count):
            session.log_row({"loss": float(step)}, step)
    return session


def test_copies_of_journals_from_several_machines_are_delivered_once(tmp_path: Path) -> None:
    sessions = [offline_run(tmp_path / f"node{number}") for number in range(3)]
    shutil.copytree(tmp_path / "node0", tmp_path / "copy-of-node0")  # brought along twice
    journal = tmp_path / "node1" / ".quark" / "runs" / sessions[1].run_id / "journal"
    shutil.copytree(journal, tmp_path / "fragments")  # without the folders around it
    team = f"file:{tmp_path / 'team'}"

    result = quark.sync(tmp_path, url=team)
    again = quark.sync(tmp_path, url=team)

    assert set(result.run_ids) == {session.run_id for session in sessions}
    assert (result.waiting, result.damaged_count) == ((), 0)
    assert result.skipped_count == 2 * result.sent_count // 3
    assert again.sent_count == again.skipped_count == 0
    store = EmbeddedStore(store_root(tmp_path / "team"))
    for session in sessions:
        values = store.points.series(session.run_id, "loss").value.tolist()
        assert values == [float(step) for step in range(100)]
        assert store.records.get_run(session.run_id).status == "completed"
    store.close()
    assert not list(tmp_path.rglob("*.qj"))


def test_what_was_refused_by_mistake_is_delivered_on_request(tmp_path: Path) -> None:
    session = offline_run(tmp_path)
    run_dir = tmp_path / ".quark" / "runs" / session.run_id
    (segment,) = (run_dir / "journal").glob("*.qj")
    meta, frames, _ = read_segment(segment)
    assert isinstance(meta, SegmentMeta)
    points = [frame for frame in frames if frame.step == 50]
    assert len(points) == 1
    quark.sync(tmp_path)
    store = EmbeddedStore(store_root(tmp_path))
    before = store.points.series(session.run_id, "loss").value.tolist()
    for seq in (7_000, 6_999):  # what the store had refused, in no order
        set_aside(run_dir, meta, points[0]._replace(seq=seq, step=seq), "by mistake")

    assert quark.sync(tmp_path).sent_count == 0
    result = quark.sync(tmp_path, quarantined=True)

    assert (result.sent_count, result.refused_count) == (2, 0)
    assert not (run_dir / "quarantine").exists()
    series = store.points.series(session.run_id, "loss")
    assert series.value.tolist() == [*before, 50.0, 50.0]
    assert sorted(series.step.tolist()[-2:]) == [6_999, 7_000]
    store.close()
