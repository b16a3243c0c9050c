"""``ComparisonEngine``: what is different between two runs, in numbers.

It reads what both have kept and runs no analysis: alerts and phases are those that an
``AnalyzerEngine``, a ``PhaseAnalyzer`` or the report at a run's end has left there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from quark.analyzers.comparison import (
    ComparedRun,
    alert_diff,
    layer_diffs,
    metric_diffs,
    phase_diffs,
)
from quark.analyzers.comparison_results import MetricTargetSpec, RunComparisonResult
from quark.analyzers.gather import gather_layers, gather_metrics
from quark.analyzers.metric_directions import metric_directions
from quark.analyzers.outputs import current_outputs
from quark.clock import SYSTEM_CLOCK, format_timestamp
from quark.errors import SchemaValidationError
from quark.records import AlertRecord, MetricDefinitionRecord, PhaseRecord, RunRecord
from quark.schema import CURRENT_SCHEMA_VERSION
from quark.session.reading import load_context
from quark.session.resolve import Target, check_target, reading
from quark.session.training import TrainingSession
from quark.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonEngineConfig:
    """How runs are compared: what their metrics are to reach, at most one target a metric.

    Raises:
        SchemaValidationError: ``metric_targets`` is no tuple of targets, or two are of one metric.

    >>> ComparisonEngineConfig(metric_targets=(MetricTargetSpec("val/accuracy", 0.8),))
    ComparisonEngineConfig(metric_targets=(MetricTargetSpec(metric_key='val/accuracy', \
target_value=0.8, direction='at_least'),))
    """

    metric_targets: tuple[MetricTargetSpec, ...] = ()

    def __post_init__(self) -> None:
        targets = self.metric_targets
        if not isinstance(targets, tuple) or not all(
            isinstance(target, MetricTargetSpec) for target in targets
        ):
            raise SchemaValidationError(
                f"metric_targets is {targets!r}, but must be a tuple of MetricTargetSpec."
            )
        keys = [target.metric_key for target in targets]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise SchemaValidationError(
                f"metric_targets names {', '.join(map(repr, twice))} more than once; a metric has "
                "one target."
            )


class ComparisonEngine:
    """Compares a run with others by their metrics, alerts, phases and layer summaries.

    Nothing is analysed for it: of alerts and phases those are compared that are there.

    Args:
        session: The primary run: a ``TrainingSession`` or a ``RunContext``.
        config: Which targets to look at.

    Raises:
        SchemaValidationError: ``session`` is no run.

    >>> import tempfile
    >>> from quark import MetricsLogger, TrainingSession
    >>> folder, runs = tempfile.mkdtemp(), []
    >>> for speed in (0.5, 0.8):
    ...     with TrainingSession.start_run(project="demo", storage_dir=folder) as session:
    ...         with MetricsLogger(session) as metrics:
    ...             for step in range(20):
    ...                 _ = metrics.log("val/loss", speed**step, step=step)
    ...     runs.append(session)
    >>> target = MetricTargetSpec("val/loss", 0.1, "at_most")
    >>> config = ComparisonEngineConfig(metric_targets=(target,))
    >>> found = ComparisonEngine(runs[0], config=config).compare_to_baseline(runs[1].run_id)
    >>> diff = found.metric("val/loss")
    >>> found.mode, diff.better, diff.time_to_target_step.difference
    ('baseline', 'primary', -7)
    """

    def __init__(self, session: Target, *, config: ComparisonEngineConfig | None = None) -> None:
        check_target(session)
        self._target = session
        self._config = config or ComparisonEngineConfig()

    def compare(self, other: Target | str, *, baseline: bool = False) -> RunComparisonResult:
        """Compare the run with another one.

        Args:
            other: The reference: a session, a context, or the id of a run in the primary run's
                ``storage_dir``.
            baseline: Whether the reference is what the primary run is to be as good as.

        Raises:
            SchemaValidationError: ``other`` is no run.
            RunNotFoundError: There is no such run.
            SessionStoreError: A store does not answer.
        """
        reference = as_target(other, storage_dir=storage_dir_of(self._target))
        one, ours, defined = _read(self._target)
        other_run, theirs, also_defined = _read(reference)
        targets = self._config.metric_targets
        directions = metric_directions([*ours.metrics, *theirs.metrics], [*also_defined, *defined])
        return RunComparisonResult(
            schema_version=CURRENT_SCHEMA_VERSION,
            generated_at=format_timestamp(SYSTEM_CLOCK.time_us()),
            mode="baseline" if baseline else "pairwise",
            primary=one,
            reference=other_run,
            metric_diffs=metric_diffs(ours, theirs, directions, targets),
            alert_diff=alert_diff(ours, theirs),
            phase_diffs=phase_diffs(ours, theirs),
            layer_summary_diffs=layer_diffs(ours, theirs),
        )

    def compare_to_baseline(self, baseline_run: Target | str) -> RunComparisonResult:
        """Compare the run with one that it is to be as good as; see :meth:`compare`."""
        return self.compare(baseline_run, baseline=True)

    @staticmethod
    def compare_runs(
        primary: Target,
        reference: Target | str,
        *,
        baseline: bool = False,
        config: ComparisonEngineConfig | None = None,
    ) -> RunComparisonResult:
        """Compare two runs in one call; see :meth:`compare`."""
        return ComparisonEngine(primary, config=config).compare(reference, baseline=baseline)


def as_target(run: Target | str, *, storage_dir: str | None) -> Target:
    """Return the run that is meant; an id is looked up in ``storage_dir``.

    Raises:
        SchemaValidationError: ``run`` is neither a session, a context nor an id.
        RunNotFoundError: There is no such run.
    """
    if isinstance(run, str):
        return load_context(run, Settings.load(storage_dir=storage_dir))
    check_target(run)
    return run


def storage_dir_of(target: Target) -> str:
    """Return the storage directory of a run."""
    context = target.context if isinstance(target, TrainingSession) else target
    return context.storage_dir


def _read(target: Target) -> tuple[RunRecord, ComparedRun, Sequence[MetricDefinitionRecord]]:
    with reading(target) as (store, run_id):
        compared = ComparedRun(
            metrics=gather_metrics(store, run_id, store.points.keys(run_id)),
            alerts=current_outputs(store, run_id, AlertRecord, "alerts"),
            phases=current_outputs(store, run_id, PhaseRecord, "phases"),
            layers=gather_layers(store, run_id),
        )
        defined = store.records.read(MetricDefinitionRecord, run_id)
        return store.records.get_run(run_id), compared, defined
