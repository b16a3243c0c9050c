"""What logging an image costs the training thread: Quark, the real W&B, and a bare ``np.copy``.

1,000 images of 256x256x3, each made into a ``wandb.Image`` and logged; and as often a scalar. Back
to back, and at the end of training steps of some 10 ms of one core, where the background has the
time that it would have. ``mean_cpu_us`` is the thread's own time on a core, without what it waited
for others. Subjects take turns within one run, each in a fresh process. The child part runs with
``python -m``.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import child, have_wandb, median, percentiles

IMAGES = 1_000
SIDE = 256
POOL = 50
#: A scalar is logged for comparison: after a step that has used the caches up, any call is slow.
SCALAR = "quark, a scalar"
SUBJECTS = ("np.copy", SCALAR, "quark", "wandb")


def measure_here(arguments: dict[str, Any]) -> dict[str, float]:
    """In the child: time each call."""
    images = _photos()
    step = _training_step() if arguments["pace"] == "training" else None
    call, finish = _subject(arguments["subject"])
    for position in range(5):
        call(images[position])
    taken = []
    clock, own_clock = time.perf_counter_ns, time.thread_time_ns
    own = 0
    begun = clock()
    for position in range(IMAGES):
        if step is not None:
            step()
        image = images[position % POOL]
        own_begin, begin = own_clock(), clock()
        call(image)
        taken.append(clock() - begin)
        own += own_clock() - own_begin
    looped = clock() - begun
    begin = clock()
    finish()
    return {
        **percentiles(taken),
        "mean_us": sum(taken) / len(taken) / 1000,
        "mean_cpu_us": own / len(taken) / 1000,
        "loop_seconds": looped / 1e9,
        "finish_seconds": (clock() - begin) / 1e9,
    }


def _photos() -> list[Any]:
    """Return images that compress as photos do: smooth shapes and a little noise."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    photos = []
    for _ in range(POOL):
        waves = random.uniform(0.01, 0.08, (3, 2))
        channels = [127 + 110 * np.sin(rows * down + columns * along) for down, along in waves]
        noise = random.normal(0, 4, (SIDE, SIDE, 3))
        photos.append((np.stack(channels, axis=-1) + noise).clip(0, 255).astype(np.uint8))
    return photos


def _training_step() -> Callable[[], object]:
    matrix = np.random.default_rng(1).standard_normal((512, 512)).astype(np.float32)

    def step() -> None:
        begin = time.perf_counter()
        while time.perf_counter() - begin < 0.01:
            matrix @ matrix

    return step


def _subject(subject: str) -> tuple[Callable[[Any], object], Callable[[], object]]:
    if subject == "np.copy":
        kept: list[Any] = []
        return lambda image: kept.append(np.copy(image)), kept.clear
    if subject == "wandb":
        import wandb
    else:
        import quark.compat.wandb as wandb
    wandb.init(project="bench")
    log, image_type = wandb.log, wandb.Image
    if subject == SCALAR:
        return lambda image: log({"loss": 0.5}), wandb.finish
    return lambda image: log({"image": image_type(image)}), wandb.finish


def run(rounds: int) -> list[dict[str, Any]]:
    """Measure every pair of subject and pace; return the rows of the table."""
    subjects = [subject for subject in SUBJECTS if subject != "wandb" or have_wandb()]
    rows = []
    for pace in ("burst", "training"):
        found: dict[str, list[dict[str, float]]] = {subject: [] for subject in subjects}
        for _ in range(rounds):
            for subject in subjects:
                with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                    arguments = {"subject": subject, "pace": pace}
                    found[subject].append(child("benchmarks.media", arguments, Path(folder)))
        for subject in subjects:
            figures = {
                name: median([each[name] for each in found[subject]]) for name in found[subject][0]
            }
            ratios = {
                f"{name} / np.copy": figures[name]
                / median([each[name] for each in found["np.copy"]])
                for name in ("p50_us", "mean_cpu_us")
            }
            rows.append({"subject": subject, "pace": pace, **figures, **ratios})
    return rows


if __name__ == "__main__":
    print(json.dumps(measure_here(json.loads(sys.argv[1]))))
