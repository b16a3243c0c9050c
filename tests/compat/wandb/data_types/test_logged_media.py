"""``log`` hands media over and returns; what becomes of them afterwards."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import quark.compat.wandb as wandb
from quark import TrainingSession
from quark.compat.wandb import term
from quark.compat.wandb.data_types import contents
from quark.compat.wandb.data_types.base import Keeper, Media
from quark.compat.wandb.errors import CommError
from quark.compat.wandb.run_keeper import RunKeeper
from quark.errors import SessionStoreError
from quark.pipeline import payloads
from quark.storage.folder_blobs import FolderBlobs


class Gate(Media):
    """Is stored once it is let through, and keeps a text."""

    _log_type = "gate"

    def __init__(self, *, opened: bool = False, fault: Exception | None = None) -> None:
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.threads: list[str] = []
        self._fault = fault
        if opened:
            self.gate.set()

    def stored(self, keeper: Keeper) -> dict[str, Any]:
        self.entered.set()
        assert self.gate.wait(60)
        self.threads.append(threading.current_thread().name)
        if self._fault is not None:
            raise self._fault
        kept = keeper.keep(b"text", folder="media/gates", extension=".txt")
        return {"_type": self._log_type, "path": kept.path}


def rows(run: Any) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in row.items() if key not in ("_timestamp", "_runtime")}
        for row in wandb.Api().run(f"p/{run.id}").scan_history()
    ]


def test_log_does_not_wait_and_the_row_is_whole_in_the_end() -> None:
    run = wandb.init(project="p")
    gate = Gate()

    run.log({"loss": 0.5, "gate": gate, "nested": {"gate": gate, "x": 1}})
    run.log({"loss": 0.25})
    assert run.step == 2
    assert gate.threads == []  # nothing was stored when log had returned
    assert gate.entered.wait(60)
    gate.gate.set()
    run.finish()

    assert set(gate.threads) == {"quark-payloads"}
    first, second = rows(run)
    assert first["gate"] == {"_type": "gate", "path": first["gate"]["path"]}
    assert first["gate"]["path"].startswith("media/gates/gate_0_")
    assert first.keys() == {"_step", "loss", "gate", "nested.gate", "nested.x"}
    assert second == {"_step": 1, "loss": 0.25}
    summary = wandb.Api().run(f"p/{run.id}").summary
    assert summary["nested"]["gate"]["_type"] == "gate"
    assert summary["loss"] == 0.25


def test_the_constructor_takes_a_copy() -> None:
    run = wandb.init(project="p")
    buffer = np.full((4, 4, 3), 7, dtype=np.uint8)
    mask = np.full((4, 4), 1)
    samples = np.zeros(16)
    points = np.zeros((2, 3))
    frames = np.zeros((2, 3, 4, 4), dtype=np.uint8)
    gate = Gate()  # keeps the thread busy meanwhile

    run.log({"gate": gate})
    run.log(
        {
            "image": wandb.Image(buffer, masks={"m": {"mask_data": mask}}),
            "audio": wandb.Audio(samples, sample_rate=8),
            "points": wandb.Object3D(points),
            "frames": wandb.Video(frames, format="gif"),
        }
    )
    for array in (buffer, mask, samples, points, frames):
        array[:] = 9
    gate.gate.set()
    run.finish()

    api_run = wandb.Api().run(f"p/{run.id}")
    row = api_run.media(rows(run)[1])
    assert np.array(row["image"].image).max() == 7
    assert row["image"]._masks["m"].pixels().max() == 1
    assert row["audio"].samples()[0].max() == 0
    assert np.max(row["points"].points()) == 0


def test_what_fails_in_the_background_is_said_once_and_leaves_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "READ_AT_ONCE_BYTES", 10)
    run = wandb.init(project="p")
    film = tmp_path / "film.mp4"
    film.write_bytes(b"a long film")
    gate = Gate()

    run.log({"gate": gate})
    run.log({"film": wandb.Video(film), "loss": 1.0, "page": wandb.Html("kept", inject=False)})
    run.log({"film": Gate(opened=True, fault=ValueError("no such codec"))})
    film.unlink()
    gate.gate.set()
    run.finish()

    api_run = wandb.Api().run(f"p/{run.id}")
    _, first, second = rows(run)
    assert first["film"]["_type"] == second["film"]["_type"] == "lost-media"
    assert (first["film"]["kind"], first["loss"]) == ("video-file", 1)
    assert "film.mp4" in first["film"]["reason"]
    assert second["film"]["reason"] == "ValueError: no such codec"
    assert api_run.media(first["page"]).html == "kept"
    with pytest.raises(CommError, match="could not be kept"):
        api_run.media(first["film"])
    said = capsys.readouterr().err
    assert said.count("could not be resolved: FileNotFoundError") == 1
    assert "was changed" not in said


def test_a_strict_run_raises_what_failed() -> None:
    run = wandb.init(project="p")
    session = run._session
    assert isinstance(session, TrainingSession)
    session.handle.faults.strict = True
    run.log({"gate": Gate(opened=True, fault=ValueError("no such codec"))})

    with pytest.raises(ValueError, match="no such codec"):
        session.handle.flush()
    session.handle.faults.strict = False
    run.finish()


def test_a_change_of_a_large_file_is_noticed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "READ_AT_ONCE_BYTES", 10)
    small, large = tmp_path / "small.mp4", tmp_path / "large.mp4"
    small.write_bytes(b"small")
    large.write_bytes(b"a large film")
    run = wandb.init(project="p")
    gate = Gate()

    run.log({"gate": gate})
    run.log({"small": wandb.Video(small), "large": wandb.Video(large)})
    small.write_bytes(b"other")
    large.write_bytes(b"a larger film than it was")
    gate.gate.set()
    run.finish()

    api_run = wandb.Api().run(f"p/{run.id}")
    row = api_run.media(rows(run)[1])
    assert row["small"].read_bytes() == b"small"
    assert row["large"].read_bytes() == b"a larger film than it was"
    said = capsys.readouterr().err
    assert "large.mp4 was changed" in said
    assert "small.mp4" not in said


def test_rules_of_define_metric_and_of_rows_hold_for_media(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = wandb.init(project="p")
    run.define_metric("epoch")
    run.define_metric("page", step_metric="epoch")
    run.log({"epoch": 3})
    run.log({"page": wandb.Html("a")}, step=5)
    run.log({"loss": 1}, step=5)
    run.log({"page": wandb.Html("late")}, step=2)
    run.log({"page": wandb.Html("b"), "none": None}, step=6, commit=True)
    assert run.step == 7
    run.finish()

    api_run = wandb.Api().run(f"p/{run.id}")
    found = rows(run)
    assert [row["_step"] for row in found] == [0, 2, 5, 6]
    assert (found[2]["epoch"], found[2]["loss"]) == (3, 1)
    assert [api_run.media(row["page"]).html[-1] for row in found[1:]] == ["e", "a", "b"]
    assert api_run.media(api_run.summary["page"]).html.endswith("b")
    assert "step 2" in capsys.readouterr().err


def test_many_threads_log_at_once() -> None:
    run = wandb.init(project="p")

    def work(number: int) -> None:
        for step in range(10):
            pixels = np.full((4, 4), number * 10 + step, dtype=np.uint8)
            run.log({f"image{number}": wandb.Image(pixels), "n": number})
            assert run.summary.get(f"image{number}") is not None  # waits, and no two wait forever

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run.finish()

    api_run = wandb.Api().run(f"p/{run.id}")
    found = rows(run)
    assert len(found) == 40
    shades = set()
    for row in found:
        (key,) = (key for key in row if key.startswith("image"))
        shades.add(int(np.array(api_run.media(row[key]).image).max()))
    assert len(shades) == 40


def test_too_much_at_once_is_done_by_who_brings_it() -> None:
    run = wandb.init(project="p")
    session = run._session
    assert isinstance(session, TrainingSession)
    gate, heavy = Gate(), Gate(opened=True)
    heavy.size_bytes = 1 << 30

    run.log({"gate": gate})
    threading.Timer(0.05, gate.gate.set).start()
    run.log({"heavy": heavy, "loss": 1})
    assert heavy.threads == [threading.current_thread().name]
    run.finish()

    assert rows(run)[1]["heavy"]["_type"] == "gate"


def test_a_forked_child_logs_media_of_its_own() -> None:
    run = wandb.init(project="p")
    run.log({"page": wandb.Html("parent")})
    session = run._session
    assert isinstance(session, TrainingSession)
    session.handle.flush()

    child = os.fork()
    if child == 0:
        status = 1
        try:
            run.log({"child": wandb.Html("child")}, step=9)
            run.finish()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    run.log({"page": wandb.Html("parent again")})
    run.finish()

    api_run = wandb.Api().run(f"p/{run.id}")
    pages = [api_run.media(row) for row in rows(run)]
    assert {page["child"].html[-5:] for page in pages if "child" in page} == {"child"}
    assert len([page for page in pages if "page" in page]) == 2


def test_a_disabled_run_keeps_no_media(tmp_path: Path) -> None:
    run = wandb.init(mode="disabled")
    gate = Gate(opened=True)
    run.log({"gate": gate, "loss": 1})
    run.summary["gate"] = gate
    run.finish()

    assert gate.threads == []
    assert not (tmp_path / ".quark").exists()


def test_a_store_that_refuses_leaves_the_file_in_the_folder(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(self: FolderBlobs, source: Any, *, synced: bool) -> Any:
        raise SessionStoreError("the disk is gone")

    monkeypatch.setattr(FolderBlobs, "put", refuse)
    run = wandb.init(project="p")
    run.log({"page": wandb.Html("page", inject=False)})
    path = Path(run.dir)
    run.finish()

    (row,) = rows(run)
    assert (path / row["page"]["path"]).read_text() == "page"
    assert "the disk is gone" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("plain", "plain_0_"),
        ("a/b c", "a/b c_0_"),
        ("/etc/x", "etc/x_0_"),
        ("../../x", "__/__/x_0_"),
        ("", "__0_"),
        ("ü" * 300, "ü" * 100 + "_0_"),
    ],
)
def test_names_stay_within_the_folder(key: str, name: str) -> None:
    run = wandb.init(project="p")
    session = run._session
    assert isinstance(session, TrainingSession)
    keeper = RunKeeper(session.handle, 0).for_key(key)

    kept = keeper.keep(b"x", folder="media/html", extension=".html")
    again = keeper.keep(b"x", folder="media/html", extension=".html")

    assert kept == again
    assert kept.path.startswith(f"media/html/{name}")
    assert (Path(run.dir) / kept.path).read_bytes() == b"x"
    assert os.stat(Path(run.dir) / kept.path).st_mode & 0o222 == 0
    run.finish()


def test_a_file_system_without_links_gets_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("no links here")

    run = wandb.init(project="p")
    monkeypatch.setattr(os, "link", refuse)
    run.log({"page": wandb.Html("page", inject=False)})
    folder = Path(run.dir)
    run.finish()

    (row,) = rows(run)
    assert (folder / row["page"]["path"]).read_text() == "page"
    assert (folder / row["page"]["path"]).stat().st_nlink == 1


def test_values_that_are_no_media_cost_no_second_row() -> None:
    run = wandb.init(project="p")
    run.log({"list": [1, 2.5, None], "mixed": [1, {"a": 2}], "text": "x", "array": np.arange(3)})
    run.finish()

    (row,) = rows(run)
    assert row["mixed"] == [1, {"a": 2}]
    assert row["array"] == [0, 1, 2]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_images_on_a_gpu_are_not_waited_for() -> None:
    run = wandb.init(project="p")
    shades = [torch.full((3, 8, 8), step, dtype=torch.uint8, device="cuda") for step in range(5)]
    run.log({"first": wandb.Image(shades[0])})  # pinned memory is made with the first
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for shade in shades:
            run.log({"image": wandb.Image(shade)})
            shade.fill_(99)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    run.finish()

    api_run = wandb.Api().run(f"p/{run.id}")
    images = [api_run.media(row["image"]).image for row in rows(run)[1:]]
    assert [int(np.array(image).max()) for image in images] == [0, 1, 2, 3, 4]


def test_what_was_logged_later_stays_in_the_summary_when_media_arrive_late() -> None:
    run = wandb.init(project="p")
    run.define_metric("counted", summary="min")
    gate = Gate()  # keeps the thread busy meanwhile

    def text(word: str) -> Any:
        return wandb.Html(word, inject=False)

    run.log({"gate": gate, "same": 0.5})
    run.log({"plain": text("old"), "nested": {"x": text("old"), "y": text("kept")}, "gone": 1})
    run.log({"plain": 0.5, "nested": {"x": 1}, "counted": text("media")})
    run.log({"plain": text("old"), "twice": text("old"), "counted": 3.0})
    run.log({"plain": 2, "twice": text("new"), "barred": {"by": text("old")}})
    run.log({"barred": 4, "last": 1}, commit=False)
    run.log({"last": text("new")}, commit=False)
    run.log({"first": text("old")}, commit=False)
    run.log({"first": 5}, commit=False)
    run.log({"same": text("new"), "gone": text("old")})
    run.log({"gone": None})
    run.summary["set"] = text("old")
    run.summary["set"] = 6
    run.summary["set twice"] = text("old")
    run.summary["set twice"] = text("new")
    gate.gate.set()
    run.finish()

    summary = wandb.Api().run(f"p/{run.id}").summary
    kept = wandb.Api().run(f"p/{run.id}")
    assert {key: summary[key] for key in ("plain", "barred", "first", "set")} == {
        "plain": 2,
        "barred": 4,
        "first": 5,
        "set": 6,
    }
    assert summary["nested"]["x"] == 1
    assert summary["counted"]["min"] == 3
    assert "gone" not in dict(summary)
    for shown, word in (
        (summary["nested"]["y"], "kept"),
        (summary["twice"], "new"),
        (summary["last"], "new"),
        (summary["same"], "new"),
        (summary["set twice"], "new"),
    ):
        assert kept.media(shown).html == word


@pytest.mark.parametrize("quiet", ["", "finish", "silent"])
def test_finish_says_what_it_waits_for_unless_it_is_to_be_quiet(
    quiet: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payloads, "_SAID_FROM_SECONDS", 1e-6)
    monkeypatch.setattr(term, "_silent", False)  # and so again afterwards
    noise = np.random.default_rng(0).integers(0, 256, (20, 256, 256, 3), dtype=np.uint8)
    run = wandb.init(project="p", settings={"silent": quiet == "silent"})
    gate = Gate()
    run.log({"gate": gate})
    assert gate.entered.wait(60)
    for pixels in noise:
        run.log({"image": wandb.Image(pixels)})
    gate.gate.set()
    run.finish(quiet=quiet == "finish")

    said = capsys.readouterr().err
    assert said.count("keeping ") == (quiet == "")
    assert said.count(" media values, for about ") == (quiet == "")
