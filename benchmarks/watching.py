"""What watching a model adds to a training step: W&B's ``watch``, Quark's own, and Quark's parts.

Blocks of bare and watched steps alternate within one process, each watched block between two bare
ones, and each ratio is one of neighbours: the machine's speed drifts more than what is measured.
Whatever watches is attached before its block and gone after it, so that bare steps are bare. What
it does in the background counts where it slows the training down, which on two cores with two
training threads it does; ``CPU, %`` is all of it, what other cores did as well.
"""

from __future__ import annotations

import contextlib
import copy
import gc
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from benchmarks.measure import child, have_wandb, median

BLOCK_SECONDS, WARM_UP_STEPS, TURNS = 0.6, 20, 6
THREADS = min(2, os.cpu_count() or 1)
SCOPES = 20_000

#: A step, told its number; and what attaches something for a block and gives the steps with it.
Step = Callable[[int], None]
Subject = Callable[["Training"], AbstractContextManager[Step]]


class Training:
    """One model in training."""

    def __init__(self, name: str) -> None:
        import torch

        from benchmarks.watched_models import WORKLOADS

        workload = WORKLOADS[name]
        self.on_gpu = workload.device != "cpu"
        self.model, self.optimizer, self._forward = workload.prepare()
        self.log_every = 10 if self.on_gpu else 1
        self._synchronize = torch.cuda.synchronize if self.on_gpu else lambda: None
        self._steps = 0
        self._start = copy.deepcopy((self.model.state_dict(), self.optimizer.state_dict()))

    def start_over(self) -> None:
        """Forget what was learned: in a model that knows its batch by heart, gradients are so
        small that the CPU takes several times as long to compute with them."""
        self.model.load_state_dict(self._start[0])
        self.optimizer.load_state_dict(copy.deepcopy(self._start[1]))

    def pass_through(self) -> Any:
        """Make the forward and backward pass; return the loss."""
        loss = self._forward()
        loss.backward()
        return loss

    def step(self, number: int, log: Callable[[float], object] = lambda loss: None) -> None:
        """A whole step; ``log`` is given the loss where it is looked at."""
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.pass_through()
        self.optimizer.step()
        if number % self.log_every == 0:
            log(loss.item())

    def measure(self, step: Step, count: int) -> tuple[float, float]:
        """Return the time of a step, and the CPU time of the process for it, in µs."""
        for _ in range(WARM_UP_STEPS):
            self._one(step)
        self._synchronize()
        began, cpu = time.perf_counter(), _cpu_seconds()
        for _ in range(count):
            self._one(step)
        self._synchronize()
        ended = time.perf_counter()
        return (ended - began) / count * 1e6, (_cpu_seconds() - cpu) / count * 1e6

    def _one(self, step: Step) -> None:
        step(self._steps)
        self._steps += 1


def _cpu_seconds() -> float:
    """CPU time of this process and its children that still live (W&B has one)."""
    import psutil

    me = psutil.Process()
    times = [me.cpu_times(), *(child.cpu_times() for child in me.children(recursive=True))]
    return sum(one.user + one.system for one in times)


# -- what is attached ----------------------------------------------------------------------------


def _logged(wandb: Any, training: Training) -> Step:
    return lambda number: training.step(number, lambda loss: wandb.log({"train/loss": loss}))


def face_subjects(wandb: Any) -> dict[str, Subject]:
    """What is called the same in W&B and in Quark."""

    @contextlib.contextmanager
    def logging(training: Training) -> Iterator[Step]:
        yield _logged(wandb, training)

    @contextlib.contextmanager
    def watching(training: Training) -> Iterator[Step]:
        wandb.watch(training.model, log="all", log_freq=10, idx=0)
        try:
            yield _logged(wandb, training)
        finally:
            wandb.unwatch(training.model)

    subjects: dict[str, Subject] = {"log(1 scalar)": logging}
    if callable(getattr(wandb, "watch", None)):
        subjects['log + watch(log="all", log_freq=10)'] = watching
    else:
        print("watch is not there yet: left out", file=sys.stderr)
    return subjects


def native_subjects(session: Any) -> dict[str, Subject]:
    """Quark's own parts."""
    from quark import (
        HookEngine,
        HookScheduleConfig,
        ParameterDiagnostics,
        ParameterDiagnosticsConfig,
        SystemTelemetry,
    )

    @contextlib.contextmanager
    def hooks(training: Training) -> Iterator[Step]:
        with HookEngine(session, training.model, training.optimizer) as engine:

            def step(number: int) -> None:
                training.optimizer.zero_grad(set_to_none=True)
                with engine.step(number):
                    loss = training.pass_through()
                training.optimizer.step()
                if number % training.log_every == 0:
                    loss.item()

            yield step

    @contextlib.contextmanager
    def scopes(training: Training) -> Iterator[Step]:
        with SystemTelemetry(session) as telemetry:

            def step(number: int) -> None:
                with telemetry.start_step(number) as scope:
                    scope.mark_data_ready()
                    training.step(number)

            yield step

    @contextlib.contextmanager
    def snapshots(training: Training) -> Iterator[Step]:
        config = ParameterDiagnosticsConfig(
            schedule=HookScheduleConfig(every_n_steps=50),
            capture_distributions=True,
            distribution_types=("value", "gradient", "update"),
        )
        with ParameterDiagnostics(
            session, training.model, training.optimizer, config=config
        ) as parameters:

            def step(number: int) -> None:
                training.step(number)
                parameters.snapshot(number)

            yield step

    return {
        "hooks on all layers, every step": hooks,
        "telemetry scope, every step": scopes,
        "parameter snapshot every 50, distributions": snapshots,
    }


# -- in the child --------------------------------------------------------------------------------


def measure_here(arguments: dict[str, Any]) -> dict[str, Any]:
    """In the child: take turns, and return what each turn gave, by subject."""
    import torch

    torch.set_num_threads(arguments["threads"])
    with _opened(arguments["tracker"]) as (subjects, session):
        if arguments["model"] is None:
            return {"scope": _scope_alone(session)}
        return _turns(Training(arguments["model"]), subjects)


def _turns(training: Training, subjects: dict[str, Subject]) -> dict[str, Any]:
    training.measure(training.step, 5)
    bare_us, _ = training.measure(training.step, 10)
    count = max(50, int(BLOCK_SECONDS * 1e6 / bare_us) // 50 * 50)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in subjects}
    before = _block(training, training.step, count)
    for turn in range(TURNS):
        names = list(subjects)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            with subjects[name](training) as step:
                watched = _block(training, step, count)
            after = _block(training, training.step, count)
            bare = [(one + other) / 2 for one, other in zip(before, after, strict=True)]
            found[name].append(
                {
                    "bare step, µs": bare[0],
                    "added, µs": watched[0] - bare[0],
                    "added, %": 100 * (watched[0] / bare[0] - 1),
                    "CPU, %": 100 * (watched[1] / bare[1] - 1),
                }
            )
            before = after
    return found


def _block(training: Training, step: Step, count: int) -> tuple[float, float]:
    training.start_over()
    gc.collect()
    time.sleep(0.3)  # what the block before left to be done in the background
    return training.measure(step, count)


@contextlib.contextmanager
def _opened(tracker: str) -> Iterator[tuple[dict[str, Subject], Any]]:
    """Open a run that does nothing by itself."""
    if tracker == "quark":
        from quark import TrainingSession

        with TrainingSession.start_run(project="bench") as session:
            yield native_subjects(session), session
        return
    wandb: Any
    if tracker == "wandb":
        import wandb
    else:
        import quark.compat.wandb as wandb
    wandb.init(project="bench", settings=wandb.Settings(x_disable_stats=True, console="off"))
    yield face_subjects(wandb), None
    wandb.finish()


def _scope_alone(session: Any) -> dict[str, float]:
    """Time step scopes with nothing in them, in µs, with and without an epoch."""
    from quark import SystemTelemetry

    def taken(epoch: int | None) -> float:
        with SystemTelemetry(session) as telemetry:
            times = []
            for step in range(SCOPES):
                began = time.perf_counter_ns()
                with telemetry.start_step(step, epoch=epoch) as scope:
                    scope.mark_data_ready()
                times.append(time.perf_counter_ns() - began)
        return median([one / 1000 for one in times[SCOPES // 10 :]])

    return {"step scope, µs": taken(None), "with an epoch, µs": taken(0)}


# -- in the parent -------------------------------------------------------------------------------


def run(rounds: int = 3) -> list[dict[str, Any]]:
    """Measure every tracker on every model ``rounds`` times, taking turns; return medians."""
    from benchmarks.watched_models import workloads_here

    trackers = ["quark", "quark shim", *(["wandb"] if have_wandb() else [])]
    rows: list[dict[str, Any]] = []
    for model in workloads_here():
        turns: dict[tuple[str, str], list[dict[str, float]]] = {}
        loads: list[float] = []
        for number in range(rounds):
            for tracker in trackers[number % len(trackers) :] + trackers[: number % len(trackers)]:
                loads.append(os.getloadavg()[0])
                for name, found in _in_child(tracker, model).items():
                    turns.setdefault((tracker, name), []).extend(found)
        order = sorted(turns, key=lambda key: trackers.index(key[0]))
        rows += [_row(model, key, turns[key], max(loads)) for key in order]
    return rows


def run_scopes(rounds: int = 3) -> list[dict[str, Any]]:
    """Measure telemetry's step scope alone."""
    found = [_in_child("quark", None)["scope"] for _ in range(rounds)]
    return [{name: median([one[name] for one in found]) for name in found[0]}]


def _in_child(tracker: str, model: str | None) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        arguments = {"tracker": tracker, "model": model, "threads": THREADS}
        return child("benchmarks.watching", arguments, Path(folder))


def _row(
    model: str, key: tuple[str, str], turns: list[dict[str, float]], load: float
) -> dict[str, Any]:
    added = [turn["added, %"] for turn in turns]
    return {
        "model": model,
        "tracker": key[0],
        "what": key[1],
        **{name: median([turn[name] for turn in turns]) for name in turns[0]},
        "lowest, %": min(added),
        "highest, %": max(added),
        "turns": len(turns),
        "load before": load,
    }


if __name__ == "__main__":
    print(json.dumps(measure_here(json.loads(sys.argv[1]))))
