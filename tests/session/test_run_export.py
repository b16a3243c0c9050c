"""Runs go into an export and out of it: whole, once, or not at all."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from quark import ArtifactStore, EventLogger, MetricsLogger, TrainingSession
from quark.errors import DamagedFileError, RunNotFoundError, SessionStoreError
from quark.records import RECORD_KINDS, ArtifactRecord
from quark.session import RunRequest, run_difference, sync_files
from quark.session.export_manifest import CHECKSUM_NAME, FILE_NAME, is_name, read_manifest
from quark.session.past import RunPast
from quark.session.run_export import export_archive, export_runs, export_stream
from quark.session.run_import import import_runs, import_stream
from quark.settings import Settings
from quark.storage.embedded import EmbeddedStore
from quark.storage.layout import store_root
from quark.storage.model import Batch, EncodedRecord
from quark.storage.protocols import Store

RUN = "run-one"
ODD_VALUES = [0.1, -0.0, 5e-324, 1.7976931348623157e308, float("nan"), float("inf")]


def session_in(folder: Path, run_id: str = RUN, *, again: bool = False) -> TrainingSession:
    settings = Settings(storage_dir=str(folder), quiet=True, report=False, live_rules=False)
    request = RunRequest(project="p", settings=settings, run_id=run_id, config={"lr": 0.1})
    if again:
        request = replace(request, resume="must", reopen_completed=True)
    return TrainingSession.open(request)


def train(folder: Path, run_id: str = RUN, *, first: float = 1.0) -> None:
    """Log a run with records of many kinds, payloads, and files in its folder."""
    with session_in(folder, run_id) as session:
        with MetricsLogger(session) as metrics, EventLogger(session) as events:
            for step in range(200):
                metrics.log("train/loss", first / (step + 1), step=step, epoch=step // 100)
                session.log_row({"odd": ODD_VALUES[step % 6], "note": f"<b>{step}"}, step)
            events.log("checkpoint", step=7)
        ArtifactStore(session).store("notes", "n", b"payload", payload_format="bytes")
        session.update_config({"more": 1})
    files = store_root(folder) / "runs" / run_id / "files"
    for name, text in (("a.txt", "a"), ("deep/er/b.db", "no database"), ("c.txt", "c" * 5_000)):
        (files / name).parent.mkdir(parents=True, exist_ok=True)
        (files / name).write_text(text)
        os.utime(files / name, ns=(1_600_000_000_123_456_789,) * 2)


def content(store: Store, run_id: str = RUN) -> tuple[object, ...]:
    """Return all that a store has of a run, but where it is: numbers by their bits."""
    keys = sorted(store.points.keys(run_id))
    points = [
        (
            key,
            [one.writers[index] for index in one.writer.tolist()],
            *(getattr(one, name).tolist() for name in ("seq", "step", "epoch", "time_us")),
            one.value.view(np.int64).tolist(),
        )
        for key, one in store.points.many_series(run_id, keys).items()
    ]
    stored = [r for part in store.records.scan(run_id, RECORD_KINDS.keys() - {"run"}) for r in part]
    records = sorted((r[1:-1], str(r.body)) for r in stored)
    payloads = {}
    for record in store.records.read(ArtifactRecord, run_id):
        with store.blobs.open(record.sha256) as stream:
            payloads[record.sha256] = stream.read()
    run = store.records.get_run(run_id)
    return points, records, payloads, (run.status, run.config, run.tags, run.created_at)


def files_of(folder: Path, run_id: str = RUN) -> dict[str, tuple[bytes, int]]:
    place = store_root(folder) / "runs" / run_id / "files"
    return {
        path.relative_to(place).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(place.rglob("*"))
        if path.is_file()
    }


def everything_below(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Return what any write below a folder would change."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        found[str(path)] = (status.st_ino, status.st_size, status.st_mtime_ns)
    return found


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    train(folder)
    train(folder, "run-two", first=2.0)
    return folder


@pytest.fixture
def source(trained: Path) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore(store_root(trained))
    yield store
    store.close()


@pytest.fixture
def target(tmp_path: Path) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore(store_root(tmp_path / "target"))
    yield store
    store.close()


def test_runs_go_through_a_folder_an_archive_and_a_stream_bit_for_bit_and_once(
    source: EmbeddedStore, target: EmbeddedStore, trained: Path, tmp_path: Path
) -> None:
    folder, archive = tmp_path / "x" / "export", tmp_path / "x.tar.gz"
    stream = io.BytesIO()
    manifest = export_runs(source, [RUN, "run-two", RUN], folder)
    export_archive(source, [RUN, "run-two"], archive)
    export_stream(source, [RUN, "run-two"], stream)

    assert [run.id for run in manifest.runs] == [RUN, "run-two"]
    assert manifest.missing_payloads == ()
    assert read_manifest(folder) == manifest
    assert set(manifest.files) == {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    } - {FILE_NAME, CHECKSUM_NAME}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x", "x.tar.gz"], "no drafts left"
    assert archive.stat().st_size < len(stream.getvalue())

    first = import_runs(folder, target)
    assert first.run_ids == (RUN, "run-two")
    for run_id in first.run_ids:
        assert content(target, run_id) == content(source, run_id)
        assert files_of(tmp_path / "target", run_id) == files_of(trained, run_id)
    assert (first.file_count, first.payload_count, first.waiting) == (6, 1, ())

    shutil.copytree(folder, tmp_path / "copied", copy_function=shutil.copyfile)  # without times
    files_before = everything_below(tmp_path / "target" / ".quark" / "runs" / RUN / "files")
    for export in (folder, archive, tmp_path / "copied"):
        again = import_runs(export, target)
        assert (again.sent_count, again.payload_count, again.file_count) == (0, 0, 0), export
    assert import_stream(io.BytesIO(stream.getvalue()), target).sent_count == 0
    files_now = everything_below(tmp_path / "target" / ".quark" / "runs" / RUN / "files")
    assert files_now == files_before
    assert content(target) == content(source)

    for name in ("archive", "stream"):
        other = EmbeddedStore(store_root(tmp_path / name))
        if name == "archive":
            import_runs(archive, other)
        else:
            import_stream(io.BytesIO(stream.getvalue()), other)
        assert content(other) == content(source)
        assert files_of(tmp_path / name) == files_of(trained)
        other.close()


def test_an_export_can_be_looked_at_where_it_is_and_imported_from_where_nobody_may_write(
    source: EmbeddedStore, target: EmbeddedStore, tmp_path: Path
) -> None:
    folder = tmp_path / "export"
    export_runs(source, [RUN], folder)
    looked_at = EmbeddedStore(store_root(folder))
    assert [run.id for run in looked_at.records.list_runs()] == [RUN]
    assert content(looked_at) == content(source)
    assert import_runs(folder, target).run_ids == (RUN,), "while somebody looks at it"
    looked_at.close()

    (folder / ".quark" / "runs" / RUN / "files" / "added.txt").write_text("not of the export")
    before = everything_below(folder)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    assert import_runs(folder, target).sent_count == 0
    assert everything_below(folder) == before, "an export is only read"
    assert "added.txt" not in files_of(tmp_path / "target")
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755)


def flip(path: Path) -> None:
    text = bytearray(path.read_bytes())
    text[len(text) // 2] ^= 1
    path.write_bytes(text)


def shorten(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


@pytest.mark.parametrize("damage", [flip, shorten, Path.unlink])
def test_any_damaged_file_is_refused_before_anything_is_written(
    source: EmbeddedStore,
    target: EmbeddedStore,
    tmp_path: Path,
    damage: Callable[[Path], None],
) -> None:
    folder = tmp_path / "export"
    manifest = export_runs(source, [RUN], folder)
    names = [*manifest.files, FILE_NAME, CHECKSUM_NAME]
    assert len(names) >= 7
    for name in names:
        kept = shutil.copy2(folder / name, tmp_path / "kept")
        damage(folder / name)
        if name == CHECKSUM_NAME and damage is shorten:
            pass  # the line's end: every digit is there
        else:
            with pytest.raises(DamagedFileError, match=r"Nothing was imported|it has no quark-exp"):
                import_runs(folder, target)
            assert not (tmp_path / "target").exists()
        shutil.copy2(kept, folder / name)
    assert import_runs(folder, target).run_ids == (RUN,)


def test_a_file_that_leads_out_of_the_export_is_refused(
    source: EmbeddedStore, target: EmbeddedStore, tmp_path: Path
) -> None:
    folder = tmp_path / "export"
    export_runs(source, [RUN], folder)
    path = folder / ".quark" / "runs" / RUN / "files" / "a.txt"
    path.rename(tmp_path / "secret")
    path.symlink_to(tmp_path / "secret")
    with pytest.raises(DamagedFileError, match="leads out of the export"):
        import_runs(folder, target)


def test_an_archive_that_was_cut_off_anywhere_is_refused(
    source: EmbeddedStore, target: EmbeddedStore, tmp_path: Path
) -> None:
    plain, packed = tmp_path / "x.tar", tmp_path / "x.tgz"
    export_archive(source, [RUN], plain)
    export_archive(source, [RUN], packed)
    for archive in (plain, packed):
        text = archive.read_bytes()
        # The last blocks of a tar are empty; without them all of it is there.
        whole = len(text.rstrip(b"\0")) if archive is plain else len(text) - 200
        for part in (0, 1, 511, 512, whole // 3, whole // 2, whole - 600, whole - 1):
            with pytest.raises(DamagedFileError):
                import_stream(io.BytesIO(text[:part]), target)
        flipped = bytearray(text)
        flipped[text.index(b"SQLite format 3") + 50 if archive is plain else whole // 2] ^= 1
        with pytest.raises(DamagedFileError):
            import_stream(io.BytesIO(flipped), target)
    assert not (tmp_path / "target").exists()
    with pytest.raises(DamagedFileError, match="no tar archive"):
        import_stream(io.BytesIO(b"PK\3\4 something else" * 1000), target)


def test_a_hostile_archive_writes_nothing_anywhere(
    source: EmbeddedStore, target: EmbeddedStore, tmp_path: Path
) -> None:
    assert not is_name("../.quark/index.db")
    for name in ("../x", "files/../../../x", "files//x", "files/", "files/./x", "files/\0"):
        assert not is_name(f".quark/runs/r/{name}"), name
    assert is_name(".quark/runs/r/files/…/<b>.txt")

    hostile = io.BytesIO()
    with tarfile.open(fileobj=hostile, mode="w") as tar:
        for name in ("../evil", "/tmp/evil", "x/../../evil", "../quark-export.json", "x/y/z"):
            member = tarfile.TarInfo(name)
            member.size = 4
            tar.addfile(member, io.BytesIO(b"evil"))
        link = tarfile.TarInfo("x/quark-export.json")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    before = sorted(tmp_path.parent.iterdir())
    with pytest.raises(DamagedFileError, match="no export of runs"):
        import_stream(io.BytesIO(hostile.getvalue()), target)
    assert sorted(tmp_path.parent.iterdir()) == before
    assert not any(tmp_path.rglob("evil"))

    # Its checksums are right, and it still says what no export says.
    folder = tmp_path / "export"
    manifest = export_runs(source, [RUN], folder)
    blob = next(name for name in manifest.files if "/blobs/" in name)
    run, file = manifest.runs[0], manifest.files[".quark/index.db"]
    for changed, reason in (
        (replace(manifest, files={**manifest.files, "../../x": file}), "has a file '../../x'"),
        (replace(manifest, runs=(run._replace(id="../x"),)), "has no run.db"),
        (replace(manifest, runs=(run, run._replace(id="not-there"))), "has no run.db"),
        (replace(manifest, files={**manifest.files, blob: file}), "has another SHA-256"),
        (replace(manifest, format=99), "of format 99"),
        (replace(manifest, files={"x": file._replace(modified_ns=2**80)}), "no manifest"),
        (replace(manifest, files={"x": file._replace(size_bytes="many")}), "no manifest"),  # type: ignore[arg-type]
    ):
        changed.write(folder)
        with pytest.raises(DamagedFileError, match=reason):
            import_runs(folder, target)
    assert not (tmp_path / "target").exists()


def test_another_run_of_the_same_id_is_never_mixed_with_or_overwritten(
    source: EmbeddedStore, target: EmbeddedStore, tmp_path: Path
) -> None:
    export_runs(source, ["run-two", RUN], tmp_path / "export")
    train(tmp_path / "target", first=9.0)
    before = content(target)
    with pytest.raises(SessionStoreError, match=r"another run 'run-one': that one was created"):
        import_runs(tmp_path / "export", target)
    assert [run.id for run in target.records.list_runs()] == [RUN], "not the other one either"
    assert content(target) == before

    # The same run by its dates, and something else in a frame or in a point.
    past = RunPast(source, RUN, with_run=True)

    def changed(batch: Batch, what: str) -> Batch:
        if what == "records":
            records = tuple(
                EncodedRecord(*r[:-1], r.body.replace(b"<b>150", b"<b>151")) for r in batch.records
            )
            return replace(batch, records=records)
        blocks = tuple(
            block if block.keys != ("train/loss",) else replace(block, values=-block.values)
            for block in batch.blocks
        )
        return replace(batch, blocks=blocks)

    for what in ("records", "points of 'train/loss'"):
        other = EmbeddedStore(store_root(tmp_path / what[:6]))
        for batch in past.batches(RUN):
            other.append(changed(batch, what))
        before = content_without_payloads(other)
        with pytest.raises(SessionStoreError, match=f"{what} that both have differ"):
            import_runs(tmp_path / "export", other)
        assert content_without_payloads(other) == before
        other.close()


def content_without_payloads(store: Store) -> tuple[object, ...]:
    records = [r for part in store.records.scan(RUN, RECORD_KINDS) for r in part]
    return records, store.points.series(RUN, "train/loss").value.tolist()


def test_what_has_gone_on_since_stays_and_what_is_newer_in_the_export_comes(
    tmp_path: Path,
) -> None:
    train(tmp_path / "here")
    here = EmbeddedStore(store_root(tmp_path / "here"))
    there = EmbeddedStore(store_root(tmp_path / "there"))
    export_runs(here, [RUN], tmp_path / "old")
    import_runs(tmp_path / "old", there)
    with session_in(tmp_path / "here", again=True) as session:
        session.log_row({"later": 1.0}, 1_000)
    late = store_root(tmp_path / "here") / "runs" / RUN / "files" / "a.txt"
    late.write_text("written later")
    export_runs(here, [RUN], tmp_path / "new")
    before, files = content(here), files_of(tmp_path / "here")

    old = import_runs(tmp_path / "old", here)
    assert (old.sent_count, old.file_count) == (0, 0)
    assert (content(here), files_of(tmp_path / "here")) == (before, files)

    new = import_runs(tmp_path / "new", there)
    assert 0 < new.sent_count < 20
    assert new.file_count >= 1
    assert content(there) == content(here)
    assert files_of(tmp_path / "there")["a.txt"] == files["a.txt"]
    here.close()
    there.close()


def test_what_cannot_be_exported_leaves_nothing_behind(
    trained: Path, source: EmbeddedStore, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    for write, place in ((export_runs, "full"), (export_archive, "full"), (export_runs, "full/x")):
        with pytest.raises(SessionStoreError, match="is there already"):
            write(source, [RUN], tmp_path / place)
    with pytest.raises(RunNotFoundError):
        export_archive(source, [RUN, "nobody"], tmp_path / "x.tar")
    assert [path.name for path in tmp_path.iterdir()] == ["full"]

    # A payload that is gone is told of; the run goes without it.
    shutil.copytree(trained, tmp_path / "poor")
    poor = EmbeddedStore(store_root(tmp_path / "poor"))
    (record,) = poor.records.read(ArtifactRecord, RUN)
    poor.blobs.delete(record.sha256)
    manifest = export_runs(poor, [RUN], tmp_path / "export")
    poor.close()
    assert manifest.missing_payloads == (record.sha256,)


def test_the_writer_of_files_is_the_one_who_is_left_out() -> None:
    assert run_difference.FILE_WRITER == sync_files._WRITER
