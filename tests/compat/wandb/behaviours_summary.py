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


def behaviour_closed_rows(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    wandb.define_metric("loss", summary="min,max,mean,first,last")
    wandb.log({"loss": 9, "plain": 9}, step=1)
    see("nothing of an open row", lambda: [run.summary.get("loss"), run.summary.get("plain")])
    wandb.log({"loss": 3, "plain": 3}, step=1)
    wandb.log({"loss": 5}, step=2)
    see("a row counts once, with its last value", lambda: run.summary["loss"])
    see("plain", lambda: run.summary["plain"])
    see("its step", lambda: run.summary["_step"])
    wandb.log({"loss": 1}, commit=False)
    wandb.log({"loss": 7})
    see("joined", lambda: run.summary["loss"])
    wandb.log({"loss": 2}, commit=False)
    see("left open", lambda: run.summary["loss"]["min"])
    return run


def behaviour_odd_values_summed_up(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    words = "min,max,mean,first,last"
    rows: dict[str, list[Any]] = {
        "nan": [1, float("nan"), 2],
        "text": [1, "x", 3],
        "only text": ["x"],
        "none": [1, None, 3],
        "infinity": [float("-inf"), 1],
        "flags": [True, 2, False],
        "large": [2**70, 1.5],
    }
    for name, values in rows.items():
        wandb.define_metric(name, summary=words)
        for value in values:
            wandb.log({name: value})
        see(f"summary of {name}", lambda name=name: run.summary[name])
    return run


def behaviour_defined_late(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    for value in (1, 5, None):
        wandb.log({"x": value, "y": value, "val/z": value})
    wandb.define_metric("x", summary="min,mean")
    see("at once", lambda: run.summary["x"])
    wandb.define_metric("val/*", summary="max")
    see("not by a glob", lambda: run.summary.get("val/z"))
    wandb.log({"x": 4, "y": 4, "val/z": 4})
    see("earlier rows count", lambda: [run.summary["x"], run.summary["val/z"], run.summary["y"]])
    wandb.define_metric("x", summary="max")
    see("words are added", lambda: run.summary["x"])
    wandb.define_metric("x", summary="none")
    see("none", lambda: run.summary.get("x", "gone"))
    wandb.define_metric("x", summary="copy", overwrite=True)
    see("plain again", lambda: run.summary["x"])
    return None


def behaviour_set_and_summed_up(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    wandb.define_metric("x", summary="min")
    wandb.log({"x": 3})
    run.summary["x"] = 9
    see("set", lambda: run.summary["x"])
    wandb.log({"x": 4})
    see("plain from then on", lambda: run.summary["x"])
    wandb.define_metric("x", summary="min")
    see("defined again", lambda: run.summary["x"])
    del run.summary["x"]
    see("deleted", lambda: run.summary.get("x", "gone"))
    wandb.log({"x": 5})
    see("back", lambda: run.summary["x"])
    wandb.log({"x": 6}, step=20)
    run.summary["x"] = 1
    wandb.log({"y": 1}, step=21)
    see("the open row comes later", lambda: run.summary["x"])
    return run


def behaviour_step_metric_values(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    wandb.log({"e": 5})
    wandb.define_metric("x", step_metric="e")
    wandb.log({"x": 1})
    wandb.log({"x": 2, "e": "text"})
    wandb.log({"e": 7})
    wandb.log({"x": 3})
    wandb.log({"e": 8}, step=20)
    wandb.log({"x": 4}, step=20)
    wandb.log({"x": 5}, step=21)
    wandb.log({"x": 6}, step=22)
    wandb.log({"e": 9}, step=22)
    see("summary", lambda: [run.summary["e"], run.summary["x"]])
    return run


def behaviour_defined_in_an_open_row(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    wandb.log({"x": 1}, commit=False)
    wandb.define_metric("x", step_metric="e", summary="max")
    wandb.log({"y": 1})
    see("counts for the row", lambda: [run.summary["e"], run.summary["x"]])
    return run
