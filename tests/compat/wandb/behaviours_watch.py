"""``watch`` and ``Histogram``: what they take, what they refuse, what they leave on a model."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn


def behaviour_arguments(wandb: Any, see: Any) -> Any:
    see("before init", lambda: wandb.watch(nn.Linear(1, 1)))
    see("unwatch before init", lambda: wandb.unwatch(nn.Linear(1, 1)))
    run = wandb.init(project="p")
    see("returns", lambda: wandb.watch(nn.Linear(1, 1)))
    see("a number", lambda: wandb.watch(3))
    see("a text in a list", lambda: wandb.watch([nn.Linear(1, 1), "x"]))
    see("a class", lambda: wandb.watch(nn.Linear))
    see("None", lambda: wandb.watch(None))
    see("log of another word", lambda: wandb.watch(nn.Linear(1, 1), log="weights"))
    see("log a boolean", lambda: wandb.watch(nn.Linear(1, 1), log=True))
    see("log None", lambda: wandb.watch(nn.Linear(1, 1), log=None))
    see("log_freq 0", lambda: wandb.watch(nn.Linear(1, 1), log_freq=0))
    see("idx a text", lambda: wandb.watch(nn.Linear(1, 1), idx="a"))
    see("by position", lambda: wandb.watch([nn.Linear(1, 1)], None, "all", 5, 7, False))
    see("unwatch a stranger", lambda: wandb.unwatch(nn.Linear(1, 1)))
    see("unwatch everything", lambda: wandb.unwatch())
    wandb.finish()
    see("after finish", lambda: wandb.watch(nn.Linear(1, 1)))
    see("run after finish", lambda: run.watch(nn.Linear(1, 1)))


def behaviour_left_on_the_model(wandb: Any, see: Any) -> Any:
    wandb.init(project="p")
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    before = sorted(vars(model))
    wandb.watch(model, log="all", log_freq=1)
    model(torch.ones(2, 3)).sum().backward()
    wandb.unwatch(model)
    see("forward hooks", lambda: [len(m._forward_hooks) for m in model.modules()])
    see("forward pre-hooks", lambda: [len(m._forward_pre_hooks) for m in model.modules()])
    see("gradient hooks", lambda: [len(p._backward_hooks or ()) for p in model.parameters()])
    see("attributes", lambda: [name for name in sorted(vars(model)) if name not in before])


def behaviour_histogram(wandb: Any, see: Any) -> Any:
    histogram = wandb.Histogram
    see("json", lambda: histogram([0, 1, 1, 3], num_bins=3).to_json())
    see("of numbers", lambda: histogram([1, 2, 3, 4.5]).histogram)
    see("bins", lambda: histogram([1, 2, 3, 4.5]).bins)
    see("of a matrix", lambda: histogram(np.arange(100).reshape(10, 10), num_bins=8).histogram)
    see("of a tensor", lambda: histogram(torch.ones(3)).to_json())
    see("of nothing", lambda: histogram([]).to_json())
    see("ready made", lambda: histogram(np_histogram=np.histogram([1, 2, 3])).to_json())
    see("ready made wins", lambda: histogram([1], np_histogram=([1], [0, 1])).to_json())
    see("512 bins", lambda: len(histogram([1, 2], num_bins=512).histogram))
    see("too many bins", lambda: histogram([1, 2], num_bins=513))
    see("too many counts", lambda: histogram(np_histogram=(list(range(600)), list(range(601)))))
    see("no bins", lambda: histogram([1, 2], num_bins=0))
    see("too few edges", lambda: histogram(np_histogram=([1, 2], [1, 2])))
    see("half of a pair", lambda: histogram(np_histogram=([1, 2],)))
    see("nothing at all", lambda: histogram())
    see("a text", lambda: histogram("abc"))
    see("the limit", lambda: histogram.MAX_LENGTH)


def behaviour_logged_histogram(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    wandb.log({"h": wandb.Histogram([1, 2, 2, 5], num_bins=4), "x": 1})
    wandb.log({"nested": {"h": wandb.Histogram(np_histogram=([3, 1], [0.0, 0.5, 1.0]))}})
    see("summary", lambda: dict(run.summary["h"]))
    run.summary["mine"] = wandb.Histogram([1, 2], num_bins=2)
    return run
