"""Runs: how they are opened, what they say of themselves, how they end."""

from __future__ import annotations

import os
import re
from typing import Any


def set_and_get(owner: Any, name: str, value: Any) -> Any:
    setattr(owner, name, value)
    return getattr(owner, name)


def behaviour_before_init(wandb: Any, see: Any) -> Any:
    see("run", lambda: wandb.run)
    see("log", lambda: wandb.log({"a": 1}))
    see("define_metric", lambda: wandb.define_metric("a"))
    see("save", lambda: wandb.save("x"))
    see("alert", lambda: wandb.alert("a", "b"))
    see("config attribute", lambda: wandb.config.lr)
    see("config item", lambda: wandb.config["lr"])
    see("config set", lambda: setattr(wandb.config, "lr", 1))
    see("config has", lambda: hasattr(wandb.config, "lr"))
    see("summary item", lambda: wandb.summary["x"])
    see("summary set", lambda: wandb.summary.__setitem__("x", 1))
    see("finish", lambda: wandb.finish())
    see("unknown name", lambda: wandb.no_such_name)
    see("has unknown name", lambda: hasattr(wandb, "no_such_name"))
    see("has run", lambda: hasattr(wandb, "run"))
    return None


def behaviour_bad_arguments(wandb: Any, see: Any) -> Any:
    see("project", lambda: wandb.init(project="a/b"))
    see("long project", lambda: wandb.init(project="p" * 129))
    see("mode", lambda: wandb.init(mode="sideways"))
    see("resume", lambda: wandb.init(resume="perhaps"))
    see("id", lambda: wandb.init(id="a:b"))
    see("empty tag", lambda: wandb.init(tags=[""]))
    see("long tag", lambda: wandb.init(tags=["t" * 65]))
    see("config", lambda: wandb.init(config=3))
    see("keyword", lambda: wandb.init(foo=3))
    see("setting", lambda: wandb.init(settings={"no_such_setting": 1}))
    see("setting object", lambda: wandb.Settings(no_such_setting=1))
    see("two ways to resume", lambda: wandb.init(resume="must", resume_from="x?_step=1"))
    see("nothing is open", lambda: wandb.run)
    return None


def behaviour_facts(wandb: Any, see: Any) -> Any:
    run = wandb.init(
        project="proj", group="g", job_type="train", notes="n", tags=("a", "b"), name="given"
    )
    see("project", lambda: run.project)
    see("entity", lambda: run.entity)
    see("group", lambda: run.group)
    see("job_type", lambda: run.job_type)
    see("notes", lambda: run.notes)
    see("tags", lambda: run.tags)
    see("tags are a tuple", lambda: type(run.tags).__name__)
    see("name", lambda: run.name)
    see("id", lambda: re.fullmatch("[0-9a-z]{8}", run.id) is not None)
    see("path", lambda: run.path == f"proj/{run.id}")
    see("url", lambda: [run.url, run.project_url, run.sweep_url, run.sweep_id])
    see("resumed", lambda: [run.resumed, run.disabled])
    see("start", lambda: type(run.start_time).__name__)
    see("starting_step", lambda: run.starting_step)
    see("dir exists", lambda: os.path.isdir(run.dir))
    see("the module's run", lambda: wandb.run is run)
    see("class", lambda: isinstance(run, wandb.Run))
    see("module class", lambda: isinstance(run, wandb.sdk.wandb_run.Run))
    see("truth", lambda: bool(run))
    see("unknown", lambda: run.no_such_name)
    see("has unknown", lambda: hasattr(run, "no_such_name"))
    see("set group", lambda: setattr(run, "group", "x"))
    see("set id", lambda: setattr(run, "id", "x"))
    see("set unknown", lambda: setattr(run, "foo", 1))
    see("set tags", lambda: set_and_get(run, "tags", ["x", "y"]))
    see("add tags", lambda: set_and_get(run, "tags", (*run.tags, "z")))
    see("set notes", lambda: set_and_get(run, "notes", "other"))
    see("set name", lambda: set_and_get(run, "name", "renamed"))
    return run


def behaviour_defaults(wandb: Any, see: Any) -> Any:
    run = wandb.init()
    see("project", lambda: run.project)
    see("notes", lambda: run.notes)
    see("group", lambda: run.group)
    see("job_type", lambda: run.job_type)
    see("tags", lambda: run.tags)
    see("config", lambda: dict(run.config))
    see("name", lambda: run.name)
    return run


def behaviour_positional(wandb: Any, see: Any) -> Any:
    run = wandb.init("me", "proj", None, "given-id", "a name", "notes", ["t"], {"lr": 1})
    see("facts", lambda: [run.entity, run.project, run.id, run.name, run.notes, run.tags])
    see("config", lambda: dict(run.config))
    return run


def behaviour_second_init(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p", config={"a": 1})
    see("same", lambda: wandb.init(project="other", config={"b": 2}) is run)
    see("config", lambda: dict(run.config))
    see("reinit False", lambda: wandb.init(reinit=False) is run)
    see("return_previous", lambda: wandb.init(reinit="return_previous") is run)
    wandb.log({"a": 1})
    return run


def behaviour_reinit(wandb: Any, see: Any) -> Any:
    first = wandb.init(project="p")
    wandb.log({"a": 1})
    second = wandb.init(project="p", reinit=True)
    see("another", lambda: second is not first)
    see("bound", lambda: wandb.run is second)
    see("step", lambda: second.step)
    see("first is over", lambda: first.log({"a": 2}))
    third = wandb.init(project="p", reinit="finish_previous")
    see("bound again", lambda: wandb.run is third)
    see("second is over", lambda: second.log({"a": 2}))
    return first


def behaviour_create_new(wandb: Any, see: Any) -> Any:
    first = wandb.init(project="p")
    second = wandb.init(project="p", reinit="create_new")
    see("another", lambda: second is not first)
    see("bound", lambda: wandb.run is first)
    second.log({"b": 1})
    wandb.log({"a": 1})
    see("steps", lambda: [first.step, second.step])
    second.finish()
    see("still bound", lambda: wandb.run is first)
    return second


def behaviour_create_new_alone(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p", reinit="create_new")
    see("not bound", lambda: wandb.run)
    run.log({"b": 1})
    run.finish()
    return run


def behaviour_finish(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p", config={"a": 1}, name="n", tags=["t"])
    wandb.log({"a": 1})
    see("finish", lambda: wandb.finish())
    see("again", lambda: wandb.finish())
    see("on the run", lambda: run.finish())
    see("run", lambda: wandb.run)
    see("log", lambda: run.log({"a": 2}))
    see("module log", lambda: wandb.log({"a": 2}))
    see("config", lambda: run.config.update({"b": 2}))
    see("summary", lambda: run.summary.update({"b": 2}))
    see("define_metric", lambda: run.define_metric("a"))
    see("tags", lambda: setattr(run, "tags", ("x",)))
    see("name", lambda: setattr(run, "name", "x"))
    see("alert", lambda: run.alert("a", "b"))
    see("facts", lambda: [run.name, run.project, run.tags, run.config["a"]])
    see("dir", lambda: os.path.isdir(run.dir))
    see("module config", lambda: wandb.config.a)
    return run


def behaviour_finish_with_code(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    see("finish", lambda: wandb.finish(exit_code=3))
    see("run", lambda: wandb.run)
    return run


def behaviour_with(wandb: Any, see: Any) -> Any:
    with wandb.init(project="p") as run:
        see("same", lambda: wandb.run is run)
        run.log({"a": 1})
    see("after", lambda: wandb.run)
    return run


def behaviour_with_exception(wandb: Any, see: Any) -> Any:
    kept = []

    def body() -> None:
        with wandb.init(project="p") as run:
            kept.append(run)
            run.log({"a": 1})
            raise KeyError("training broke")

    see("goes on", body)
    see("after", lambda: wandb.run)
    return kept[0]


def behaviour_disabled(wandb: Any, see: Any) -> Any:
    before = sorted(os.listdir("."))
    run = wandb.init(mode="disabled", config={"a": 1})
    see("disabled", lambda: run.disabled)
    see("class", lambda: isinstance(run, wandb.Run))
    see("bound", lambda: wandb.run is run)
    see("id", lambda: isinstance(run.id, str))
    see("dir", lambda: isinstance(run.dir, str))
    see("url", lambda: run.url)
    see("log", lambda: wandb.log({"loss": 1}))
    see("log an object", lambda: wandb.log({"o": object()}))
    see("log late", lambda: wandb.log({"loss": 1}, step=-5))
    see("step", lambda: run.step)
    see("summary", lambda: run.summary["loss"])
    see("config", lambda: dict(run.config))
    see("config update", lambda: run.config.update({"b": 2}))
    see("own summary", lambda: (run.summary.__setitem__("q", 1), run.summary["q"])[1])
    see("finish", lambda: run.finish())
    see("log after", lambda: run.log({"a": 1}))
    see("nothing on disk", lambda: sorted(os.listdir(".")) == before)
    return None


def behaviour_settings(wandb: Any, see: Any) -> Any:
    settings = wandb.Settings(project="from-settings", run_name="named", run_tags=["t"])
    see("attribute", lambda: settings.project)
    see("mode", lambda: wandb.Settings(mode="dryrun").mode)
    see("bad mode", lambda: wandb.Settings(mode="x"))
    run = wandb.init(settings=settings)
    see("used", lambda: [run.project, run.name, run.tags])
    see("run's settings", lambda: run.settings.project)
    return run


def behaviour_argument_beats_settings(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="argument", settings={"project": "settings", "run_group": "g"})
    see("both", lambda: [run.project, run.group])
    return run


def behaviour_account(wandb: Any, see: Any) -> Any:
    see("termlog", lambda: wandb.termlog("hello"))
    see("termwarn", lambda: wandb.termwarn("hello", repeat=False))
    see("termerror", lambda: wandb.termerror("hello"))
    see("require", lambda: wandb.require("core"))
    see("version", lambda: wandb.__version__)
    see("levels", lambda: [level.value for level in wandb.AlertLevel])
    see("setup", lambda: wandb.setup() is not None)
    run = wandb.init(project="p")
    see("alert", lambda: wandb.alert("title", "text", level="WARN"))
    see("bad level", lambda: wandb.alert("title", "text", level="LOUD"))
    see("save nothing", lambda: wandb.save("no-such-file-*"))
    see("join", lambda: wandb.join())
    return run
