"""``wandb.trigger``, ``wandb.helper`` and ``wandb.profiler``."""

from __future__ import annotations

import argparse
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

import quark.compat.wandb as wandb
from quark.compat.wandb.profiling import torch_trace_handler


def test_triggers_are_called_in_order_until_they_are_taken_back() -> None:
    heard: list[Any] = []

    def first(*args: Any, **keywords: Any) -> None:
        heard.append(("first", args, keywords))

    def second(*args: Any, **keywords: Any) -> None:
        heard.append(("second", args, keywords))

    wandb.trigger.register("on_init", first)
    wandb.trigger.register("on_init", second)
    wandb.trigger.call("on_init", 1, x=2)
    wandb.trigger.unregister("on_init", first)
    wandb.trigger.unregister("on_init", first)
    wandb.trigger.call("on_init")
    wandb.trigger.reset()
    wandb.trigger.call("on_init")
    wandb.trigger.call("never_registered")

    assert heard == [
        ("first", (1,), {"x": 2}),
        ("second", (1,), {"x": 2}),
        ("second", (), {}),
    ]


@pytest.mark.wandb_parity
def test_names_are_made_safe_as_wandb_makes_them() -> None:
    real = import_module("wandb.util")

    for name in ("a b/c:d", "ok-name_1.2", "é#", "x" * 128, "x/" * 65, "y" * 64 + "z" * 65, ""):
        assert wandb.util.make_artifact_name_safe(name) == real.make_artifact_name_safe(name)
    for value in (1.5, "x", {"a": 1}, torch.tensor(2.0), torch.arange(3), b"a", None, True):
        assert wandb.util.json_friendly(value) == real.json_friendly(value)


def test_a_config_is_parsed_as_init_would_take_it() -> None:
    params = argparse.Namespace(lr=0.1, seed=3)

    assert wandb.helper.parse_config(params) == {"lr": 0.1, "seed": 3}
    assert wandb.helper.parse_config(params, exclude=["lr"]) == {"seed": 3}
    assert wandb.helper.parse_config(params, include=["lr"]) == {"lr": 0.1}
    assert wandb.helper.parse_config(None) == {}
    with pytest.raises(wandb.UsageError, match="not both"):
        wandb.helper.parse_config(params, exclude=["a"], include=["b"])
    with pytest.raises(TypeError, match="not a int"):
        wandb.helper.parse_config(3)


def test_traces_of_the_profiler_are_files_of_the_run(tmp_path: Path) -> None:
    with pytest.raises(wandb.UsageError, match=r"wandb\.init"):
        torch_trace_handler()
    with wandb.init(project="traced", dir=tmp_path, settings={"silent": True}) as run:
        handler = wandb.profiler.torch_trace_handler()
        for _ in range(2):
            with torch.profiler.profile(
                activities=[torch.profiler.ProfilerActivity.CPU], on_trace_ready=handler
            ):
                torch.ones(4).sum()

    files = wandb.Api(overrides={"dir": str(tmp_path)}).run(run.path).files()
    names = [file.name for file in files if file.name.startswith("pytorch_traces/")]
    assert names == ["pytorch_traces/0.pt.trace.json", "pytorch_traces/1.pt.trace.json"]
    assert json.loads((Path(run.dir) / names[0]).read_text())["traceEvents"]
