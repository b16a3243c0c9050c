"""Losses as scripts have them, and what goes wrong in them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.faults.batches import IGNORED
from benchmarks.faults.options import Options
from benchmarks.faults.tasks import Task


def criterion_of(task: Task, options: Options) -> nn.Module:
    """Return the loss of a task."""
    if task.kind == "numbers":
        return nn.MSELoss(reduction=options.reduction)
    if options.log_forgotten:
        return nn.NLLLoss(reduction=options.reduction)  # of probabilities, not of their logarithms
    return nn.CrossEntropyLoss(
        reduction=options.reduction,
        label_smoothing=options.label_smoothing,
        ignore_index=IGNORED,
    )


def loss_of(criterion: nn.Module, output: Tensor, target: Tensor, broken: str | None) -> Tensor:
    """Return the loss of a batch; ``broken`` names what goes wrong with its numbers."""
    if target.dtype == torch.int64:
        output, target = output.reshape(-1, output.shape[-1]), target.reshape(-1)
    if broken == "overflow":  # too large for half precision
        output = (output * 1e6).half().float()
    elif broken == "log_zero":
        return _with_log_of_zero(output, target)
    loss: Tensor = criterion(output, target)
    if broken == "zero_division":  # a mean over a mask that masks everything
        mask = torch.zeros(len(target))
        return (loss * mask).sum() / mask.sum()
    return loss


def _with_log_of_zero(output: Tensor, target: Tensor) -> Tensor:
    """Take logarithms of numbers that were cut off at zero."""
    if target.dtype != torch.int64:
        return (functional.relu(output).log() - target).square().mean()
    probabilities = output.softmax(-1)
    kept = probabilities * (probabilities > 0.2)
    return functional.nll_loss(kept.log(), target, ignore_index=IGNORED)


def score_of(task: Task, output: Tensor, target: Tensor) -> float:
    """Return the accuracy, or the mean absolute error of numbers."""
    if task.kind == "numbers":
        return (output - target).abs().mean().item()
    counted = target != IGNORED
    return (output.argmax(-1) == target)[counted].float().mean().item()
