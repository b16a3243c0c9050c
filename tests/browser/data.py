"""Folders of runs for the dashboard to show, each written by a real run in a process of its own."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_READY = "ready"
#: How many runs the large folder has, and how many points the long run.
MANY_RUNS = 5_000
LONG_POINTS = 1_000_000


def environment(folder: Path) -> dict[str, str]:
    """Return the variables of a training that writes below ``folder``."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("WANDB_", "QUARK_", "XDG_"))
    }
    return {
        **kept,
        "HOME": str(folder),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])),
        "QUARK_STORAGE_DIR": str(folder),
        "QUARK_SILENT": "true",
        "OMP_NUM_THREADS": "1",
    }


def train(folder: Path, *words: str, run_id: str | None = None, name: str | None = None) -> None:
    """Run a Python program in ``folder``, which keeps its runs."""
    variables = environment(folder)
    if run_id is not None:
        variables["WANDB_RUN_ID"] = run_id
    if name is not None:
        variables["WANDB_NAME"] = name
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"{words} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"


def call(folder: Path, function: str) -> None:
    """Call a function of this package in a process of its own."""
    module, name = function.split(":")
    train(folder, "-c", f"from tests.browser.{module} import {name}; {name}()")


class Runs:
    """The folders, each made when it is first asked for. ``root`` may hold them already."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def _made(self, name: str, *makers: str) -> Path:
        folder = self._root / name
        if not (folder / _READY).exists():
            folder.mkdir(parents=True, exist_ok=True)
            for maker in makers:
                call(folder, maker)
            (folder / _READY).touch()
        return folder

    @cached_property
    def demo(self) -> Path:
        """``digits`` trains well, ``broken`` diverges, ``rich`` logged one of everything."""
        folder = self._root / "demo"
        if not (folder / _READY).exists():
            folder.mkdir(parents=True, exist_ok=True)
            examples = ROOT / "examples"
            train(folder, str(examples / "wandb_digits.py"), "--epochs", "6", run_id="digits")
            broken = str(examples / "broken_training.py")
            train(folder, broken, "--high-lr", "--dead-relu", "--epochs", "6", run_id="broken")
        return self._made("demo", "data:write_rich")

    @cached_property
    def wide(self) -> Path:
        """``wide`` has 200 metrics."""
        return self._made("wide", "data:write_wide")

    @cached_property
    def long(self) -> Path:
        """``long`` has a million points of one metric."""
        return self._made("long", "data:write_long")

    @cached_property
    def many(self) -> Path:
        """5,000 short runs."""
        return self._made("many", "data:write_many")

    @cached_property
    def hostile(self) -> Path:
        """``hostile0`` and ``hostile1``: every text of them is out of the corpus."""
        return self._made("hostile", "hostile:write_hostile")

    @cached_property
    def plots(self) -> Path:
        """``plotted`` has every chart of ``wandb.plot``; ``hostile`` has them out of the corpus."""
        return self._made("plots", "plotted:write_plots")

    @cached_property
    def bare(self) -> Path:
        """``bare`` began and ended, and logged nothing."""
        return self._made("bare", "data:write_bare")

    @cached_property
    def extreme(self) -> Path:
        """``extreme``: what numbers can be, at its edges."""
        return self._made("extreme", "data:write_extreme")

    @cached_property
    def empty(self) -> Path:
        """Nobody has trained here yet."""
        return self._made("empty")


# -- the programs; each runs in a process of its own ----------------------------------------------


def write_bare() -> None:
    """Begin and end a run."""
    import quark.compat.wandb as wandb

    wandb.init(id="bare", project="empty", name="nothing yet", settings={"console": "off"}).finish()


#: Metrics by what is hard to draw about them.
EXTREMES: dict[str, tuple[float, ...]] = {
    "nearly the same": (1.0, 1.0 + 2**-52, 1.0),
    "nearly the same and large": (1e16, 1e16 + 2, 1e16),
    "the same": (3.0, 3.0, 3.0),
    "nothing but zero": (0.0, 0.0, -0.0),
    "smaller than normal": (5e-324, 1e-320, 0.0),
    "as large as can be": (1.7e308, -1.7e308, 0.0),
    "from end to end": (5e-324, 1.0, 1.7e308),
    "no number at all": (math.nan, math.inf, -math.inf),
    "hardly a number": (1.0, math.nan, math.inf, -1.0, math.nan),
    "once": (1.0,),
    "once and none": (math.nan,),
    "below zero": (-1.0, -2.0, -1e-9),
}


def write_extreme() -> None:
    """Log what is hard to draw."""
    import quark.compat.wandb as wandb

    run = wandb.init(id="extreme", project="figures", name="at the edges")
    for key, values in EXTREMES.items():
        for step, value in enumerate(values):
            run.log({f"extreme/{key}": value, f"axis/{key}": step * 1e300})
    run.log({"far": 1.0}, step=2**40)
    run.log({"far": 2.0}, step=2**52)
    run.finish()


def write_wide() -> None:
    """Log 200 metrics, 300 steps."""
    import quark.compat.wandb as wandb

    run = wandb.init(id="wide", project="figures", name="two hundred metrics")
    for step in range(300):
        run.log(
            {
                f"part{number // 20}/metric{number:03}": math.sin(step / (5 + number)) + number
                for number in range(200)
            }
        )
    run.finish()


def write_long() -> None:
    """Log a million points of one metric."""
    import quark.compat.wandb as wandb

    run = wandb.init(id="long", project="figures", name="a million points")
    for step in range(LONG_POINTS):
        run.log({"loss": math.exp(-step / 3e5) + 0.1 * math.sin(step * 12.9898) ** 3})
    run.finish()


def write_many() -> None:
    """Write 5,000 short runs into the store, without a session for each."""
    import numpy as np

    from quark import jsonio
    from quark.storage.embedded import EmbeddedStore
    from quark.storage.model import Batch, EncodedRecord, PointBlock

    store = EmbeddedStore(Path.cwd() / ".quark")
    chance = np.random.default_rng(0)
    steps = np.arange(20, dtype=np.int64)
    began_us = 1_750_000_000_000_000
    for number in range(MANY_RUNS):
        lr = float(10 ** chance.uniform(-4, -1))
        losses = np.exp(-steps * lr * 3) + chance.normal(0, 0.01, len(steps))
        time_us = began_us + number * 60_000_000
        run = {
            "project_id": f"p{number % 4}",
            "project_name": ["vision", "speech", "text", "control"][number % 4],
            "name": f"trial-{number:04}",
            "created_at": jsonio.loads(jsonio.dumps(_timestamp(time_us))),
            "tags": ["sweep", f"seed{number % 5}"],
            "group": f"group-{number % 10}",
            "config": {"lr": lr, "width": int(2 ** (5 + number % 4)), "seed": number % 5},
        }
        summary = {"loss": float(losses[-1]), "accuracy": float(1 - losses[-1] / 2)}
        end = {
            "changes": {
                "status": "failed" if number % 50 == 7 else "completed",
                "ended_at": _timestamp(time_us + 30_000_000),
            }
        }
        count = len(steps)
        block = PointBlock(
            keys=("loss",),
            seq=np.arange(2, 2 + count, dtype=np.int64),
            step=steps,
            epoch=np.zeros(count, dtype=np.int64),
            time_us=time_us + steps * 1_000_000,
            values=losses.reshape(count, 1),
        )
        last = count + 2
        records = (
            EncodedRecord(1, 0, "run", None, None, time_us, jsonio.dumps(run)),
            EncodedRecord(
                last, 0, "summary_update", None, None, time_us, jsonio.dumps({"values": summary})
            ),
            EncodedRecord(last, 1, "run_update", None, None, time_us, jsonio.dumps(end)),
        )
        store.append(
            Batch(
                run_id=f"run{number:05}",
                writer_id="w1",
                first_seq=1,
                last_seq=last,
                blocks=(block,),
                records=records,
            )
        )
    store.close()


def _timestamp(time_us: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(time_us / 1e6, UTC).isoformat().replace("+00:00", "Z")


def write_rich() -> None:
    """Log one of everything that a page can show."""
    import numpy as np

    import quark.compat.wandb as wandb

    chance = np.random.default_rng(0)
    run = wandb.init(
        id="rich",
        project="digits",
        name="one of everything",
        notes="Shows what every page has a place for.",
        group="shown",
        job_type="train",
        tags=["media", "tables"],
        config={"lr": 0.01, "optimizer": {"name": "adam", "betas": [0.9, 0.999]}},
    )
    run.define_metric("epoch")
    run.define_metric("val/*", step_metric="epoch")
    for step in range(60):
        run.log({"train/loss": math.exp(-step / 20) + chance.normal(0, 0.01), "epoch": step // 10})
        if step % 10 == 9:
            run.log({"val/loss": math.exp(-step / 25), "epoch": step // 10})
            print(f"step {step}: going well")
    pixels = (chance.random((48, 48, 3)) * 255).astype(np.uint8)
    position = {"minX": 0.2, "maxX": 0.7, "minY": 0.2, "maxY": 0.8}
    labels = {1: "cat", 2: "dog"}
    boxes = {"found": {"box_data": [{"position": position, "class_id": 1}], "class_labels": labels}}
    mask = np.zeros((48, 48), dtype=np.uint8)
    mask[10:30, 10:30] = 2
    masks = {"truth": {"mask_data": mask, "class_labels": labels}}
    table = wandb.Table(columns=["id", "guess", "sure", "image"])
    for number in range(40):
        table.add_data(number, labels[1 + number % 2], float(chance.random()), wandb.Image(pixels))
    for _ in range(3):
        run.log(
            {
                "examples": wandb.Image(pixels, caption="noise", boxes=boxes, masks=masks),
                "sound": wandb.Audio(np.sin(np.arange(8000) / 10), sample_rate=8000),
                "guesses": table,
                "page": wandb.Html("<p>said in <b>HTML</b></p>"),
                "weights": wandb.Histogram(chance.normal(size=500)),
            }
        )
    run.alert(title="Look here", text="The loss has stopped falling.", level="WARN")
    for version in range(2):
        dataset = wandb.Artifact("digits-data", type="dataset", metadata={"version": version})
        Path("train.csv").write_text(f"x,y\n{version},1\n")
        dataset.add_file("train.csv", name="raw/train.csv")
        run.log_artifact(dataset, aliases=["latest", f"try{version}"])
        dataset.wait()
    run.use_artifact("digits-data:try0")
    model = wandb.Artifact("digits-model", type="model", description="After six epochs")
    Path("weights.bin").write_bytes(bytes(2000))
    model.add_file("weights.bin")
    run.log_artifact(model)
    run.summary["best"] = 0.97
    run.finish()
