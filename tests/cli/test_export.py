"""Runs are carried: out of a folder, into a service, out of that, and into a folder again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import quark.compat.wandb as wandb
from quark.records import RECORD_KINDS, ArtifactRecord
from quark.storage.embedded import EmbeddedStore
from quark.storage.layout import store_root
from quark.storage.protocols import Store
from tests.support.cli import COMMAND, json_of, run_cli
from tests.support.cli_inside import called
from tests.support.service import running_service, service_config

PROJECT = "carried"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[str]]]:
    """Two runs of one folder: the first logs a model, files and a picture, the second uses it."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "net.bin").write_bytes(b"weights" * 1000)
    (folder / "notes.md").write_text("as it was")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUARK_STORAGE_DIR", str(folder))
        patch.setenv("QUARK_QUIET", "1")
        patch.chdir(folder)
        first = wandb.init(project=PROJECT, name="maker", config={"lr": 0.1}, tags=["<b>&"])
        for step in range(60):
            first.log({"loss": 1 / (step + 3), "odd": float("nan") if step % 7 else -0.0})
        first.log({"picture": wandb.Image(np.zeros((4, 4, 3), dtype=np.uint8))})
        model = wandb.Artifact("net", type="model", metadata={"depth": 3})
        model.add_file(str(folder / "net.bin"))
        first.log_artifact(model, aliases=["best"])
        first.save(str(folder / "notes.md"), base_path=str(folder))
        first.finish()
        second = wandb.init(project=PROJECT, name="user")
        second.use_artifact("net:best").download(str(folder / "got"))
        second.log({"loss": 0.5})
        second.finish()
        yield folder, [str(first.id), str(second.id)]


def content(store: Store, run_id: str) -> dict[str, object]:
    """Return what a store has of a run: each record, the bits of each point, each payload."""
    keys = sorted(store.points.keys(run_id))
    points = {
        key: (
            [one.writers[index] for index in one.writer.tolist()],
            *(getattr(one, name).tolist() for name in ("seq", "step", "epoch", "time_us")),
            one.value.view(np.int64).tolist(),
        )
        for key, one in store.points.many_series(run_id, keys).items()
    }
    kinds = RECORD_KINDS.keys() - {"run"}
    stored = [r for part in store.records.scan(run_id, kinds) for r in part]
    # A service is told of the files of folders by records of a writer of their own.
    records = sorted((r[1:-1], str(r.body)) for r in stored if r.writer_id != "run-files")
    payloads = {}
    for record in store.records.read(ArtifactRecord, run_id):
        with store.blobs.open(record.sha256) as stream:
            payloads[record.sha256] = stream.read()
    run = store.records.get_run(run_id)
    about = (run.name, run.status, run.config, run.summary, run.tags, run.created_at, run.ended_at)
    return {"points": points, "records": records, "payloads": payloads, "run": about}


def files_of(folder: Path, run_id: str) -> dict[str, bytes]:
    place = store_root(folder) / "runs" / run_id / "files"
    return {
        path.relative_to(place).as_posix(): path.read_bytes()
        for path in sorted(place.rglob("*"))
        if path.is_file() and path.relative_to(place).parts[0] != "media"
    }


def embedded(folder: Path) -> EmbeddedStore:
    return EmbeddedStore(store_root(folder))


def test_runs_are_the_same_after_folder_service_and_folder(
    trained: tuple[Path, list[str]], tmp_path: Path
) -> None:
    folder, run_ids = trained
    source, archive, back = embedded(folder), tmp_path / "runs.tar.gz", tmp_path / "back"
    made = json_of(
        run_cli("export", "maker", run_ids[1], "--to", archive, "--storage-dir", folder, "--json")
    )
    assert [(run["id"], run["name"]) for run in made["runs"]] == [
        (run_ids[0], "maker"),
        (run_ids[1], "user"),
    ]
    assert (made["path"], made["missing_payloads"]) == (str(archive), [])

    with running_service(service_config(tmp_path / "service")) as service:
        env = {"QUARK_USER_KEY": service.key, "QUARK_PERSISTENCE_URL": None}
        there = ("--url", f"{service.url}?storage_dir=carried")
        first = json_of(run_cli("import", "quark", archive, *there, "--json", env=env))
        assert (first["run_ids"], first["waiting"]) == (run_ids, [])
        assert first["artifact_count"] == 1
        assert first["file_count"] == sum(len(files_of(folder, run_id)) for run_id in run_ids) > 2
        again = json_of(run_cli("import", "quark", archive, *there, "--json", env=env))
        done = [again[name] for name in ("sent_count", "payload_count", "file_count", "waiting")]
        assert done == [0, 0, 0, []]
        kept = service.store("carried")
        for run_id in run_ids:
            mine, theirs = content(source, run_id), content(kept, run_id)
            assert theirs["payloads"].items() >= mine["payloads"].items()  # type: ignore[attr-defined]
            assert {**theirs, "payloads": 0} == {**mine, "payloads": 0}
        kept.close()

        # Out of the service through a pipe, and into a folder that is not there yet.
        out_of = subprocess.run(
            [*COMMAND, "export", "--all-runs", "--to", "-", *there],
            env=_env(env),
            capture_output=True,
            timeout=60,
        )
        assert out_of.returncode == 0, out_of.stderr
        assert b"Exported 2 runs to stdout" in out_of.stderr
        into = subprocess.run(
            [*COMMAND, "import", "quark", "-", "--storage-dir", str(back)],
            input=out_of.stdout,
            capture_output=True,
            timeout=60,
        )
        assert into.returncode == 0, into.stderr
        assert into.stdout.decode().startswith(f"Imported 2 runs into file:{back}")

    target = embedded(back)
    for run_id in run_ids:
        mine, theirs = content(source, run_id), content(target, run_id)
        assert {**theirs, "payloads": 0} == {**mine, "payloads": 0}
        assert files_of(back, run_id) == files_of(folder, run_id)
    target.close()
    for words in (("verify", "maker"), ("artifact", "verify", "net:best")):
        called(*words, "--storage-dir", back).ok()
    line = json_of(called("artifact", "lineage", "net:best", "--storage-dir", back, "--json"))
    assert line["logged_by"]["run_id"] == run_ids[0]
    assert line["used_by"] == [run_ids[1]]

    # And home again: everything is there, as it was.
    before = {run_id: (content(source, run_id), files_of(folder, run_id)) for run_id in run_ids}
    home = called("import", "quark", archive, "--storage-dir", folder).ok()
    assert "already: nothing was to be done" in home.out
    for run_id, (records, files) in before.items():
        assert content(source, run_id) == records
        assert files_of(folder, run_id) == files
    source.close()


def test_an_export_is_a_folder_to_look_at_and_any_damage_ends_with_one_and_says_where(
    trained: tuple[Path, list[str]], tmp_path: Path
) -> None:
    folder, (run_id, _) = trained
    words = ("export", run_id, "--storage-dir", folder)
    said = run_cli(*words, "--to", "export", cwd=tmp_path).ok()
    assert said.out.startswith("Exported 1 run to export: ")
    listed = json_of(called("run", "list", "--storage-dir", tmp_path / "export", "--json"))
    assert len(listed) == 1
    summed = subprocess.run(
        ["sha256sum", "-c", "quark-export.json.sha256"], cwd=tmp_path / "export", check=False
    )
    assert summed.returncode == 0

    path = tmp_path / "export" / ".quark" / "runs" / run_id / "run.db"
    text = bytearray(path.read_bytes())
    text[len(text) // 2] ^= 1
    path.write_bytes(text)
    refused = run_cli("import", "quark", "export", "--storage-dir", "new", cwd=tmp_path)
    assert (refused.code, refused.out) == (1, "")
    name = path.relative_to(tmp_path)
    assert f"Error: {name} is damaged: its SHA-256 is" in refused.err
    assert "Traceback" not in refused.err
    assert not (tmp_path / "new").exists()

    archive = tmp_path / "x.tar"
    called(*words, "--to", archive).ok()
    content = bytearray(archive.read_bytes())
    content[content.index(b"SQLite format 3") + 50] ^= 1
    piped = subprocess.run(
        [*COMMAND, "import", "quark", "-", "--storage-dir", str(tmp_path / "new")],
        input=bytes(content),
        capture_output=True,
        timeout=60,
    )
    assert piped.returncode == 1
    assert b"Error: stdin: .quark/" in piped.stderr
    assert b".db is damaged: its SHA-256 is" in piped.stderr

    missing = run_cli("import", "quark", "nothing", "--storage-dir", "new", cwd=tmp_path)
    assert (missing.code, "does not exist" in missing.err) == (1, True)
    assert not (tmp_path / "new").exists()


def test_what_cannot_be_meant_is_refused(
    trained: tuple[Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, (run_id, _) = trained
    monkeypatch.chdir(tmp_path)
    place = ("--storage-dir", folder)
    for words, reason in (
        ((run_id,), "Missing option '--to'"),
        (("--to", "x"), "Name runs to export, or --all-runs"),
        ((run_id, "--all-runs", "--to", "x"), "Name runs to export, or --all-runs"),
        ((run_id, "--to", "x.zip"), "x.zip is no archive that can be written"),
        ((run_id, "--to", "-", "--json"), "leave --json out"),
        (("nobody", "--to", "x"), "There is no run 'nobody'"),
        ((run_id, "--to", tmp_path), "is there already"),
        ((run_id, "--to", "kept/below"), "cannot be written"),
    ):
        (tmp_path / "kept").write_text("a file")
        done = called("export", *words, *place)
        assert (done.code, reason in done.err) == (1, True), (words, done.err)
        assert done.out == ""
        assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    strange = called("import", "quark", "kept", "--storage-dir", "new")
    assert (strange.code, "no tar archive" in strange.err) == (1, True)
    helped = called("import", "quark", "--help").ok().out
    assert "quark import quark two-runs.tar.gz --target team" in helped


def _env(changes: dict[str, str | None]) -> dict[str, str]:
    return {name: text for name, text in {**os.environ, **changes}.items() if text is not None}
