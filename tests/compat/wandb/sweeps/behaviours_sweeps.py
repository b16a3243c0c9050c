"""What of W&B's sweeps can be seen without its server: a trial's own process, configurations,
commands, and arguments."""

from __future__ import annotations

import contextlib
import copy
import json
import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.compat.wandb.driver import SHIM

VALUES = """\
wandb_version: 1

lr:
  value: 0.001
tiny:
  value: 1.0e-05
name:
  value: adam
none:
  value: null
switch:
  value: false
optimizer:
  value:
    lr: 0.5
    betas: [0.9, 0.99]
"""


@contextlib.contextmanager
def variables(wandb: Any, **values: str) -> Iterator[None]:
    """Let the package find ``WANDB_*`` variables, as in a process that an agent has started."""
    names = {f"WANDB_{name}": value for name, value in values.items()}
    wandb.teardown()
    os.environ.update(names)
    try:
        yield
    finally:
        for name in names:
            os.environ.pop(name)
        wandb.teardown()


def config_of(run: Any) -> dict[str, Any]:
    return {key: item for key, item in run.config.as_dict().items() if not key.startswith("_")}


def values_file(text: str = VALUES) -> str:
    path = Path("values.yaml").absolute()
    path.write_text(text)
    return str(path)


def behaviour_a_trial_of_a_sweep(wandb: Any, see: Any) -> None:
    given = {"lr": 7, "own": 1, "optimizer": {"lr": 7, "eps": 3}}
    names = {"SWEEP_ID": "s1", "SWEEP_PARAM_PATH": values_file(), "RUN_ID": "r1", "PROJECT": "p1"}
    with variables(wandb, **names):
        run = wandb.init(project="other", entity="someone", id="mine", name="n", config=given)
        for name in ("project", "id", "name", "sweep_id"):
            see(name, lambda name=name: getattr(run, name))
        see("config", lambda: config_of(run))
        run.config.update({"lr": 99, "own": 2, "more": 3}, allow_val_change=True)
        see("after update", lambda: [run.config.lr, run.config.own, run.config.more])
        run.config.lr = 98
        run.config["optimizer"] = {"x": 1}
        see("after setting", lambda: [run.config["lr"], run.config["optimizer"]])
        run.config.update({"lr": 97})
        run.config.setdefaults({"lr": 96, "name": "b"})
        see("after update without leave", lambda: [run.config.lr, run.config.name])
        see("own is still checked", lambda: run.config.update({"own": 5}))
        see("given is as it was", lambda: given)
        wandb.finish()


def behaviour_values_without_a_sweep(wandb: Any, see: Any) -> None:
    with variables(wandb, SWEEP_PARAM_PATH=values_file()):
        run = wandb.init(project="mine", id="r7", config={"lr": 7, "own": 1})
        see("who", lambda: [run.project, run.id, run.sweep_id])
        run.config.update({"lr": 9}, allow_val_change=True)
        see("config", lambda: config_of(run))
        wandb.finish()


def behaviour_a_sweep_without_values(wandb: Any, see: Any) -> None:
    with variables(wandb, SWEEP_ID="s2"):
        run = wandb.init(project="mine", id="r8", config={"lr": 7})
        run.config.update({"lr": 9}, allow_val_change=True)
        see("who", lambda: [run.project, run.sweep_id, run.config.lr, run.id == "r8"])
        wandb.finish()


def behaviour_values_that_an_agent_wrote(wandb: Any, see: Any) -> None:
    """Each package reads what the other one writes."""
    values = {
        "a": 1e-5,
        "b": 1e20,
        "c": 3,
        "d": [1.5e-7, True, None],
        "e": {"f": "1e-3"},
        "g": "x: y",
        "no": "yes",
    }
    path = Path("config.yaml").absolute()
    if wandb.__name__ == SHIM:
        save = import_module("wandb.sdk.lib.config_util").save_config_file_from_dict
        save(str(path), {name: {"value": value} for name, value in values.items()})
    else:
        import_module(f"{SHIM}.sweeps.trial_values").write_values(path, values)
    with variables(wandb, SWEEP_PARAM_PATH=str(path)):
        run = wandb.init(project="p")
        see("config", lambda: config_of(run))
        see("kinds", lambda: {name: str(type(item)) for name, item in config_of(run).items()})
        wandb.finish()


PARAMETERS: dict[str, Any] = {
    "whole": {"min": 1, "max": 5},
    "broken": {"min": 1.0, "max": 5.0},
    "mixed": {"min": 1, "max": 5.0},
    "mixed the other way": {"min": 1.0, "max": 5},
    "named": {"min": 1, "max": 5, "distribution": "uniform"},
    "mixed but named": {"min": 1, "max": 5.0, "distribution": "uniform"},
    "switches": {"min": False, "max": True},
    "texts": {"min": "1", "max": "5"},
    "value": {"value": 3},
    "values": {"values": [1, 2.0, "x", None]},
    "one end": {"min": 3},
    "with q": {"min": 1, "max": 8, "q": 2},
    "normal": {"mu": 0, "sigma": 1},
    "nested": {"parameters": {"a": {"min": 1, "max": 2}}},
}


def behaviour_distributions_that_follow(wandb: Any, see: Any) -> None:
    if wandb.__name__ == SHIM:
        fill = import_module("quark.sweeps.config").filled_in
    else:
        fill = import_module("wandb.apis.public.sweeps")._validate_config_and_fill_distribution
    for name, given in PARAMETERS.items():
        config = {"method": "random", "parameters": {"p": given}}
        kept = copy.deepcopy(config)
        see(name, lambda config=config: fill(config)["parameters"]["p"])
        see(f"{name} as it was given", lambda config=config, kept=kept: config == kept)
    see("no parameters", lambda: fill({"method": "grid"}))


def behaviour_what_a_sweep_is_called(wandb: Any, see: Any) -> None:
    for path in ("abc", "p/abc", "e/p/abc", "/abc", "/p/abc", "e//abc", "a/b/c/d/e", 3, None):
        see(repr(path), lambda path=path: parsed(wandb, path))


def parsed(wandb: Any, path: Any) -> Any:
    if wandb.__name__ == SHIM:
        place = import_module(f"{SHIM}.sweeps.place")
        try:
            return list(place.parse_sweep_path(path))
        except wandb.UsageError:
            return "refused"
    parts: dict[str, Any] = {"name": path}
    refused = import_module("wandb.sdk.launch.sweeps.utils").parse_sweep_id(parts)
    return "refused" if refused else [parts["entity"], parts["project"], parts["name"]]


ARGUMENTS = {
    "lr": 0.1,
    "tiny": 1e-7,
    "n": 3,
    "on": True,
    "off": False,
    "none": None,
    "text": "a b",
    "list": [1, 2],
    "nested": {"a": {"b": 1}},
}
FORMS = ("args", "args_no_hyphens", "args_no_boolean_flags", "args_no_equals", "args_append_hydra")


def behaviour_arguments_of_a_program(wandb: Any, see: Any) -> None:
    if wandb.__name__ == SHIM:
        forms = import_module("quark.sweeps.command").argument_forms(ARGUMENTS)
    else:
        wrapped = {"args": {name: {"value": value} for name, value in ARGUMENTS.items()}}
        make = import_module("wandb.sdk.launch.sweeps.utils").create_sweep_command_args
        forms = make(wrapped)
    for name in (*FORMS, "args_override_hydra"):
        see(name, lambda name=name: list(forms[name]))
    see("args_json", lambda: json.loads(forms["args_json"][0]))


def behaviour_variables_in_a_command(wandb: Any, see: Any) -> None:
    os.environ["SWEEP_TEST_NAME"] = "here"
    for command in (
        ["a", "${envvar:SWEEP_TEST_NAME}", "b"],
        ["x-${envvar:SWEEP_TEST_NAME}-${envvar:SWEEP_TEST_NAME}"],
        ["${envvar:SWEEP_TEST_NOBODY}"],
        ["${envvar:lower}"],
        ["a", 3, True],
    ):
        see(str(command), lambda command=list(command): filled(wandb, command))


def filled(wandb: Any, command: list[Any]) -> list[str]:
    if wandb.__name__ == SHIM:
        fill = import_module("quark.sweeps.command").filled_command
        words: list[str] = fill(
            command, {}, interpreter=[], program=None, variables=os.environ, json_file=""
        )
        return words
    fill = import_module("wandb.sdk.launch.sweeps.utils").create_sweep_command
    return [str(word) for word in fill(command)]


def behaviour_arguments_of_an_agent(wandb: Any, see: Any) -> None:
    for limit in (True, 1.5, "3", 0, -1):
        see(
            f"limit {limit!r}",
            lambda limit=limit: wandb.agent("s", int, max_consecutive_failed_runs=limit),
        )
    pyagent = import_module(f"{wandb.__name__}.agents.pyagent")
    see("a function that is none", lambda: pyagent.pyagent("s", 3))
    see("is running", pyagent.is_running)


def behaviour_names(wandb: Any, see: Any) -> None:
    for path in (
        "sweep",
        "agent",
        "controller",
        "agents.pyagent.pyagent",
        "sdk.sweep",
        "sdk.controller",
        "sdk.wandb_sweep.sweep",
        "sdk.sweeps.SweepNotFoundError",
        "wandb_agent.agent",
        "wandb_agent._is_running",
        "env.SWEEP_ID",
        "env.SWEEP_PARAM_PATH",
        "env.set_project",
        "env.set_entity",
    ):
        see(path, lambda path=path: named(wandb, path))


def named(wandb: Any, path: str) -> Any:
    place, _, name = path.rpartition(".")
    module = import_module(f"{wandb.__name__}.{place}") if place else wandb
    found = getattr(module, name)
    return found if isinstance(found, str) else callable(found)
