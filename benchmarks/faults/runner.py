"""Trains the planned runs, each in a process of its own, a few at a time.

A process that has torch loaded and never trains is forked for each run: it starts at once, leaves
nothing behind, and may be killed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch

from benchmarks.faults.catalogue import FAULTS
from benchmarks.faults.healthy import controls
from benchmarks.faults.judging import COSTS
from benchmarks.faults.options import Options, Plan
from benchmarks.faults.tasks import TASKS
from benchmarks.faults.training import train
from quark.persistence.open import open_store
from quark.session.reading import load_context
from quark.settings import Settings
from quark.storage.layout import store_root

HALVES = ("tune", "held-out")
ARMS = ("metrics", "watch")
SEEDS = {"tune": (0, 1), "held-out": (10, 11)}
TIMEOUT_SECONDS = 120.0
OVERHEAD = "overhead"
ENVIRONMENT = {"QUARK_QUIET": "1", "WANDB_SILENT": "true", "QUARK_SYSTEM_SAMPLE_SECONDS": "0.1"}


def plans(half: str, arm: str) -> list[Plan]:
    """Return every run of one half and one arm, broken and healthy."""
    chosen = [task.name for task in TASKS.values() if task.half == half]
    planned = []
    for fault in FAULTS.values():
        tasks = [task for task in fault.tasks if task in chosen]
        for task in tasks:
            for seed in SEEDS[half]:
                plan = Plan(
                    label=fault.name,
                    variant="",
                    task=task,
                    seed=seed,
                    half=half,
                    arm=arm,
                    options=fault.options(task),
                )
                planned.append(_with_other_optimizer(plan) if seed % 2 else plan)
    for task in chosen:
        planned += controls(task, half, arm, SEEDS[half][0] + 20)
    return [_paced(plan) for plan in planned]


def _paced(plan: Plan) -> Plan:
    """Tasks whose steps are expensive have fewer of them."""
    steps = plan.options.get("steps", Options().steps)
    return replace(plan, options={**plan.options, "steps": round(steps * TASKS[plan.task].pace)})


def _with_other_optimizer(plan: Plan) -> Plan:
    """Every second seed trains with SGD where the task has Adam, and the other way round."""
    if "optimizer" in plan.options:
        return plan
    other = "adamw" if TASKS[plan.task].optimizer == "sgd" else "sgd"
    return replace(plan, options={**plan.options, "optimizer": other})


def collect(planned: Sequence[Plan], folder: Path, workers: int = 2) -> list[str]:
    """Train what ``folder`` does not hold yet, a storage directory for each arm; return what
    failed."""
    failed: list[str] = []
    running: dict[int, tuple[Plan, float]] = {}
    waiting = [plan for plan in reversed(planned) if not _is_kept(plan, folder)]
    begin = time.monotonic()
    torch.optim.SGD([torch.zeros(1)], 0.1)  # loads the half of torch that only optimizers load
    sys.stdout.flush()
    while waiting or running:
        while waiting and len(running) < workers:
            plan = waiting.pop()
            _forget(plan, folder)
            for rank in range(Options(**plan.options).ranks):
                running[_fork(plan, folder / plan.place, rank)] = (plan, time.monotonic())
        pid, code = _reap(running)
        plan, _ = running.pop(pid)
        if code not in (0, -signal.SIGKILL) or (code and plan.label not in ("killed", "hanging")):
            failed.append(f"{plan.arm}/{plan.run_id}: exit {code}")
        if plan.label == "killed":  # whoever looks at the run next finds that nobody is there
            load_context(plan.run_id, Settings.load(storage_dir=str(folder / plan.place)))
    if len(planned) > 1:
        print(f"{len(planned)} runs in {time.monotonic() - begin:.0f} s, {len(failed)} failed")
    return failed


def _is_kept(plan: Plan, folder: Path) -> bool:
    return (folder / plan.place / "facts" / f"{plan.run_id}.json").exists()


def _forget(plan: Plan, folder: Path) -> None:
    """Remove what an earlier, broken-off attempt has left."""
    root = folder / plan.place
    if (store_root(root) / "runs" / plan.run_id).exists():
        store = open_store(Settings.load(storage_dir=str(root)))
        try:
            store.records.delete_run(plan.run_id)
        finally:
            store.close()


def _reap(running: dict[int, tuple[Plan, float]]) -> tuple[int, int]:
    """Wait for one process to end; one that takes too long is ended."""
    while True:
        for pid, (_, started) in running.items():
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return pid, os.waitstatus_to_exitcode(status)
            if time.monotonic() - started > TIMEOUT_SECONDS:
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def _fork(plan: Plan, folder: Path, rank: int) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.environ.update(ENVIRONMENT, QUARK_STORAGE_DIR=str(folder))
        if plan.label == OVERHEAD:  # as it is for everybody
            del os.environ["QUARK_SYSTEM_SAMPLE_SECONDS"]
        options = Options(**plan.options)
        if options.ranks > 1:
            os.environ.update(RANK=str(rank), WORLD_SIZE=str(options.ranks), LOCAL_RANK=str(rank))
        if options.spool_bytes:
            room = str(options.spool_bytes)
            os.environ.update(QUARK_SPOOL_MAX_BYTES=room, QUARK_SEGMENT_BYTES=room)
        train(plan, folder, rank)
        code = 0
    except BaseException:
        print(f"{plan.arm}/{plan.run_id}", traceback.format_exc(), file=sys.stderr, flush=True)
    finally:
        sys.stdout.flush()
        os._exit(code)


def chosen(halves: Iterable[str], arms: Iterable[str], only: str | None = None) -> list[Plan]:
    """Return the runs of some halves and arms, of those whose id holds ``only``."""
    found = [plan for half in halves for arm in arms for plan in plans(half, arm)]
    found.sort(key=lambda plan: (plan.label != "healthy", plan.seed, plan.run_id))
    return [plan for plan in found if only is None or only in plan.run_id]


def measured_overhead(folder: Path, rounds: int = 3) -> dict[str, float]:
    """Return what each arm adds to the training loops of the plain runs, as a ratio (0.05: 5 %)."""
    added: dict[str, list[float]] = {arm: [] for arm in ARMS}
    for name in TASKS:
        for place in range(rounds):
            seconds = {}
            for arm in ("bare", *ARMS):
                plan = _paced(
                    Plan(
                        label=OVERHEAD,
                        variant=str(place),
                        task=name,
                        seed=40,
                        half="overhead",
                        arm=arm,
                    )
                )
                (folder / plan.place / "facts" / f"{plan.run_id}.json").unlink(missing_ok=True)
                collect([plan], folder, workers=1)
                path = folder / plan.place / "facts" / f"{plan.run_id}.json"
                seconds[arm] = json.loads(path.read_text())["seconds"]
            for arm in ARMS:
                added[arm].append(seconds[arm] / seconds["bare"] - 1)
    return {arm: median(ratios) for arm, ratios in added.items()}


def write_costs(folder: Path, training_seconds: float, overhead: dict[str, float]) -> None:
    """Keep beside the runs what they took; judging them later cannot measure it."""
    costs = {"training_seconds": training_seconds, "overhead": overhead}
    (folder / COSTS).write_text(json.dumps(costs))
