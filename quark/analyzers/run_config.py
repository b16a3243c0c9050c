"""Numbers that scripts put into a run's config under names that are almost always the same."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence

_CLASSES = ("num_classes", "n_classes", "nb_classes", "num_labels", "class_count", "classes")
_BATCH = ("batch_size", "train_batch_size", "per_device_train_batch_size", "bs", "batchsize")
_RATE = ("lr", "learning_rate", "base_lr", "initial_lr", "init_lr")
_PRETRAINED = (
    "pretrained",
    "from_pretrained",
    "finetune",
    "fine_tune",
    "finetuning",
    "resume",
    "resume_from",
    "resume_from_checkpoint",
    "init_from",
    "checkpoint",
    "pretrained_model",
    "model_name_or_path",
    "lora",
    "lora_r",
    "lora_rank",
    "peft",
)
_DEPTH = 3
_FROM_SCRATCH = ("", "none", "null", "false", "no", "scratch")


def config_values(config: Mapping[str, Any], names: Collection[str]) -> list[Any]:
    """Return what stands under ``names``, at the top or below, whatever case they are in.

    >>> config_values({"optim": {"LR": 0.1}, "lr_decay": 2}, ("lr",))
    [0.1]
    """
    return list(_walk(config, frozenset(names), _DEPTH))


def config_number(config: Mapping[str, Any], names: Collection[str]) -> float | None:
    """Return the one number that stands under ``names``; None if there is none, or several."""
    found = {
        float(value)
        for value in config_values(config, names)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    }
    return found.pop() if len(found) == 1 else None


def class_count(evidence: RunEvidence) -> int | None:
    """Return how many classes there are: by the config, or by the batches; None if unknown."""
    named = config_number(evidence.run.config, _CLASSES)
    if named is not None and named >= 2:
        return int(named)
    counted = len(evidence.data.class_counts)
    return counted if counted >= 2 else None


def batch_size(evidence: RunEvidence) -> float | None:
    """Return how many samples a batch has: by the config, or by the batches; None if unknown."""
    named = config_number(evidence.run.config, _BATCH)
    if named is not None:
        return named
    sizes = evidence.batches.number("batch_size")
    sizes = sizes[sizes > 0]
    return float(sizes[len(sizes) // 2]) if len(sizes) else None


def configured_rate(evidence: RunEvidence) -> float | None:
    """Return the learning rate that the config names; None if it names none, or several."""
    return config_number(evidence.run.config, _RATE)


def optimizer_name(evidence: RunEvidence) -> str:
    """Return the optimizer that the config names, in lower case; empty if it names none."""
    names = ("optimizer", "optim", "opt", "optimizer_name", "optimizer_type")
    for value in config_values(evidence.run.config, names):
        if isinstance(value, str):
            return value.lower()
    return ""


def started_trained(evidence: RunEvidence) -> bool:
    """Return whether the run says that it began with a trained model: it goes on from a later step,
    or its config names what it began with."""
    if evidence.run.resume_times_us:
        return True
    loss = evidence.role("train_loss")
    if loss is not None and loss.has_steps and len(loss) > 1:
        stride = (int(loss.step[-1]) - int(loss.step[0])) / (len(loss) - 1)
        if int(loss.step[0]) > max(100.0, 2.0 * stride):
            return True
    values = config_values(evidence.run.config, _PRETRAINED)
    return any(value and str(value).strip().lower() not in _FROM_SCRATCH for value in values)


def _walk(config: Mapping[str, Any], names: frozenset[str], depth: int) -> list[Any]:
    found = []
    for key, value in config.items():
        if str(key).lower().rpartition(".")[2].rpartition("/")[2] in names:
            found.append(value)
        elif isinstance(value, Mapping) and depth > 1:
            found += _walk(value, names, depth - 1)
    return found
