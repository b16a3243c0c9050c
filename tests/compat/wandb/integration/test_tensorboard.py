"""``sync_tensorboard``: what a SummaryWriter writes is in the run, as W&B has it."""

from __future__ import annotations

import importlib
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import quark.compat.wandb as wandb
from quark.compat.wandb.differences import DIFFERENCES
from quark.compat.wandb.integration.event_values import shortest
from quark.session import TrainingSession
from tests.compat.wandb.differential import observe

pytest.importorskip("tensorboard", reason="SummaryWriter needs tensorboard")
pytest.importorskip("torch")

LISTED = {name for difference in DIFFERENCES for name in difference.shown_by}
CLASSES = ("tensorboard.summary.writer.event_file_writer", "tensorboardX.event_file_writer")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_SILENT", "true")
    yield
    while wandb.run is not None:
        wandb.finish()
    wandb.tensorboard.unpatch()


def writer(folder: str, package: str = "torch.utils.tensorboard") -> Any:
    return importlib.import_module(package).SummaryWriter(folder)


def rows(run: Any) -> list[dict[str, Any]]:
    """What a finished run has, without the clock's values and Nones."""
    found = wandb.Api().run(run.id).scan_history()
    return [
        {key: value for key, value in row.items() if key[0] != "_" and value is not None}
        for row in found
    ]


@pytest.mark.wandb_parity
def test_writers_are_followed_as_by_wandb(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    pytest.importorskip("tensorboardX")
    found = observe("tests.compat.wandb.integration.behaviours_tensorboard", tmp_path)
    named = {f"tensorboard / {behaviour.name}": behaviour for behaviour in found}

    others = {
        name: (behaviour.real, behaviour.shim)
        for name, behaviour in named.items()
        if not behaviour.same and name not in LISTED
    }
    stale = {name for name in LISTED if name.startswith("tensorboard / ")} - {
        name for name, behaviour in named.items() if not behaviour.same
    }

    assert others == {}
    assert stale == set(), "listed in differences.py, but no difference any more"
    record_property("behaviours compared", len(named))
    print(f"tensorboard: {len(named)} behaviours compared")


def test_writers_side_by_side_are_told_apart_by_their_folders() -> None:
    run = wandb.init(sync_tensorboard=True)
    train, val = writer("runs/train"), writer("runs/val")
    for step in range(2):
        train.add_scalar("loss", step, step)
        val.add_scalar("loss", 10 + step, step)
    deeper = writer("runs/train/deeper")
    deeper.add_scalar("loss", 5, 7)
    for one in (train, val, deeper):
        one.close()
    wandb.finish()

    assert rows(run) == [
        {"train/loss": 0, "global_step": 0},
        {"val/loss": 10, "global_step": 0},
        {"train/loss": 1, "global_step": 1},
        {"val/loss": 11, "global_step": 1},
        {"train/deeper/loss": 5, "global_step": 7},
    ]
    kept = sorted(path.parent.name for path in Path(run.dir).rglob("*tfevents*"))
    assert kept == ["deeper", "train", "val"]


@pytest.mark.parametrize("module", CLASSES)
def test_the_files_of_a_writer_that_is_closed_already_are_kept(module: str) -> None:
    event_writer = pytest.importorskip(module).EventFileWriter
    run = wandb.init(sync_tensorboard=True)
    closed, open_yet = event_writer("a"), event_writer("b")
    closed.close()

    run.finish()

    written = {path.name for path in Path().glob("[ab]/*tfevents*")}
    assert {path.name for path in Path(run.dir).rglob("*tfevents*")} == written != set()
    open_yet.close()


def test_texts_are_kept_and_hyperparameters_become_config() -> None:
    run = wandb.init(tensorboard=True, config={"lr": 0.5})
    one = writer("runs/x")
    one.add_text("notes", "a **note**", 3)
    one.add_hparams({"lr": 0.1, "name": "sgd", "nesterov": True}, {"accuracy": 0.5}, run_name="h")
    one.close()
    wandb.finish()

    assert rows(run) == [
        {"notes": "a **note**", "global_step": 3},
        {"h/accuracy": 0.5, "global_step": 0},
    ]
    assert wandb.Api().run(run.id).config == {"lr": 0.5, "name": "sgd", "nesterov": True}


def test_images_and_curves_are_media() -> None:
    numpy = pytest.importorskip("numpy")
    pytest.importorskip("PIL")
    run = wandb.init(sync_tensorboard=True)
    one = writer("runs/x")
    one.add_image("a/picture", numpy.full((3, 4, 6), 200, dtype="uint8"), 1)
    one.add_pr_curve("curve", numpy.array([0, 1, 1, 0]), numpy.array([0.1, 0.9, 0.6, 0.4]), 2)
    one.close()
    wandb.finish()

    picture, curve = rows(run)
    assert picture["a/picture"]["_type"] == "images/separated"
    assert (picture["a/picture"]["width"], picture["a/picture"]["height"]) == (6, 4)
    assert picture["a/picture"]["count"] == 1
    assert (curve["curve"]["_type"], curve["curve"]["ncols"]) == ("table-file", 2)


@pytest.mark.parametrize("package", ["torch.utils.tensorboard", "tensorboardX"])
def test_classes_are_given_back_and_a_writer_outlives_its_run(package: str) -> None:
    pytest.importorskip(package)
    present = [module for module in CLASSES if importlib.util.find_spec(module.partition(".")[0])]
    classes = [importlib.import_module(module).EventFileWriter for module in present]
    before = [(owner.__init__, owner.add_event) for owner in classes]
    early = writer("runs/early", package)

    first = wandb.init(sync_tensorboard=True)
    patched = [(owner.__init__, owner.add_event) for owner in classes]
    early.add_scalar("loss", 1, 1)
    wandb.finish()
    early.add_scalar("loss", 2, 2)
    second = wandb.init(sync_tensorboard=True)
    early.add_scalar("loss", 3, 3)
    wandb.finish()
    early.close()

    assert all(one != other for one, other in zip(before, patched, strict=True))
    assert [(owner.__init__, owner.add_event) for owner in classes] == before
    assert rows(first) == [{"loss": 1, "global_step": 1}]
    assert rows(second) == [{"loss": 3, "global_step": 3}]
    assert wandb.patched == {"tensorboard": [], "keras": [], "gym": []}


def test_a_value_that_cannot_be_kept_does_not_stop_the_writer() -> None:
    run = wandb.init(sync_tensorboard=True)
    one = writer("runs/x")
    owner = importlib.import_module(CLASSES[0]).EventFileWriter
    event = importlib.import_module("tensorboard.compat.proto.event_pb2").Event(step=1)
    event.summary.value.add(tag="broken").image.encoded_image_string = b"no image"
    event.summary.value.add(tag="loss", simple_value=1.0)
    file_writer = owner("runs/y")
    file_writer.add_event(event)
    file_writer.close()
    one.add_scalar("loss", 2.0, 2)
    one.close()
    assert isinstance(run._session, TrainingSession)
    faults = run._session.handle.faults.counts()
    wandb.finish()

    assert faults == {"an event of a SummaryWriter was not kept": 1}
    assert {"x/loss": 2, "global_step": 2} in rows(run)


def test_what_is_written_past_python_is_read_when_the_run_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = writer("elsewhere")
    for step in range(3):
        one.add_scalar("loss", step / 4, step)
    one.close()
    (written,) = Path("elsewhere").iterdir()
    package = tmp_path / "tensorflow" / "python" / "ops"
    package.mkdir(parents=True)
    (package / "gen_summary_ops.py").write_text(
        "import os, shutil\n"
        "def create_summary_file_writer(writer, logdir):\n"
        "    logdir = os.fsdecode(logdir)\n"
        "    os.makedirs(logdir)\n"
        f"    shutil.copy({str(written.resolve())!r}, logdir)\n"
    )

    run = wandb.init(sync_tensorboard=True)
    wandb.log({"own": 1})
    with monkeypatch.context() as only_here:  # tensorboard would take it for the whole package
        only_here.syspath_prepend(tmp_path)
        tensorflow = importlib.import_module("tensorflow.python.ops.gen_summary_ops")
        tensorflow.create_summary_file_writer(writer=None, logdir=b"logs/fit")
    for name in [name for name in sys.modules if name.partition(".")[0] == "tensorflow"]:
        del sys.modules[name]
    wandb.finish()

    assert rows(run) == [
        {"own": 1},
        *({"loss": step / 4, "global_step": step} for step in range(3)),
    ]
    assert [path.name for path in Path(run.dir).rglob("*tfevents*")] == [written.name]
    assert tensorflow.create_summary_file_writer.__name__ == "create_summary_file_writer"


def test_a_folder_of_event_files_is_logged_as_if_it_were_written_now() -> None:
    live = wandb.init(sync_tensorboard=True)
    several = [writer("runs"), writer("runs/val")]
    for step in range(3):
        several[0].add_scalar("loss", step / 3, step)
    several[1].add_text("notes", "a text", 2)
    for one in several:
        one.close()
    wandb.finish()

    afterwards = wandb.init()
    wandb.integration.tensorboard.log_folder(afterwards, "runs")
    wandb.finish()

    assert rows(afterwards) == rows(live)
    assert len(list(Path(afterwards.dir).rglob("*tfevents*"))) == 2
    assert wandb.Api().run(afterwards.id).summary["loss"] == pytest.approx(2 / 3)


KILLED = """
import os, signal
import quark.compat.wandb as wandb
from torch.utils.tensorboard import SummaryWriter
run = wandb.init(id="killed", sync_tensorboard=True)
writer = SummaryWriter("runs/x")
for step in range(300):
    writer.add_scalar("loss", step, step)
    writer.add_scalar("accuracy", -step, step)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_nothing_that_was_written_is_lost_when_the_process_is_killed() -> None:
    result = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, check=False)

    assert result.returncode == -signal.SIGKILL, result.stderr
    found = wandb.Api().run("killed").scan_history(keys=["loss", "accuracy", "global_step"])
    values = [(row["global_step"], row["loss"], row["accuracy"]) for row in found]
    assert values == [(step, step, -step) for step in range(300)]


def test_a_disabled_run_follows_nobody() -> None:
    run = wandb.init(mode="disabled", sync_tensorboard=True)
    one = writer("runs/x")
    one.add_scalar("loss", 1, 1)
    one.close()
    run.log({"a": 1}, step=5)

    assert dict(run.summary) == {"a": 1}
    assert wandb.patched["tensorboard"] == []


def test_numbers_have_no_more_digits_than_32_bits_hold() -> None:
    numpy = pytest.importorskip("numpy")
    generator = numpy.random.default_rng(0)
    samples = generator.normal(size=500) * 10.0 ** generator.integers(-30, 30, size=500)
    numbers = samples.astype("float32")

    for number in (*numbers, numpy.float32(0.1), numpy.float32("inf"), numpy.float32(7)):
        assert shortest(float(number)) == float(str(number))
