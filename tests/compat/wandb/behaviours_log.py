"""``log``: rows, steps, commits, and which values are kept as what."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import pathlib
import types
import uuid
from typing import Any

import numpy as np
import torch


class Color(enum.Enum):
    RED = 1


class Size(enum.IntEnum):
    LARGE = 5


@dataclasses.dataclass
class Point:
    x: int = 1
    y: float = 2.5


def a_function() -> None: ...


def behaviour_plain(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    see("step at first", lambda: run.step)
    see("returns", lambda: wandb.log({"loss": 1.5, "acc": 2}))
    see("step after one", lambda: run.step)
    wandb.log({"loss": 0.5, "text": "hello", "flag": True})
    see("step after two", lambda: run.step)
    see("summary", lambda: {k: run.summary[k] for k in ("loss", "acc", "text", "flag")})
    see("log is the run's", lambda: wandb.log == run.log)
    wandb.log({"train/loss": 1, "with space": 2, "ünï": 3, "a.b": 4})
    return run


def behaviour_commit(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    wandb.log({"a": 1}, commit=False)
    see("open", lambda: run.step)
    wandb.log({"b": 2, "a": 3}, commit=False)
    wandb.log({"c": 3})
    see("closed", lambda: run.step)
    wandb.log({"a": 4}, commit=True)
    see("closed by commit", lambda: run.step)
    wandb.log({})
    see("closed by nothing", lambda: run.step)
    wandb.log({"a": 9}, commit=False)
    return run


def behaviour_step(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    wandb.log({"a": 1}, step=10)
    see("stays open", lambda: run.step)
    wandb.log({"b": 1})
    see("joined and closed", lambda: run.step)
    wandb.log({"a": 2})
    see("the next", lambda: run.step)
    wandb.log({"a": 3}, step=20)
    wandb.log({"b": 3}, step=20)
    wandb.log({"a": 4}, step=20)
    see("same step", lambda: run.step)
    wandb.log({"a": 5}, step=30, commit=True)
    see("committed", lambda: run.step)
    wandb.log({"a": 6}, step=40, commit=False)
    see("not committed", lambda: run.step)
    wandb.log({"a": 7}, step=50)
    return run


def behaviour_step_kinds(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    see("text", lambda: wandb.log({"a": 1}, step="3"))
    see("float", lambda: wandb.log({"a": 1}, step=3.5))
    see("numpy float", lambda: wandb.log({"a": 1}, step=np.float64(3)))
    see("boolean", lambda: wandb.log({"a": 1}, step=True))
    see("after refusals", lambda: run.step)
    see("numpy", lambda: wandb.log({"a": 1}, step=np.int64(3)))
    see("after numpy", lambda: run.step)
    see("torch", lambda: wandb.log({"a": 1}, step=torch.tensor(5)))
    see("after torch", lambda: run.step)
    return run


def behaviour_late(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    wandb.log({"a": 1}, step=10, commit=True)
    see("returns", lambda: wandb.log({"a": 99, "late": 1}, step=3))
    see("step", lambda: run.step)
    see("summary", lambda: (run.summary["a"], run.summary.get("late")))
    see("negative", lambda: wandb.log({"negative": 99}, step=-1))
    return run


def behaviour_arguments(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    see("list", lambda: wandb.log([1]))
    see("none", lambda: wandb.log(None))
    see("number", lambda: wandb.log(3))
    see("int key", lambda: wandb.log({1: 2}))
    see("mixed keys", lambda: wandb.log({"a": 1, 2: 3}))
    see("step", lambda: run.step)
    see("ordered dict", lambda: wandb.log(collections.OrderedDict(a=1)))
    see("defaultdict", lambda: wandb.log(collections.defaultdict(int, a=2)))
    see("mapping proxy", lambda: wandb.log(types.MappingProxyType({"a": 3})))
    see("positional", lambda: run.log({"a": 4}, 20, True))
    see("step at last", lambda: run.step)
    return run


def behaviour_special_floats(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    wandb.log({"nan": float("nan"), "inf": float("inf"), "low": float("-inf"), "x": 1})
    wandb.log({"nan": 1.0, "x": None})
    see("none leaves the summary", lambda: run.summary.get("x", "gone"))
    wandb.log({"x": 2, "tiny": 5e-324, "big": 2**53, "negative zero": -0.0})
    see("back again", lambda: run.summary.get("x"))
    see("infinity", lambda: run.summary["inf"])
    return run


def behaviour_nested(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    wandb.log({"a": {"b": {"c": 1}, "d": 2}, "e": 3})
    wandb.log({"a": {"b": {"c": 5}}})
    see("inner", lambda: run.summary["a"]["b"]["c"])
    see("top", lambda: run.summary["e"])
    wandb.log({"n": {1: 2, "x": float("nan")}})
    return run


def behaviour_copies(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    row, array, listed = {"a": 1}, np.array([1.0, 2.0]), [1, 2]
    wandb.log({**row, "array": array, "listed": listed}, commit=False)
    row["a"] = 2
    array[0] = 9
    listed.append(3)
    wandb.log({})
    see("array", lambda: run.summary["array"])
    see("list", lambda: run.summary["listed"])
    return run


VALUES: dict[str, Any] = {
    "numpy float": np.float32(1.5),
    "numpy double": np.float64(1.5),
    "numpy half": np.float16(1.5),
    "numpy int": np.int64(3),
    "numpy bool": np.bool_(True),
    "numpy zero-d": np.array(2.0),
    "numpy array": np.arange(3),
    "numpy 2-d": np.arange(6).reshape(2, 3),
    "numpy 32": np.arange(32),
    "numpy 33": np.arange(33),
    "numpy empty": np.array([]),
    "numpy texts": np.array(["a", "b"]),
    "tensor": torch.tensor(1.5),
    "tensor of one": torch.tensor([2.0]),
    "tensor of two": torch.tensor([1.0, 2.0]),
    "tensor bf16": torch.tensor(1.5, dtype=torch.bfloat16),
    "tensor with gradient": torch.tensor(1.0, requires_grad=True),
    "tensor of 40": torch.arange(40.0),
    "datetime": datetime.datetime(2020, 1, 2, 3, 4, 5),
    "date": datetime.date(2020, 1, 2),
    "timedelta": datetime.timedelta(seconds=3),
    "decimal": decimal.Decimal("1.5"),
    "fraction": fractions.Fraction(1, 3),
    "uuid": uuid.UUID(int=1),
    "path": pathlib.Path("/a/b"),
    "bytes": b"abc",
    "bytearray": bytearray(b"x"),
    "complex": 1 + 2j,
    "enum": Color.RED,
    "int enum": Size.LARGE,
    "dataclass": Point(),
    "tuple": (1, 2),
    "set": {1, 2},
    "frozenset": frozenset({1}),
    "deque": collections.deque([1, 2]),
    "class": Point,
    "function": a_function,
    "module": torch.nn.Linear(1, 1),
    "dict in a list": [{"a": 1}, {"b": [2.5]}],
    "empty dict": {},
    "empty list": [],
}

FOREIGN: dict[str, Any] = {
    "object": object(),
    "range": range(3),
    "dtype": torch.float32,
    "generator": (number for number in range(2)),
    "namespace": types.SimpleNamespace(a=1),
}


def behaviour_values(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    for name, value in VALUES.items():
        see(f"log {name}", lambda name=name, value=value: wandb.log({name: value}, step=0))
    wandb.log({})
    for name in VALUES:
        see(f"value of {name}", lambda name=name: run.summary[name])
    return run


def behaviour_foreign_values(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    for name, value in FOREIGN.items():
        see(f"log {name}", lambda name=name, value=value: wandb.log({name: value}))
    see("later rows are fine", lambda: wandb.log({"fine": 1}))
    see("fine", lambda: run.summary["fine"])
    for name in FOREIGN:
        see(f"value of {name}", lambda name=name: run.summary[name])
    return None
