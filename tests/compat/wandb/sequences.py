"""Random sequences of calls, and what a package shows of them.

``python -m tests.compat.wandb.sequences PACKAGE COUNT OUTPUT [killed]``, in an empty folder: all
sequences in one process, each in a run of its own, which is called after its seed. With ``killed``
no run is finished, and the process kills itself.

A sequence keeps off what is listed as a difference: keys with dots, NaN set in the summary, two
globs for one key, ``first`` or ``none`` for a key that the script sets. Keys that start with
``late`` are logged below the open step, where W&B drops them; the comparison leaves them out.

Odd sequences close the last row and show the summary before they finish. Even ones leave it open;
of these W&B's file is all there is to compare with, and as that does not follow when a key is gone
or defined, they take nothing out of the summary and define everything first.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.compat.wandb.driver import CATCHABLE, SHIM, kept, shown, without_own

_SETTINGS = {
    "silent": True,
    "console": "off",
    "disable_git": True,
    "disable_code": True,
    "x_disable_stats": True,
    "x_disable_meta": True,
    "x_disable_machine_info": True,
    "x_save_requirements": False,
}
_KEYS = ("a", "b", "loss", "val/x", "val/y")
_FIRST = "first,min"
_SUMMARIES = (
    *("min", "max", "mean", "last", "none", "copy", "min,max", "last,mean", _FIRST),
    None,
)
_MAX_CALLS = 25
_FINISHED_AT_ONCE = 20

Call = Callable[[Any], Any]
_Maker = Callable[["Chance", str | None, int], tuple[str, Call]]


class Chance(random.Random):
    """Numbers for one sequence.

    ``removes`` says whether it may take keys out of the summary, ``sums_all`` whether it may define
    a summary for ``*``; it has no step metrics then, as W&B does not count those that it put in.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.removes = seed % 2 == 1
        self.sums_all = seed % 3 == 1


def calls(seed: int) -> Iterator[tuple[str, Call]]:
    """Yield the calls of a sequence, each with its text."""
    chance = Chance(seed)
    glob = chance.choice(["*", "val/*", "l*", None])
    makers: dict[str, _Maker] = {
        "log": _log,
        "define": _define,
        "summary": _summary,
        "config": _config,
    }
    kinds = chance.choices(tuple(makers), weights=(12, 3, 3, 1), k=chance.randrange(3, _MAX_CALLS))
    if not chance.removes:
        kinds.sort(key=lambda kind: kind != "define")
    for number, kind in enumerate(kinds):
        yield makers[kind](chance, glob if kind == "define" else None, number)


def _value(chance: Chance) -> Any:
    makers: list[Callable[[], Any]] = [
        *(lambda: chance.randrange(-5, 9),) * 4,
        *(lambda: round(chance.uniform(-5, 5), 3),) * 4,
        lambda: float("nan"),
        lambda: float("inf"),
        lambda: None if chance.removes else 0,
        lambda: chance.choice(["text", ""]),
        lambda: chance.random() < 0.5,
        lambda: [1, 2, "x"],
    ]
    return chance.choice(makers)()


def _row(chance: Chance) -> dict[str, Any]:
    row: dict[str, Any] = {
        key: _value(chance) for key in chance.sample(_KEYS, chance.randrange(0, 4))
    }
    if chance.random() < 0.3:
        row["e"] = chance.choice([chance.randrange(50), round(chance.uniform(0, 9), 2)])
    if chance.random() < 0.25:
        names = chance.sample(["x", "y", "z"], chance.randrange(1, 3))
        row["n"] = {
            name: {"deep": _value(chance)} if name == "z" else _value(chance) for name in names
        }
    return row


def _log(chance: Chance, glob: str | None, number: int) -> tuple[str, Call]:
    row, commit = _row(chance), chance.choice([None, None, None, True, False])
    kind = chance.choice(["none", "none", "same", "above", "late"])
    if kind == "late":
        row = {f"late{number}": 1}
    shift = {"same": 0, "above": chance.randrange(1, 4), "late": -chance.randrange(1, 3)}

    def call(run: Any) -> Any:
        if kind == "none":
            return run.log(row, commit=commit)
        return run.log(row, step=run.step + shift[kind], commit=commit)

    return f"log({row}, {kind} {shift.get(kind)}, commit={commit})", call


def _define(chance: Chance, glob: str | None, number: int) -> tuple[str, Call]:
    names = [*_KEYS, "n.x", "n.z.deep", "e"] + ([glob] * 4 if glob else [])
    name = chance.choice(names)
    word = chance.choice(_SUMMARIES)
    given: dict[str, Any] = {"summary": word if chance.removes or word != "none" else "min"}
    if (name == "*" and not chance.sums_all) or (name in "*a" and word in ("none", _FIRST)):
        given["summary"] = None
    if name != "e" and not (glob == "*" and chance.sums_all) and chance.random() < 0.4:
        given["step_metric"] = "e"
        given["step_sync"] = chance.choice([None, True, False])
    if chance.random() < 0.2:
        given["overwrite"] = True
    return f"define_metric({name!r}, {given})", lambda run: run.define_metric(name, **given).name


def _summary(chance: Chance, glob: str | None, number: int) -> tuple[str, Call]:
    key, value = chance.choice(["a", "own"]), chance.choice([7, 2.5, "set", [1], {"k": 1}])
    kind = chance.choice(["set", "set", "update", *(["delete", "none"] if chance.removes else [])])
    actions: dict[str, Call] = {
        "set": lambda run: run.summary.__setitem__(key, value),
        "update": lambda run: run.summary.update({key: value, "other": 1}),
        "delete": lambda run: run.summary.__delitem__(key),
        "none": lambda run: run.summary.__setitem__("own", None),
    }
    return f"summary {kind} {key} = {value}", actions[kind]


def _config(chance: Chance, glob: str | None, number: int) -> tuple[str, Call]:
    key, value, may = chance.choice("pq"), chance.choice([1, "x", {"k": [1]}]), number % 2 == 0
    return (
        f"config {key} = {value}, {may}",
        lambda run: run.config.update({key: value}, allow_val_change=may),
    )


def main(package: str, count: str, output: str, ending: str = "finished") -> None:
    wandb = import_module(package)
    steps: dict[str, list[Any]] = {}
    summaries: dict[str, Any] = {}
    runs: list[Any] = []
    for seed in range(int(count)):
        run_id = f"s{seed}"
        run = wandb.init(id=run_id, project="p", reinit="create_new", settings=_SETTINGS)
        steps[run_id] = []
        for _, call in calls(seed):
            try:
                call(run)
                raised = None
            except Exception as error:
                raised = sorted({kind.__name__ for kind in type(error).__mro__} & CATCHABLE)
            steps[run_id].append([shown(run.step), raised])
        if seed % 2 == 1:
            run.log({})
        summaries[run_id] = without_own(run.summary)
        runs.append(run)
        if ending == "finished" and len(runs) == _FINISHED_AT_ONCE:
            _finish(runs)
    if ending == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    _finish(runs)
    wandb.teardown()
    seen = {}
    for seed, run_id in enumerate(steps):
        seen[run_id] = {"steps": steps[run_id], **kept(package, run_id)}
        if package == SHIM or seed % 2 == 1:
            seen[run_id]["summary shown"] = summaries[run_id]
    Path(output).write_text(json.dumps(seen))


def _finish(runs: list[Any]) -> None:
    """End runs side by side: W&B waits a tenth of a second for each."""
    with ThreadPoolExecutor(_FINISHED_AT_ONCE) as pool:
        list(pool.map(lambda run: run.finish(), runs))
    runs.clear()


if __name__ == "__main__":
    main(*sys.argv[1:])
