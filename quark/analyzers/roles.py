"""Which metric plays which role: people name their losses freely.

:func:`choose_roles` maps the names that scripts and libraries use onto roles, says which it chose,
and can be overruled. It sees names only, and where they leave a doubt it rather chooses nothing: a
metric taken for what it is not gives alarms that are false.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from quark.analyzers.role_names import NameReading, read_name

#: Every role. Losses fall, accuracies rise; ``*_score`` is anything that rises and is no accuracy.
ROLES = (
    "train_loss",
    "val_loss",
    "train_accuracy",
    "val_accuracy",
    "train_score",
    "val_score",
    "learning_rate",
    "gradient_norm",
    "grad_scale",
    "step_time_ms",
    "data_time_ms",
    "compute_time_ms",
    "throughput",
    "epoch",
)

#: Keys that one role has at most: each is read in full.
MAX_KEYS = 8

_MEASURED = ("loss", "accuracy", "score")
#: mmpretrain measures these on validation data, whatever else is bare.
_OF_VALIDATION = ("accuracy/top1", "accuracy/top5", "accuracy_top-1", "accuracy_top-5")
#: transformers' Trainer logs ``loss`` as it goes and the mean as ``train_loss`` at the end.
_TRAINER_SIGNS = ("train_runtime", "train_steps_per_second", "total_flos")
_GRAIN_COST = {
    "train": {"step": 1, "": 0, "epoch": 2},
    "val": {"step": 2, "": 0, "epoch": 1},
}
_BARE_COST = 3
#: What a loss costs at most that is no component: ``total_loss``.
_PLAIN_COST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRoles:
    """For each role the keys that play it, the best first."""

    keys: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def key(self, role: str) -> str | None:
        """Return the key that plays ``role``, None if none does."""
        found = self.keys.get(role, ())
        return found[0] if found else None

    def all(self, role: str) -> tuple[str, ...]:
        """Return every key that plays ``role``."""
        return self.keys.get(role, ())


NO_ROLES = MetricRoles()


def choose_roles(
    keys: Sequence[str], overrides: Mapping[str, Sequence[str]] | None = None
) -> MetricRoles:
    """Map metric keys onto roles.

    Args:
        keys: The keys that a run has logged, in the order in which they came.
        overrides: By role, the keys that play it; the first that is there is taken, and where none
            is there nothing else is guessed.

    Returns:
        At most :data:`MAX_KEYS` keys for each role: the plain name before components, averages and
        per-class values, of equals the one that came first.

    >>> choose_roles(["loss", "lr", "val_loss", "best_val_loss"]).keys["train_loss"]
    ('loss',)
    """
    readings = {key: reading for key in keys if (reading := read_name(key)) is not None}
    candidates: dict[str, list[tuple[int, str]]] = {}
    for key, role, cost in _placed(readings, frozenset(keys)):
        candidates.setdefault(role, []).append((cost, key))
    chosen = {
        role: tuple(key for _, key in sorted(found, key=lambda one: one[0])[:MAX_KEYS])
        for role, found in candidates.items()
    }
    there = frozenset(keys)
    for role, wanted in (overrides or {}).items():
        chosen[role] = tuple(key for key in wanted if key in there)
    return MetricRoles(keys={role: chosen[role] for role in ROLES if chosen.get(role)})


def comparable_keys(
    roles: MetricRoles, first_role: str, second_role: str
) -> tuple[tuple[str, str], ...]:
    """Return pairs of keys that measure the same for two roles, the best pair first.

    ``train/loss`` is compared with ``val/loss``, not with ``val/mse``. Of two that measure the same
    the pair with the same grain (per step, per epoch) comes first.

    >>> roles = choose_roles(["batch/loss", "epoch/loss", "epoch/val_loss"])
    >>> comparable_keys(roles, "train_loss", "val_loss")
    (('epoch/loss', 'epoch/val_loss'), ('batch/loss', 'epoch/val_loss'))
    """
    found: list[tuple[int, int, tuple[str, str]]] = []
    firsts, seconds = roles.all(first_role), roles.all(second_role)
    for place, one in enumerate(firsts):
        for other_place, other in enumerate(seconds):
            a, b = read_name(one), read_name(other)
            is_alone = len(firsts) == len(seconds) == 1
            if a is None or b is None:
                # A name that was given by hand: taken at its word where there is no choice.
                if is_alone:
                    found.append((0, place + other_place, (one, other)))
            elif a.measure == b.measure:
                found.append((int(a.grain != b.grain), place + other_place, (one, other)))
    found.sort(key=lambda pair: pair[:2])
    return tuple(pair for _, _, pair in found)


def _placed(
    readings: Mapping[str, NameReading], keys: frozenset[str]
) -> list[tuple[str, str, int]]:
    """Return key, role and cost of every name that plays one."""
    families = {reading.family for reading in readings.values()}
    # Such losses rise and fall in perfect health, and a loss beside them is their sum.
    is_unruly = "reinforcement" in families or {"discriminator", "generator"} <= families
    explicit = {(one.family, one.split) for one in readings.values() if one.split}
    is_trainer = any(sign in keys for sign in _TRAINER_SIGNS)
    bare_loss_trains = (("loss", "train") not in explicit or is_trainer) and any(
        one.family == "loss" and not one.split and one.cost <= _PLAIN_COST
        for one in readings.values()
    )
    placed = []
    for key, one in readings.items():
        if one.family not in _MEASURED:
            if one.family in ROLES:
                placed.append((key, one.family, one.cost))
            continue
        if one.family == "loss" and is_unruly:
            continue
        split = one.split or _split_of_bare(key, one, readings, explicit, bare_loss_trains)
        if split == "test":
            split = "" if (one.family, "val") in explicit else "val"
        if split:
            cost = one.cost + _GRAIN_COST[split][one.grain]
            if not one.split and not is_trainer:
                cost += _BARE_COST
            if one.split == "train" and is_trainer and one.family == "loss":
                cost += _BARE_COST
            placed.append((key, f"{split}_{one.family}", cost))
    return placed


def _split_of_bare(
    key: str,
    one: NameReading,
    readings: Mapping[str, NameReading],
    explicit: set[tuple[str, str]],
    bare_loss_trains: bool,
) -> str:
    """Return whose a name is that does not say so; empty if nobody knows."""
    if key in _OF_VALIDATION:
        return "val"
    if one.family == "loss":
        return "train"
    has_val = (one.family, "val") in explicit or (one.family, "test") in explicit
    if has_val and (one.family, "train") not in explicit:
        return "train"
    if one.family == "score" and (key.startswith("metrics/") or _is_detection(one)):
        return "val"
    if bare_loss_trains:
        return "train"
    both = ("loss", "train") in explicit and bool({("loss", "val"), ("loss", "test")} & explicit)
    return "val" if both and not has_val else ""


def _is_detection(one: NameReading) -> bool:
    """Average precision is measured on whole data sets, not on batches."""
    return any(word.rstrip("0123456789") == "ap" for word in one.measure)
