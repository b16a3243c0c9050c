"""Optimizers and schedules, over the right parameters and over the wrong ones."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn
from torch.optim import lr_scheduler

from benchmarks.faults.options import Options
from benchmarks.faults.tasks import Task


def build_optimizer(task: Task, options: Options, model: nn.Module) -> torch.optim.Optimizer:
    """Return the optimizer that ``options`` name, at the task's learning rate for it."""
    name = options.optimizer or task.optimizer
    lr = task.lrs[name] * options.lr_factor
    over = list(_over(options.optimizer_over, model))
    if name == "sgd":
        momentum = 0.9 if options.momentum is None else options.momentum
        if options.momentum is None or options.momentum:
            lr = lr / 2  # momentum multiplies what a step does
        return torch.optim.SGD(over, lr, momentum=momentum, weight_decay=options.weight_decay)
    if name == "rmsprop":
        return torch.optim.RMSprop(over, lr)
    kind: Any = torch.optim.AdamW if name == "adamw" else torch.optim.Adam
    first_beta = 0.9 if options.momentum is None else options.momentum
    made: torch.optim.Optimizer = kind(
        over, lr, betas=(first_beta, 0.999), weight_decay=options.weight_decay
    )
    return made


def _over(what: str, model: nn.Module) -> Any:
    if what == "copy":  # made before the model was replaced, say
        return copy.deepcopy(model).parameters()
    if what == "head":
        last = [module for module in model.modules() if isinstance(module, nn.Linear)][-1]
        return last.parameters()
    return model.parameters()


def build_scheduler(
    optimizer: torch.optim.Optimizer, options: Options, epoch_steps: int
) -> lr_scheduler.LRScheduler | None:
    """Return the schedule, in epochs; cosine and warm-up are meant to be stepped by batch."""
    epochs = max(1, options.steps // epoch_steps)
    steps = options.steps
    if options.schedule == "cosine":
        return lr_scheduler.CosineAnnealingLR(
            optimizer, steps if options.schedule_per_batch else epochs
        )
    if options.schedule == "warmup":
        warm = max(1, steps // 10)
        return lr_scheduler.LambdaLR(
            optimizer,
            lambda step: min((step + 1) / warm, max(0.0, (steps - step) / (steps - warm))),
        )
    if options.schedule == "step":
        return lr_scheduler.StepLR(optimizer, max(1, epochs // 3), gamma=0.3)
    if options.schedule == "exponential":  # meant for epochs
        return lr_scheduler.ExponentialLR(optimizer, gamma=0.8)
    return None
