"""``wandb.save``, ``wandb.restore`` and ``run.log_code``: files that are kept with a run."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import quark.compat.wandb as wandb
from quark.compat.wandb.described_files import DESCRIBED
from quark.pipeline.deferred import Deferred
from quark.session import TrainingSession, copying, file_keeping


@pytest.fixture(autouse=True)
def _in_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    # Following is called by the tests themselves.
    monkeypatch.setattr(file_keeping, "FOLLOW_SECONDS", 3600.0)
    yield
    wandb.teardown()


def init(**arguments: Any) -> wandb.Run:
    settings = {"silent": True, "console": "off", **arguments.pop("settings", {})}
    return wandb.init(**{"project": "p", "settings": settings, **arguments})


def write(name: str, text: str = "text", size_bytes: int = 0) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.ljust(size_bytes))
    return path


def kept(run: wandb.Run) -> dict[str, str]:
    """Return the files of a run, own ones aside, by name."""
    folder = Path(run.dir)
    found = [p for p in folder.rglob("*") if p.is_file() and p.name not in DESCRIBED]
    return {path.relative_to(folder).as_posix(): path.read_text().rstrip() for path in found}


def follow(run: wandb.Run) -> None:
    assert run._saved is not None
    run._saved.keeper.follow()


@pytest.mark.parametrize("mode", ["online", "offline", "shared"])
@pytest.mark.parametrize(
    ("pattern", "base", "saved"),
    [
        ("a/b/c.txt", None, "a/b/c.txt"),
        ("a/*/c.txt", None, "a/b/c.txt"),
        ("a/b/*", "a", "b/c.txt b/d.txt"),
        (Path("a/b/c.txt"), Path("a/b"), "c.txt"),
        (b"a/b/c.txt", None, "a/b/c.txt"),
        ("{here}/a/b/c.txt", None, "b/c.txt"),
        ("{here}/a/b/*.txt", "{here}", "a/b/c.txt a/b/d.txt"),
        ("a", None, "a/b/c.txt a/b/d.txt a/e.txt"),
        ("../outside.txt", "..", "outside.txt"),
        ("nothing-*", None, ""),
        ("s3://bucket/x", None, ""),
    ],
    ids=str,
)
def test_paths_are_kept_below_their_base(
    pattern: Any, base: Any, saved: str, mode: str, tmp_path: Path
) -> None:
    os.chdir(write("in/a/b/c.txt").parents[2])
    for name in ("a/b/d.txt", "a/e.txt", "../outside.txt"):
        write(name)
    here = str(Path.cwd())
    pattern = pattern.format(here=here) if isinstance(pattern, str) else pattern
    base = base.format(here=here) if isinstance(base, str) else base

    with init(mode=mode, dir=tmp_path) as run:
        paths = run.save(pattern, base_path=base)

        assert set(kept(run)) == set(saved.split())
        if pattern != "a":
            assert {os.path.relpath(path, run.dir) for path in paths} == set(saved.split())
        assert all(os.path.exists(path) for path in paths)


@pytest.mark.parametrize(
    ("pattern", "base", "policy"),
    [
        ("a.txt", None, "sometimes"),
        ("../a.txt", None, "now"),
        ("a.txt", "elsewhere", "now"),
        ("*", None, "now"),
        (".", None, "now"),
    ],
)
def test_what_makes_no_sense_is_refused(pattern: str, base: Any, policy: str) -> None:
    with init() as run, pytest.raises(ValueError, match=r"olicy|base_path"):
        run.save(pattern, base_path=base, policy=policy)


def test_a_sign_of_patterns_can_be_part_of_a_name() -> None:
    write("file[1].txt")
    with init() as run:
        assert run.save("file[1].txt") == []
        assert [Path(path).name for path in run.save("file[1].txt", glob=False)] == ["file[1].txt"]
        assert set(kept(run)) == {"file[1].txt"}


@pytest.mark.parametrize("size_bytes", [0, file_keeping.SMALL_BYTES + 1], ids=["small", "large"])
def test_the_policies(size_bytes: int) -> None:
    names = ("live.bin", "now.bin", "end.bin")
    for name in names:
        write(name, "1", size_bytes)
    run = init()
    for name in names:
        (path,) = run.save(name, policy=name.removesuffix(".bin"))
        assert Path(path).read_text().startswith("1")
    assert isinstance(run._session, TrainingSession)
    run._session.handle.settle()
    assert not (Path(run.dir) / "live.bin").samefile("live.bin")

    for name in names:
        write(name, "2", size_bytes + 1)
    follow(run)
    assert kept(run)["live.bin"] == "2"
    assert kept(run)["now.bin"] == "1"
    for name in names:
        write(name, "3", size_bytes + 2)
    run.finish()

    files = {file.name: file for file in wandb.Api().run(f"p/{run.id}").files()}
    for name in names:
        files[name].download(root="out").close()
    texts = {name: Path("out", name).read_text().rstrip() for name in names}
    assert texts == {"live.bin": "3", "now.bin": "1", "end.bin": "3"}
    assert not any(path.is_symlink() for path in Path("out").iterdir())
    write("live.bin", "4", size_bytes)
    assert kept(run)["live.bin"] == "3"


@pytest.mark.parametrize("size_bytes", [0, file_keeping.SMALL_BYTES + 1], ids=["small", "large"])
def test_what_was_saved_outlives_its_source(size_bytes: int) -> None:
    with init() as run:
        for policy in ("live", "now"):
            source = write(f"{policy}.bin", "kept", size_bytes)
            run.save(str(source), policy=policy)
            source.unlink()
        follow(run)

    assert kept(run) == {"live.bin": "kept", "now.bin": "kept"}


class Stuck(Deferred):
    """Keeps what is copied in the background waiting until it is let go."""

    def __init__(self) -> None:
        super().__init__(1)
        self.begun, self.go = threading.Event(), threading.Event()

    def _journal(self) -> None:
        self.begun.set()
        assert self.go.wait(60)


def test_a_copy_that_comes_late_does_not_replace_a_newer_one() -> None:
    run, stuck = init(), Stuck()
    assert isinstance(run._session, TrainingSession)
    run._session.handle.defer_payload(stuck)
    assert stuck.begun.wait(60)
    run.save(str(write("model.bin", "1", file_keeping.SMALL_BYTES + 1)))
    newer = write("newer.bin", "2", file_keeping.SMALL_BYTES + 1)
    newer.replace("model.bin")
    follow(run)
    assert kept(run) == {"model.bin": "2"}

    stuck.go.set()
    run._session.handle.settle()

    assert kept(run) == {"model.bin": "2"}
    run.finish()
    assert kept(run) == {"model.bin": "2"}


def test_a_script_does_not_wait_while_a_file_is_being_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, begun, go = init(), threading.Event(), threading.Event()
    run.save(str(write("large.bin", "1", file_keeping.SMALL_BYTES + 1)))
    write("large.bin", "2", file_keeping.SMALL_BYTES + 2)

    def slowly(source: Path, target: Path) -> None:
        if source.name == "large.bin":
            begun.set()
            assert go.wait(60)
        copying.copy_file(source, target)

    monkeypatch.setattr(file_keeping, "copy_file", slowly)
    following = threading.Thread(target=follow, args=(run,))
    following.start()
    assert begun.wait(60)
    saving = threading.Thread(target=lambda: run.save(str(write("small.bin", "s"))))
    saving.start()
    saving.join(60)
    waited = saving.is_alive()
    go.set()
    following.join(60)
    run.finish()

    assert not waited
    assert kept(run) == {"large.bin": "2", "small.bin": "s"}


def test_live_patterns_and_folders_take_what_comes_later() -> None:
    write("ckpt/a.pt", "a")
    write("folder/x", "x")
    with init() as run:
        run.save("ckpt/*.pt")
        run.save("folder")
        run.save("ckpt/*.txt", policy="now")
        for name in ("ckpt/b.pt", "folder/deep/y", "ckpt/c.txt", "ckpt/other"):
            write(name, name)
        follow(run)
        assert set(kept(run)) == {"ckpt/a.pt", "ckpt/b.pt", "folder/x", "folder/deep/y"}
        write("ckpt/late.pt")

    assert "ckpt/late.pt" in kept(run)


def test_files_in_the_folder_of_the_run_stay_where_they_are() -> None:
    with init() as run:
        inside = Path(run.dir) / "model.bin"
        inside.write_text("weights")

        assert run.save(str(inside)) == [str(Path(run.dir) / "model.bin")]
        assert run.save("model.bin") == [str(Path(run.dir) / "model.bin")]
        assert wandb.save(str(inside), base_path=run.dir) == [str(Path(run.dir) / "model.bin")]
        assert kept(run) == {"model.bin": "weights"}


def test_ignored_globs_are_left_out_and_a_disabled_run_keeps_nothing() -> None:
    write("a.txt")
    write("a.bin")
    with init(settings={"ignore_globs": ["*.bin"]}) as run:
        run.save("a.*")
        assert set(kept(run)) == {"a.txt"}
    with init(mode="disabled") as run:
        assert run.save("a.txt") == []


def test_threads_end_with_the_run() -> None:
    import threading

    write("a.txt")
    with init() as run:
        run.save("a.txt")
        assert "quark-saved-files" in {thread.name for thread in threading.enumerate()}
    assert "quark-saved-files" not in {thread.name for thread in threading.enumerate()}


def test_a_process_that_is_ended_saves_what_has_changed() -> None:
    script = (
        "import os, signal\nimport quark.compat.wandb as wandb\n"
        "run = wandb.init(id='r', project='p', settings={'silent': True, 'console': 'off'})\n"
        "names = {'live.bin': 10, 'large.bin': 2_000_000, 'end.bin': 10}\n"
        "for name, size in names.items():\n"
        "    open(name, 'w').write('1' * size)\n"
        "    run.save(name, policy='end' if name == 'end.bin' else 'live')\n"
        "for name, size in names.items():\n"
        "    open(name, 'w').write('2' * (size + 1))\n"
        "os.kill(os.getpid(), signal.SIGTERM)"
    )
    subprocess.run([sys.executable, "-c", script], check=False)

    for name in ("live.bin", "large.bin", "end.bin"):
        file = wandb.Api().run("r").file(name)
        file.download(root="out").close()
        assert set(Path("out", name).read_text()) == {"2"}


# -- restore -------------------------------------------------------------------------------------


def test_restore_gives_files_of_this_and_of_other_runs() -> None:
    with init(id="old") as run:
        write("model/best.txt", "old weights")
        run.save("model/best.txt")

    with pytest.raises(ValueError, match="run_path"):
        wandb.restore("model/best.txt")
    os.remove("model/best.txt")
    with wandb.restore("model/best.txt", run_path="p/old") or open(os.devnull) as file:
        assert (file.read(), Path(file.name)) == ("old weights", Path.cwd() / "model/best.txt")

    with init(id="new") as run:
        with run.restore("model/best.txt", run_path="local/p/old") or open(os.devnull) as file:
            assert file.name == str(Path(run.dir) / "model/best.txt")
        (Path(run.dir) / "model/best.txt").write_text("own")
        for replace, text in ((False, "own"), (True, "old weights")):
            found = wandb.restore("model/best.txt", run_path="old", replace=replace)
            assert found is not None
            with found:
                assert found.read() == text
        elsewhere = run.restore("model/best.txt", root="elsewhere")
        assert elsewhere is not None
        with elsewhere:
            assert elsewhere.name == os.path.join("elsewhere", "model/best.txt")
        with pytest.raises(ValueError, match="nothing"):
            run.restore("nothing")
        with pytest.raises(wandb.CommError):
            run.restore("x", run_path="p/unknown")
    with init(mode="disabled"):
        assert wandb.restore("x") is None


# -- code ----------------------------------------------------------------------------------------


def test_code_is_logged_as_an_artifact() -> None:
    for name in ("train.py", "lib/net.py", "notes.txt", "wandb/own.py", "requirements.txt"):
        write(f"src/{name}", name)
    with init(settings={"program": "src/train.py"}) as run:
        artifact = run.log_code("src")
        named = run.log_code(
            "src",
            name="mine",
            include_fn=lambda path: path.endswith(".txt"),
            exclude_fn=lambda path, root: os.path.relpath(path, root).startswith("req"),
        )
        assert run.log_code("nowhere") is None
        assert artifact is not None
        assert named is not None
        artifact.wait()
        assert (artifact.type, artifact.name) == ("code", "source-p-src_train.py:v0")
        assert named.wait().name == "mine:v0"
        assert set(artifact.manifest.entries) == {"train.py", "lib/net.py", "requirements.txt"}
        assert set(named.manifest.entries) == {"notes.txt"}

    logged = wandb.Api().run(f"p/{run.id}").logged_artifacts()
    assert {found.type for found in logged} == {"code"}


def test_the_script_and_a_folder_of_code_are_saved_when_a_run_opens() -> None:
    write("src/train.py", "print('hi')")
    settings = {"program": "src/train.py", "code_dir": "src"}
    with init(save_code=True, settings=settings) as run:
        pass

    assert kept(run)["code/src/train.py"] == "print('hi')"
    (artifact,) = wandb.Api().run(f"p/{run.id}").logged_artifacts()
    assert (artifact.type, set(artifact.manifest.entries)) == ("code", {"train.py"})
