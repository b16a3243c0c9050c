"""Which metric plays which role: people name their losses freely.

:func:`choose_roles` maps the names that scripts and libraries use onto roles, says which it chose,
and can be overruled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

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
        keys: The keys that a run has logged.
        overrides: By role, the keys that play it; the first that is there is taken, and where none
            is there nothing else is guessed.
    """
    chosen = {}
    for role, wanted in (overrides or {}).items():
        found = tuple(key for key in wanted if key in keys)
        if found:
            chosen[role] = found
    return MetricRoles(keys=chosen)
