"""What SummaryWriters write into a run.

``root_logdir`` is given, or W&B waits for 10 seconds. Each behaviour has one of its own: W&B takes
every event file in it.
"""

from __future__ import annotations

import math
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.tensorboard import SummaryWriter

OtherWriter: Any = import_module("tensorboardX").SummaryWriter


def files(run: Any) -> list[str]:
    """The event files in the run's folder, without what is random in their names."""
    found = Path(run.dir).rglob("*tfevents*")
    return sorted(path.parent.relative_to(run.dir).as_posix() for path in found)


def begun(wandb: Any, root: str) -> Any:
    wandb.tensorboard.patch(root_logdir=root)
    return wandb.init(project="p")


def ended(wandb: Any, run: Any, *writers: Any) -> Any:
    for writer in writers:
        writer.close()
    wandb.finish()
    wandb.tensorboard.unpatch()
    return run


def behaviour_rows(wandb: Any, see: Any) -> Any:
    run = begun(wandb, "rows")
    writer = SummaryWriter("rows")
    for step in range(4):
        writer.add_scalar("loss/train", 1 / (step + 1), step)
        writer.add_scalar("loss/val", 2 * step, step)
    writer.add_scalar("late", 5.0, 1)
    writer.add_scalar("without a step", 0.1)
    writer.add_scalar("twice", 1, 9)
    writer.add_scalar("twice", 2, 9)
    writer.add_scalar("below zero", 1, -3)
    for step, value in enumerate((math.nan, math.inf, -math.inf, 1e-30, 16777217, 123456.789)):
        writer.add_scalar("odd", value, 20 + step)
    writer.add_scalar("as a tensor", 1.5, 30, new_style=True)
    return ended(wandb, run, writer)


def behaviour_of_tensorboardx(wandb: Any, see: Any) -> Any:
    run = begun(wandb, "of_tensorboardx")
    writer = OtherWriter("of_tensorboardx")
    for step in range(3):
        writer.add_scalar("loss", step / 3, step)
        writer.add_scalar("accuracy", step / 7, step * 10)
    writer.add_histogram("h", np.arange(10.0), 40)
    return ended(wandb, run, writer)


def behaviour_histograms(wandb: Any, see: Any) -> Any:
    run = begun(wandb, "histograms")
    writer = SummaryWriter("histograms")
    writer.add_histogram("small", np.array([1.0, 2.0, 3.0]), 0, bins=3)
    writer.add_histogram("range", np.arange(100.0), 1)
    writer.add_histogram("both signs", np.linspace(-1, 1, 50), 2, bins=10)
    writer.add_histogram_raw(
        "raw",
        min=0,
        max=2,
        num=3,
        sum=4,
        sum_squares=5,
        bucket_limits=[1.0, 2.0],
        bucket_counts=[1, 2],
        global_step=3,
    )
    writer.add_scalar("after", 1, 4)
    return ended(wandb, run, writer)


def behaviour_namespaces(wandb: Any, see: Any) -> Any:
    run = begun(wandb, "namespaces")
    writer = SummaryWriter("namespaces/one/two")
    for step in range(3):
        writer.add_scalar("loss", step, step)
    return ended(wandb, run, writer)


def behaviour_step_metrics(wandb: Any, see: Any) -> Any:
    run = begun(wandb, "step_metrics")
    wandb.define_metric("*", step_metric="global_step")
    wandb.define_metric("loss", summary="min")
    writer = SummaryWriter("step_metrics")
    for step in (0, 1000, 2000):
        writer.add_scalar("loss", abs(1 - step), step)
        writer.add_scalar("reward", step, step)
    return ended(wandb, run, writer)


def behaviour_patching(wandb: Any, see: Any) -> Any:
    see("nothing is patched", lambda: len(wandb.patched["tensorboard"]))
    see("unpatched when nothing is", lambda: wandb.tensorboard.unpatch())
    wandb.tensorboard.patch(root_logdir="patching")
    see("something is patched", lambda: len(wandb.patched["tensorboard"]) > 0)
    see("patched twice", lambda: wandb.tensorboard.patch(root_logdir="patching"))
    wandb.tensorboard.unpatch()
    see("nothing is patched again", lambda: len(wandb.patched["tensorboard"]))
    run = wandb.init(project="p")
    writer = SummaryWriter("elsewhere")
    writer.add_scalar("loss", 1, 1)
    return ended(wandb, run, writer)


def behaviour_the_scripts_own_rows(wandb: Any, see: Any) -> Any:
    run = begun(wandb, "own")
    see("returns", lambda: wandb.log({"own": 1}))
    see("with a step", lambda: wandb.log({"stepped": 1}, step=10))
    see("the same step", lambda: wandb.log({"too": 1}, step=10))
    see("the next step", lambda: wandb.log({"stepped": 2}, step=11))
    see("a lower step", lambda: wandb.log({"low": 2}, step=3))
    return ended(wandb, run)


def behaviour_files(wandb: Any, see: Any) -> Any:
    run = begun(wandb, "files")
    writers = [SummaryWriter("files"), SummaryWriter("files/a/b")]
    for writer in writers:
        writer.add_scalar("loss", 1, 1)
        writer.close()
    wandb.finish()
    wandb.tensorboard.unpatch()
    see("kept", lambda: files(run))


def behaviour_files_not_saved(wandb: Any, see: Any) -> Any:
    wandb.tensorboard.patch(root_logdir="unsaved", save=False)
    run = wandb.init(project="p")
    writer = SummaryWriter("unsaved")
    writer.add_scalar("loss", 1, 1)
    writer.close()
    wandb.finish()
    wandb.tensorboard.unpatch()
    see("kept", lambda: files(run))
