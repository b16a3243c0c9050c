"""What the rules said of one run, and what was really wrong with it. Data alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

SERIOUS = ("warning", "error", "critical")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One finding: an alert, or what is listed under one."""

    rule_id: str
    severity: str
    category: str = ""
    subject: str = ""
    fact: str = ""
    onset_step: int | None = None
    consequences: tuple[Said, ...] = ()

    @property
    def is_serious(self) -> bool:
        """Whether it counts: what is only worth knowing neither finds a fault nor is an alarm."""
        return self.severity in SERIOUS


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A run, what was injected into it (``label``), and its alerts, the worst first.

    ``onset_step`` is the row at which numbers were made to go wrong; None: from the beginning.
    ``val_loss`` is the loss on validation data after the last step, NaN if there was none.
    """

    run_id: str
    label: str
    task: str
    seed: int
    half: str
    arm: str
    steps: int
    variant: str = ""
    onset_step: int | None = None
    val_loss: float = float("nan")
    alerts: tuple[Said, ...] = ()
    judged_seconds: float = 0.0
    rule_faults: tuple[str, ...] = ()

    @property
    def serious(self) -> tuple[Said, ...]:
        """The alerts of warning or worse."""
        return tuple(alert for alert in self.alerts if alert.is_serious)

    @property
    def named(self) -> tuple[Said, ...]:
        """The alerts of warning or worse, and what of warning or worse is listed under them."""
        return tuple(
            one for alert in self.serious for one in (alert, *alert.consequences) if one.is_serious
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain dicts and lists."""
        return asdict(self)
