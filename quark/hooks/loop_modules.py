"""Which modules of a model behave differently in training and in evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def count_mode_modules(model: nn.Module) -> int:
    """Return how many modules drop values at random, or normalise by the batch.

    >>> import torch
    >>> count_mode_modules(torch.nn.Sequential(torch.nn.Dropout(0.1), torch.nn.Dropout(0.0)))
    1
    """
    import torch
    from torch.nn.modules.batchnorm import _BatchNorm
    from torch.nn.modules.dropout import _DropoutNd

    count = 0
    for module in model.modules():
        if isinstance(module, _DropoutNd):
            count += module.p > 0
        elif isinstance(module, (torch.nn.RNNBase, torch.nn.MultiheadAttention)):
            count += module.dropout > 0
        elif isinstance(module, _BatchNorm):
            count += module.track_running_stats
    return count
