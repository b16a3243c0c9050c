"""``ComparisonEngine``: what is different between two runs, in numbers.

It reads what both have kept and runs no analysis: alerts and phases are those that an
``AnalyzerEngine``, a ``PhaseAnalyzer`` or the report at a run's end has left there.
"""

from __future__ import annotations

from quark.analyzers.compared import (
    ComparisonEngineConfig as ComparisonEngineConfig,
    StoredRun,
    compare_stored,
    read_stored,
)
from quark.analyzers.comparison_results import RunComparisonResult
from quark.session.reading import load_context
from quark.session.resolve import Target, check_target, reading
from quark.session.training import TrainingSession
from quark.settings import Settings


class ComparisonEngine:
    """Compares a run with others by their metrics, alerts, phases and layer summaries.

    Nothing is analysed for it: of alerts and phases those are compared that are there.

    Args:
        session: The primary run: a ``TrainingSession`` or a ``RunContext``.
        config: Which targets to look at.

    Raises:
        SchemaValidationError: ``session`` is no run.

    >>> import tempfile
    >>> from quark import MetricsLogger, MetricTargetSpec, TrainingSession
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
        one, other_run = _read(self._target), _read(reference)
        return compare_stored(one, other_run, self._config, baseline=baseline)

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


def _read(target: Target) -> StoredRun:
    with reading(target) as (store, run_id):
        return read_stored(store, run_id)
