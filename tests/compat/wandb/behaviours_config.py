"""``config``: what goes in, what comes out, what is refused."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import datetime
import decimal
import enum
import pathlib
import types
from typing import Any

import numpy as np
import torch


class Color(enum.Enum):
    RED = 1


@dataclasses.dataclass
class Options:
    width: int = 3
    name: str = "wide"


class Bag:
    def __init__(self) -> None:
        self.inside = 1


def behaviour_access(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p", config={"lr": 0.1, "model": {"width": 3, "layers": [1, 2]}})
    config = wandb.config
    see("attribute", lambda: config.lr)
    see("item", lambda: config["lr"])
    see("nested", lambda: config.model["width"])
    see("nested is a dict", lambda: type(config.model) is dict)
    see("nested by attribute", lambda: config.model.width)
    see("get", lambda: [config.get("lr"), config.get("no"), config.get("no", 5)])
    see("in", lambda: ["lr" in config, "no" in config])
    see("has", lambda: [hasattr(config, "lr"), hasattr(config, "no")])
    see("keys", lambda: list(config.keys()))
    see("items", lambda: sorted(config.items(), key=str))
    see("dict", lambda: dict(config))
    see("stars", lambda: dict(**config))
    see("as_dict", lambda: config.as_dict())
    see("same as the run's", lambda: config["lr"] == run.config["lr"])
    see("missing item", lambda: config["no"])
    see("missing attribute", lambda: config.no)
    see("text", lambda: ast.literal_eval(str(config)))
    see("truth", lambda: bool(config))
    return run


def behaviour_changes(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p", config={"lr": 0.1, "deep": {"a": 1, "b": 2}})
    config = run.config
    see("update", lambda: config.update({"new": 1}))
    see("same value", lambda: config.update({"lr": 0.1}))
    see("other value", lambda: config.update({"lr": 0.2}))
    see("by attribute", lambda: setattr(config, "lr", 0.3))
    see("by item", lambda: config.__setitem__("lr", 0.4))
    see("kept", lambda: config["lr"])
    see("allowed", lambda: config.update({"lr": 0.5}, allow_val_change=True))
    see("changed", lambda: config["lr"])
    see("dict", lambda: config.update({"deep": {"c": 3}}, allow_val_change=True))
    see("dict replaced", lambda: config["deep"])
    see("new by attribute", lambda: setattr(config, "epochs", 5))
    see("epochs", lambda: config.epochs)
    see("setdefaults", lambda: config.setdefaults({"lr": 9, "momentum": 0.9}))
    see("defaults", lambda: [config["lr"], config["momentum"]])
    see("int key", lambda: config.update({3: 1}))
    see("none", lambda: config.update(None))
    see("list", lambda: config.update([1]))
    see("no file", lambda: config.update("no-such-file.yaml"))
    see("setdefaults of nothing", lambda: config.setdefaults({}))
    return run


def behaviour_locked(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    run.config.update_locked({"k": 1}, user="sweep")
    see("update", lambda: run.config.update({"k": 5, "other": 2}, allow_val_change=True))
    see("kept", lambda: [run.config["k"], run.config["other"]])
    return run


def behaviour_namespace(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p", config=argparse.Namespace(lr=0.1, name="x"))
    see("namespace", lambda: run.config.lr)
    see("dataclass", lambda: run.config.update(Options()))
    see("width", lambda: run.config["width"])
    see("object", lambda: run.config.update(Bag()))
    see("inside", lambda: run.config["inside"])
    return run


def behaviour_yaml(wandb: Any, see: Any) -> Any:
    pathlib.Path("given.yaml").write_text("lr:\n  value: 0.1\nname:\n  value: x\n")
    run = wandb.init(project="p", config="given.yaml")
    see("lr", lambda: run.config["lr"])
    return run


def behaviour_defaults_file(wandb: Any, see: Any) -> Any:
    path = pathlib.Path("config-defaults.yaml")
    path.write_text("lr:\n  value: 0.1\nmomentum:\n  value: 0.9\n")
    run = wandb.init(project="p", config={"lr": 5})
    path.unlink()
    see("given wins", lambda: run.config["lr"])
    see("default", lambda: run.config["momentum"])
    return run


def behaviour_included(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p", config={"a": 1, "b": 2, "c": 3}, config_include_keys=["a", "b"])
    see("included", lambda: dict(run.config))
    return run


def behaviour_excluded(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p", config={"a": 1, "b": 2, "c": 3}, config_exclude_keys=["a"])
    see("excluded", lambda: dict(run.config))
    return run


VALUES: dict[str, Any] = {
    "numpy float": np.float32(1.5),
    "numpy int": np.int64(3),
    "numpy bool": np.bool_(True),
    "numpy array": np.arange(3),
    "numpy 2-d": np.arange(6).reshape(2, 3),
    "numpy 33": np.arange(33),
    "tensor": torch.tensor(1.5),
    "tensor of two": torch.tensor([1.0, 2.0]),
    "dtype": torch.float32,
    "device": torch.device("cpu"),
    "nan": float("nan"),
    "path": pathlib.Path("/a/b"),
    "datetime": datetime.datetime(2020, 1, 2, 3, 4, 5),
    "timedelta": datetime.timedelta(seconds=3),
    "decimal": decimal.Decimal("1.5"),
    "enum": Color.RED,
    "dataclass": Options(),
    "set": {1, 2},
    "tuple": (1, 2),
    "range": range(3),
    "bytes": b"abc",
    "class": Options,
    "function": behaviour_excluded,
    "none": None,
    "flag": True,
    "nested": {"a": {"b": np.float32(1.0), "c": (1, 2)}},
    "namespace": types.SimpleNamespace(a=1),
    "large": 2**70,
    "object": object(),
}


def behaviour_values(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    for name, value in VALUES.items():
        see(f"set {name}", lambda name=name, value=value: run.config.update({name: value}))
        see(f"value of {name}", lambda name=name: run.config[name])
    return None
