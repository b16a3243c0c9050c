"""``PhaseAnalyzer``: from the losses or accuracies that a run has kept to its phases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from quark.analyzers.gather import gather_metrics
from quark.analyzers.metric_keys import check_keys
from quark.analyzers.outputs import (
    close_analysis,
    current_outputs,
    new_analysis_id,
    within_steps,
    write_outputs,
)
from quark.analyzers.phase_curve import Curve, curve_of
from quark.analyzers.phase_thresholds import PhaseAnalyzerThresholds
from quark.analyzers.phase_words import phase_rows
from quark.analyzers.phases import PHASE_NAMES, find_phases
from quark.analyzers.questions import check_numbers_from_0, check_word
from quark.analyzers.roles import choose_roles, comparable_keys
from quark.clock import SYSTEM_CLOCK
from quark.errors import SchemaValidationError
from quark.records import PhaseRecord
from quark.session.resolve import Target, check_target, open_for_writing, reading

if TYPE_CHECKING:
    from collections.abc import Iterable

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


class PhaseAnalyzer:
    """Cuts one run into phases by its training and validation loss, or accuracy.

    Losses go before accuracies, and both of a sort before one alone. Without a validation there is
    no overfitting to see; without a metric there are no phases. A run may be analysed while it
    goes on, and any time later.

    Args:
        session: The run: a ``TrainingSession`` or a ``RunContext``.
        config: Thresholds and metric keys.

    Raises:
        SchemaValidationError: ``session`` is no run.

    >>> import tempfile
    >>> from quark import MetricsLogger, TrainingSession
    >>> with TrainingSession.start_run(project="demo", storage_dir=tempfile.mkdtemp()) as session:
    ...     with MetricsLogger(session) as metrics:
    ...         for step, loss in enumerate([2.3, 2.2, 1.5, 1.0, 0.95, 0.91, 0.909, 0.908]):
    ...             _ = metrics.log("train/loss", loss, step=step)
    ...     result = PhaseAnalyzer(session).analyze()
    >>> for phase in result.phases:
    ...     print(phase.step_start, phase.step_end, phase.phase_name)
    0 1 initialization_adaptation
    2 3 rapid_learning
    4 5 stabilization
    6 7 stagnation
    """

    def __init__(self, session: Target, *, config: PhaseAnalyzerConfig | None = None) -> None:
        check_target(session)
        self._target = session
        self._config = config or PhaseAnalyzerConfig()

    def analyze(self, *, replace_existing: bool | None = None) -> PhaseAnalysisResult:
        """Find the phases of the run and keep them.

        Args:
            replace_existing: Put them in the place of earlier ones, or beside them; by default
                what the configuration says.

        Raises:
            SessionStoreError: What was logged cannot be read.
        """
        config = self._config
        replaces = config.replace_existing_outputs if replace_existing is None else replace_existing
        started = SYSTEM_CLOCK.monotonic()
        analysis_id = new_analysis_id()
        with open_for_writing(self._target) as handle:
            with handle.reading() as store:
                curve, roles = _read_curve(store, handle.run_id, config)
            rows = []
            if curve is not None:
                found = find_phases(curve, config.thresholds)
                rows = phase_rows(curve, found, config.thresholds, analysis_id)
            phases = write_outputs(handle, PhaseRecord, rows)
            close_analysis(
                handle,
                "phases",
                analysis_id,
                replaces_existing=replaces,
                output_count=len(phases),
                metadata={
                    "roles": roles,
                    "seconds": round(SYSTEM_CLOCK.monotonic() - started, 6),
                },
            )
            return PhaseAnalysisResult(
                run_id=handle.run_id, analysis_id=analysis_id, phases=phases, metric_roles=roles
            )

    def read_phases(
        self,
        *,
        phase_name: str | None = None,
        step: int | None = None,
        step_min: int | None = None,
        step_max: int | None = None,
        limit: int | None = None,
    ) -> tuple[PhaseRecord, ...]:
        """Return the phases that count now, those of each analysis by their steps.

        Args:
            phase_name: Only those of this name.
            step: Only those whose range of steps has it; likewise ``step_min`` and ``step_max``,
                which that range must meet.
            limit: How many at most.

        Raises:
            SchemaValidationError: A name that no phase can have, or a step or limit that is no
                whole number of 0 or more.
            SessionStoreError: The store does not answer.
        """
        check_word("phase_name", phase_name, PHASE_NAMES)
        check_numbers_from_0(step=step, step_min=step_min, step_max=step_max, limit=limit)
        equals = {} if phase_name is None else {"phase_name": phase_name}
        with reading(self._target) as (store, run_id):
            found = current_outputs(store, run_id, PhaseRecord, "phases", equals)
        return within_steps(found, step=step, step_min=step_min, step_max=step_max, limit=limit)


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
