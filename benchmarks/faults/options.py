"""Every switch of a training. The defaults are a healthy run; a fault turns one or two of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How one training runs. None: as the task has it. ``*_ratio`` are shares of the run's steps
    or of the samples, 0 to 1."""

    # -- length and data
    steps: int = 400
    batch_size: int | None = None
    train_ratio: float = 1.0  # how much of the training data is used
    eval_every_epochs: int = 1
    label_noise_ratio: float = 0.0  # training labels that are replaced by random ones
    target_shift: int = 0  # training labels are off by so many classes, or positions of a sequence
    pairing_shift: int = 0  # inputs stand beside the target so many samples further on
    input_scale: float = 1.0
    augmentation_noise: float = 0.0
    removed_class: int | None = None
    imbalance: int = 1  # the first class is so many times as frequent as the others
    shuffled: bool = True
    leaked: bool = False  # the training data is the validation data, several times
    duplicated_ratio: float = 0.0  # how much of the training data is copies of a few samples
    padded_ratio: float = 0.0

    # -- model
    hidden: int | None = None
    layers: int | None = None  # of a plain deep net that takes the place of the task's model
    activation: str | None = None
    dropout: float = 0.0
    normalised: bool | None = None
    residual: bool = False
    init: str | None = None  # "zero", "constant", "x100" or "dead"
    pretrained: bool = False  # goes on from a model that was trained well before

    # -- optimisation
    optimizer: str | None = None  # "sgd", "adam", "adamw" or "rmsprop"
    lr_factor: float = 1.0
    momentum: float | None = None  # Adam's first beta too
    weight_decay: float = 0.0
    schedule: str = "constant"  # "cosine", "step", "warmup" or "exponential"
    schedule_per_batch: bool = False
    clip_norm: float | None = None
    logs_gradient_norm: bool | None = None
    accumulate: int = 1
    accumulation_scaled: bool = True
    zeroes_gradients: bool = True
    steps_first: bool = False  # optimizer.step() before backward()
    optimizer_over: str = "model"  # "copy": of the model; "head": its last layer only

    # -- loss
    softmax_twice: bool = False
    reduction: str = "mean"
    negated: bool = False
    log_forgotten: bool = False
    label_smoothing: float = 0.0
    evaluates_in_train_mode: bool = False

    # -- numerics, from ``onset_ratio`` of the run on
    numerics: str | None = None  # "overflow", "log_zero", "zero_division", "nan_sample" or "amp"
    onset_ratio: float = 0.5

    # -- time and memory
    step_floor_ms: float = 0.0  # every step takes this long at least, so that there is a rhythm
    loader_ms: float = 0.0
    stall_every: int = 0  # a batch for which the loader stands still
    slow_every: int = 0  # a step that computes longer
    stall_ms: float = 0.0
    checkpoint_every: int = 0
    checkpoint_ms: float = 0.0
    first_step_ms: float = 0.0
    leaked_bytes_per_step: int = 0

    # -- the process
    killed_at_ratio: float | None = None
    hangs: bool = False
    spool_bytes: int | None = None
    rank_fault: str | None = None  # "slow", "diverging" or "nan": the second of two processes
    ranks: int = 1

    def to_dict(self) -> dict[str, Any]:
        """Return what differs from the defaults."""
        usual = Options()
        return {
            name: value for name, value in asdict(self).items() if value != getattr(usual, name)
        }


KNOWN = frozenset(item.name for item in fields(Options))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run to train: what is wrong with it (``label``), where, and how it is logged.

    ``arm`` is "watch" (``wandb.watch`` beside the metrics), "metrics", or "bare" (no Quark).
    """

    label: str  # a fault's name, or "healthy"
    variant: str  # tells healthy controls apart
    task: str
    seed: int
    half: str  # "tune" or "held-out"
    arm: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def run_id(self) -> str:
        """The same for the same plan."""
        middle = f"-{self.variant}" if self.variant else ""
        return f"{self.label}{middle}-{self.task}-{self.seed}"

    @property
    def place(self) -> str:
        """The storage directory, below the folder of all runs. A run that hangs is looked at while
        it does, so it has one of its own: whoever opens a store finds out who has died there."""
        return f"{self.arm}/hanging/{self.run_id}" if self.options.get("hangs") else self.arm
