"""Comparing runs that are in stores: without a session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

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

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quark.storage.protocols import Store


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


class StoredRun(NamedTuple):
    """A run with all of it that is compared."""

    run: RunRecord
    compared: ComparedRun
    defined: Sequence[MetricDefinitionRecord]


def read_stored(store: Store, run_id: str) -> StoredRun:
    """Read what is compared of a run.

    Raises:
        RunNotFoundError: There is no such run.
        SessionStoreError: The store does not answer.
    """
    compared = ComparedRun(
        metrics=gather_metrics(store, run_id, store.points.keys(run_id)),
        alerts=current_outputs(store, run_id, AlertRecord, "alerts"),
        phases=current_outputs(store, run_id, PhaseRecord, "phases"),
        layers=gather_layers(store, run_id),
    )
    defined = store.records.read(MetricDefinitionRecord, run_id)
    return StoredRun(store.records.get_run(run_id), compared, defined)


def compare_stored(
    primary: StoredRun, reference: StoredRun, config: ComparisonEngineConfig, *, baseline: bool
) -> RunComparisonResult:
    """Compare two runs; see :meth:`quark.analyzers.comparison_engine.ComparisonEngine.compare`."""
    ours, theirs = primary.compared, reference.compared
    defined = [*reference.defined, *primary.defined]
    directions = metric_directions([*ours.metrics, *theirs.metrics], defined)
    return RunComparisonResult(
        schema_version=CURRENT_SCHEMA_VERSION,
        generated_at=format_timestamp(SYSTEM_CLOCK.time_us()),
        mode="baseline" if baseline else "pairwise",
        primary=primary.run,
        reference=reference.run,
        metric_diffs=metric_diffs(ours, theirs, directions, config.metric_targets),
        alert_diff=alert_diff(ours, theirs),
        phase_diffs=phase_diffs(ours, theirs),
        layer_summary_diffs=layer_diffs(ours, theirs),
    )
