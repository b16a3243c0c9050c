"""The data of one training, with what its options spoil, and the loader that hands it out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from benchmarks.faults.options import Options
from benchmarks.faults.tasks import Data, Task

#: Samples that duplicates are copies of.
DISTINCT = 24
#: What a loss leaves out.
IGNORED = -100


def prepared(task: Task, options: Options, seed: int) -> Data:
    """Return the task's data as this training has it."""
    data = task.load()
    rng = torch.Generator().manual_seed(seed + 100)
    if options.imbalance > 1:
        data = _imbalanced(data, options.imbalance)
    if options.removed_class is not None:
        data = _train_where(data, data.train_y != options.removed_class)
    if options.train_ratio < 1:
        count = max(4, round(len(data.train_x) * options.train_ratio))
        data = _train_where(data, torch.randperm(len(data.train_x), generator=rng)[:count])
    if options.duplicated_ratio:
        copies = torch.arange(round(len(data.train_x) * options.duplicated_ratio)) % DISTINCT
        kept = torch.arange(len(copies), len(data.train_x))
        data = _train_where(data, torch.cat([copies, kept]))
    if options.leaked:
        times = -(-len(data.train_x) // len(data.val_x))
        data = replace(
            data, train_x=data.val_x.repeat(times, *_ones(data.val_x)), train_y=_many(data, times)
        )
    data = _with_wrong_targets(task, data, options, rng)
    if not options.shuffled:
        order = data.train_y.reshape(len(data.train_y), -1)[:, 0].argsort(stable=True)
        data = _train_where(data, order)
    if options.input_scale != 1:
        data = replace(
            data, train_x=data.train_x * options.input_scale, val_x=data.val_x * options.input_scale
        )
    return _padded(task, data, options.padded_ratio) if options.padded_ratio else data


def _with_wrong_targets(task: Task, data: Data, options: Options, rng: torch.Generator) -> Data:
    """Spoil the targets of the training data; those of the validation data stay right."""
    y = data.train_y
    if options.pairing_shift:
        y = y.roll(options.pairing_shift, 0)
    if options.target_shift and task.kind == "language":
        y = data.train_x  # the target is the token that was just read
    elif options.target_shift:
        y = (y + options.target_shift) % task.class_count
    if options.label_noise_ratio:
        wrong = torch.rand(len(y), generator=rng) < options.label_noise_ratio
        others = y[torch.randperm(len(y), generator=rng)]
        y = torch.where(wrong.reshape(-1, *[1] * (y.dim() - 1)), others, y)
    return replace(data, train_y=y)


def _imbalanced(data: Data, times: int) -> Data:
    """Keep all of class 0, and of the others together a ``times``-th of that."""
    first, rest = (data.train_y == 0).nonzero()[:, 0], (data.train_y != 0).nonzero()[:, 0]
    few = rest[: max(2, round(len(first) / times))]
    grown = first.repeat(6)  # as many samples as before, so that an epoch keeps its length
    return _train_where(data, torch.cat([grown, few.repeat(6)]))


def _train_where(data: Data, kept: Tensor) -> Data:
    return replace(data, train_x=data.train_x[kept], train_y=data.train_y[kept])


def _ones(x: Tensor) -> list[int]:
    return [1] * (x.dim() - 1)


def _many(data: Data, times: int) -> Tensor:
    return data.val_y.repeat(times, *_ones(data.val_y))


def _padded(task: Task, data: Data, ratio: float) -> Data:
    """Append token 0 to every sequence until it is that much of it."""
    length = data.train_x.shape[1]
    more = round(length / (1 - ratio)) - length

    def grow(x: Tensor, value: int) -> Tensor:
        return torch.nn.functional.pad(x, (0, more), value=value)

    grown = replace(data, train_x=grow(data.train_x, 0), val_x=grow(data.val_x, 0))
    if task.kind == "language":
        grown = replace(grown, train_y=grow(data.train_y, IGNORED), val_y=grow(data.val_y, IGNORED))
    return grown


def loader(data: Data, options: Options, batch_size: int, seed: int) -> Iterator[list[Tensor]]:
    """Yield the batches of one epoch, the last one too if it is not full."""
    rng = torch.Generator().manual_seed(seed)
    count = len(data.train_x)
    order = torch.randperm(count, generator=rng) if options.shuffled else torch.arange(count)
    for start in range(0, count, batch_size):
        chosen = order[start : start + batch_size]
        x = data.train_x[chosen]
        if options.augmentation_noise:
            x = x + options.augmentation_noise * torch.randn(x.shape, generator=rng)
        yield [x, data.train_y[chosen]]
