"""The summary, and what ``define_metric`` makes of it."""

from __future__ import annotations

from typing import Any


def behaviour_own_values(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    run.summary["best"] = 5
    run.summary.other = 6
    wandb.run.summary.update({"u": {"v": 1}, "w": 2})
    wandb.log({"loss": 1})
    see("item", lambda: run.summary["best"])
    see("attribute", lambda: run.summary.other)
    see("module", lambda: wandb.summary["w"])
    see("nested", lambda: run.summary["u"]["v"])
    run.summary.update({"u": {"w": 1}})
    see("dict replaced", lambda: run.summary["u"])
    wandb.log({"best": 7})
    see("logged again", lambda: run.summary["best"])
    run.summary["loss"] = 100
    see("set over logged", lambda: run.summary["loss"])
    return run


def behaviour_missing(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    see("item", lambda: run.summary["nothing"])
    see("attribute", lambda: run.summary.nothing)
    see("get", lambda: run.summary.get("nothing"))
    see("get with default", lambda: run.summary.get("nothing", 4))
    see("delete missing", lambda: run.summary.__delitem__("nothing"))
    run.summary["gone"] = 1
    del run.summary["gone"]
    see("deleted", lambda: run.summary.get("gone", "no"))
    run.summary["none"] = None
    see("none", lambda: run.summary.get("none", "no"))
    see("keys", lambda: [key for key in run.summary.keys() if key[0] != "_"])  # noqa: SIM118
    see("object", lambda: run.summary.__setitem__("o", object()))
    see("not a dict", lambda: run.summary.update([1]))
    see("int key", lambda: run.summary.update({1: 2}))
    see("contains", lambda: "best" in run.summary)
    see("length", lambda: len(run.summary))
    see("truth", lambda: bool(run.summary))
    see("nan", lambda: (run.summary.__setitem__("nan", float("nan")), run.summary["nan"])[1])
    return None


def behaviour_aggregates(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    kinds = ["min", "max", "mean", "first", "last", "none", "copy", "min,max", "last,none"]
    kinds += ["copy,min", "MIN", ""]
    for kind in kinds:
        see(f"define {kind}", lambda kind=kind: wandb.define_metric(f"m {kind}", summary=kind).name)
    for value in (3, 1, 2):
        wandb.log({f"m {kind}": value for kind in kinds})
    for kind in kinds:
        see(f"summary {kind}", lambda kind=kind: run.summary[f"m {kind}"])
    return run


def behaviour_bad_definitions(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    see("star in the middle", lambda: wandb.define_metric("a*b"))
    see("two stars", lambda: wandb.define_metric("a**"))
    see("empty", lambda: wandb.define_metric(""))
    see("number", lambda: wandb.define_metric(3))
    see("step metric", lambda: wandb.define_metric("a", step_metric=3))
    see("hidden", lambda: wandb.define_metric("a", hidden=3))
    see("summary list", lambda: wandb.define_metric("a", summary=["min"]))
    see("summary word", lambda: wandb.define_metric("a", summary="median"))
    see("trailing comma", lambda: wandb.define_metric("a", summary="min,"))
    see("best", lambda: wandb.define_metric("b", summary="best"))
    see("goal", lambda: wandb.define_metric("c", goal="minimize"))
    return run


def behaviour_metric_object(wandb: Any, see: Any) -> Any:
    wandb.init(project="p")
    step = wandb.define_metric("epoch")
    metric = wandb.define_metric("val/*", step_metric=step, summary="max,min", hidden=True)
    see("name", lambda: metric.name)
    see("step metric", lambda: metric.step_metric)
    see("step sync", lambda: metric.step_sync)
    see("summary", lambda: metric.summary)
    see("hidden", lambda: metric.hidden)
    plain = wandb.define_metric("q")
    see("plain", lambda: [plain.step_metric, plain.step_sync, plain.hidden, plain.summary])
    other = wandb.define_metric("y", step_metric="epoch", step_sync=False)
    see("no sync", lambda: other.step_sync)
    return None


def behaviour_step_metric(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    wandb.define_metric("global_step")
    wandb.define_metric("*", step_metric="global_step")
    wandb.log({"loss": 1})
    wandb.log({"loss": 2, "global_step": 5})
    wandb.log({"loss": 3})
    wandb.log({"acc": 4, "global_step": 7})
    wandb.log({"acc": 5, "loss": 6})
    return run


def behaviour_no_step_sync(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    wandb.define_metric("val/*", step_metric="epoch", step_sync=False)
    wandb.define_metric("train/*", step_metric="epoch")
    wandb.log({"epoch": 1})
    wandb.log({"val/loss": 2})
    wandb.log({"train/loss": 2})
    wandb.log({"other": 2})
    return run


def behaviour_globs(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    wandb.define_metric("val/*", summary="min")
    wandb.define_metric("val/acc", summary="max")
    wandb.define_metric("n.a", summary="max")
    for value in (3, 1, 2):
        wandb.log({"val/loss": value, "val/acc": value, "train/loss": value, "n": {"a": value}})
    see("glob", lambda: run.summary["val/loss"])
    see("exact", lambda: run.summary["val/acc"])
    see("other", lambda: run.summary["train/loss"])
    see("nested", lambda: run.summary["n"]["a"])
    return run


def behaviour_defined_again(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    wandb.define_metric("a", summary="min")
    wandb.define_metric("a", step_metric="e")
    wandb.define_metric("b", summary="min")
    wandb.define_metric("b", summary="max", overwrite=True)
    for value in (3, 1, 2):
        wandb.log({"a": value, "b": value})
    see("added", lambda: run.summary["a"])
    see("replaced", lambda: run.summary["b"])
    return run
