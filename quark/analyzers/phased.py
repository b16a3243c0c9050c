"""The phases of a run that is in a store, and keeping them: without a session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from quark.analyzers.gather import gather_metrics
from quark.analyzers.metric_keys import check_keys
from quark.analyzers.outputs import close_analysis, new_analysis_id, write_outputs
from quark.analyzers.phase_curve import Curve, curve_of
from quark.analyzers.phase_thresholds import PhaseAnalyzerThresholds
from quark.analyzers.phase_words import phase_rows
from quark.analyzers.phases import find_phases
from quark.analyzers.roles import choose_roles, comparable_keys
from quark.clock import SYSTEM_CLOCK
from quark.errors import SchemaValidationError
from quark.records import PhaseRecord

if TYPE_CHECKING:
    from collections.abc import Iterable

    from quark.analyzers.outputs import OutputWriter
    from quark.storage.protocols import Store

_KEY_FIELDS = {
    "train_loss": "train_loss_metric_keys",
    "val_loss": "val_loss_metric_keys",
    "train_accuracy": "train_accuracy_metric_keys",
    "val_accuracy": "val_accuracy_metric_keys",
}
#: With fewer points of the training, the validation tells more.
_MIN_POINTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseAnalyzerConfig:
    """How a run is cut into phases.

    ``replace_existing_outputs`` is what ``analyze`` does where it is not told. The metric keys are
    looked at in their order; of each tuple the first that was logged counts. Where none of all was
    logged, the names of the metrics decide (see :func:`quark.analyzers.roles.choose_roles`).

    Raises:
        SchemaValidationError: A field is not what it must be.

    >>> PhaseAnalyzerConfig(val_loss_metric_keys=("eval/ce",)).train_loss_metric_keys
    ('train/loss', 'training/loss')
    """

    thresholds: PhaseAnalyzerThresholds = field(default_factory=PhaseAnalyzerThresholds)
    replace_existing_outputs: bool = True
    train_loss_metric_keys: tuple[str, ...] = ("train/loss", "training/loss")
    val_loss_metric_keys: tuple[str, ...] = ("val/loss", "validation/loss")
    train_accuracy_metric_keys: tuple[str, ...] = (
        "train/accuracy",
        "training/accuracy",
        "train/acc",
    )
    val_accuracy_metric_keys: tuple[str, ...] = (
        "val/accuracy",
        "validation/accuracy",
        "val/acc",
    )

    def __post_init__(self) -> None:
        if not isinstance(self.thresholds, PhaseAnalyzerThresholds):
            raise SchemaValidationError(
                f"thresholds is {self.thresholds!r}, but must be a PhaseAnalyzerThresholds."
            )
        for name in _KEY_FIELDS.values():
            check_keys(name, getattr(self, name))

    def choose(self, logged: Iterable[str]) -> dict[str, str]:
        """Return which of the ``logged`` metrics plays which role."""
        keys = list(logged)
        chosen = {
            role: next((key for key in getattr(self, name) if key in keys), None)
            for role, name in _KEY_FIELDS.items()
        }
        if not any(chosen.values()):
            roles = choose_roles(keys)
            chosen = {role: roles.key(role) for role in _KEY_FIELDS}
            for sort in ("loss", "accuracy"):
                train, validation = f"train_{sort}", f"val_{sort}"
                for pair in comparable_keys(roles, train, validation)[:1]:
                    chosen[train], chosen[validation] = pair
        return {role: key for role, key in chosen.items() if key is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseAnalysisResult:
    """What one analysis gave: phases in the order of their steps.

    ``metric_roles`` says which metrics they were read off.
    """

    run_id: str
    analysis_id: str
    phases: tuple[PhaseRecord, ...]
    metric_roles: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain dicts and lists."""
        return {
            "run_id": self.run_id,
            "analysis_id": self.analysis_id,
            "phases": [phase.to_dict() for phase in self.phases],
            "metric_roles": dict(self.metric_roles),
        }


def phase_stored(
    store: Store, writer: OutputWriter, config: PhaseAnalyzerConfig, *, replaces_existing: bool
) -> PhaseAnalysisResult:
    """Find the phases of a run by what ``store`` has of it, and write them.

    Raises:
        RunNotFoundError: There is no such run.
        SessionStoreError: What was logged cannot be read.
    """
    started = SYSTEM_CLOCK.monotonic()
    analysis_id = new_analysis_id()
    curve, roles = _read_curve(store, writer.run_id, config)
    rows = []
    if curve is not None:
        found = find_phases(curve, config.thresholds)
        rows = phase_rows(curve, found, config.thresholds, analysis_id)
    phases = write_outputs(writer, PhaseRecord, rows)
    close_analysis(
        writer,
        "phases",
        analysis_id,
        replaces_existing=replaces_existing,
        output_count=len(phases),
        metadata={
            "roles": roles,
            "seconds": round(SYSTEM_CLOCK.monotonic() - started, 6),
        },
    )
    return PhaseAnalysisResult(
        run_id=writer.run_id, analysis_id=analysis_id, phases=phases, metric_roles=roles
    )


def _read_curve(
    store: Store, run_id: str, config: PhaseAnalyzerConfig
) -> tuple[Curve | None, dict[str, str]]:
    """Return the curve to look at, and the metrics that it is made of by role."""
    chosen = config.choose(store.points.keys(run_id))
    sort = "accuracy" if "train_loss" not in chosen and "val_loss" not in chosen else "loss"
    if sort == "loss" and {"train_accuracy", "val_accuracy"} <= set(chosen):
        sort = "loss" if {"train_loss", "val_loss"} <= set(chosen) else "accuracy"
    roles = {role: chosen[role] for role in (f"train_{sort}", f"val_{sort}") if role in chosen}
    series = gather_metrics(store, run_id, list(roles.values()))
    found = [series[key] for key in roles.values() if key in series]
    if not found:
        return None, roles
    main, validation = found[0], found[1] if len(found) > 1 else None
    if validation is not None and len(main) < _MIN_POINTS <= len(validation):
        main, validation = validation, None
    return curve_of(main, validation, is_accuracy=sort == "accuracy"), roles
