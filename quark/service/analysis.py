"""Judging and comparing runs where they are stored: what a worker process of the service does."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from quark.analyzers.compared import ComparisonEngineConfig, compare_stored, read_stored
from quark.analyzers.comparison_results import MetricTargetSpec
from quark.analyzers.one_batch import AnalysisWriter as AnalysisWriter, judge_run as judge_run

if TYPE_CHECKING:
    from quark.storage.protocols import Store


def compare_runs(
    store: Store,
    primary: str,
    reference: str,
    *,
    baseline: bool,
    targets: Collection[tuple[str, float, str]],
) -> dict[str, Any]:
    """Compare two runs of a store.

    Raises:
        RunNotFoundError: One is not there.
        SessionStoreError: The store does not answer.
    """
    config = ComparisonEngineConfig(
        metric_targets=tuple(MetricTargetSpec(*target) for target in targets)
    )
    compared = compare_stored(
        read_stored(store, primary), read_stored(store, reference), config, baseline=baseline
    )
    return compared.to_dict()
