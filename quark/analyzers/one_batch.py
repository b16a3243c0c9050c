"""Judging a run where it is stored, as one batch: it is stored whole and once, or not at all.

The batch is of a writer that belongs to this analysis alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, TypeVar

from quark import ids, jsonio
from quark.analyzers.judged import AnalyzerEngineConfig, judge_stored
from quark.analyzers.phased import PhaseAnalyzerConfig, phase_stored
from quark.clock import SYSTEM_CLOCK, format_timestamp
from quark.records import Record
from quark.schema.words import ALERT_SEVERITIES
from quark.storage.batch import Batch, EncodedRecord

if TYPE_CHECKING:
    from quark.storage.protocols import Store

R = TypeVar("R", bound=Record)


class AnalysisWriter:
    """Collects the records of one analysis; an :class:`~quark.analyzers.outputs.OutputWriter`."""

    def __init__(self, run_id: str, writer_id: str) -> None:
        self.run_id = run_id
        self._writer_id = writer_id
        self._time_us = SYSTEM_CLOCK.time_us()
        self._records: list[EncodedRecord] = []

    def emit(self, kind: type[R], **fields: Any) -> R:
        """Take a record and return it."""
        seq = len(self._records) + 1
        body = jsonio.dumps({name: value for name, value in fields.items() if value is not None})
        self._records.append(EncodedRecord(seq, 0, kind.KIND, None, None, self._time_us, body))
        return kind(
            id=ids.record_id(self._writer_id, seq),
            run_id=self.run_id,
            timestamp=format_timestamp(self._time_us),
            **fields,
        )

    def batch(self) -> Batch:
        """Return all of them."""
        return Batch(
            run_id=self.run_id,
            writer_id=self._writer_id,
            first_seq=1,
            last_seq=len(self._records),
            records=tuple(self._records),
        )


def judge_run(
    store: Store,
    run_id: str,
    job_id: str,
    families: Collection[str],
    check_mine: Callable[[], None],
) -> dict[str, Any]:
    """Analyse a run, store what was found, and return it in short.

    Args:
        families: ``alerts``, ``phases`` or both.
        check_mine: Called before anything is stored; raises if another job has taken over.

    Raises:
        RunNotFoundError: There is no such run.
        SessionStoreError: The store does not answer.
    """
    writer = AnalysisWriter(run_id, f"analysis-{job_id}")
    faults: dict[str, str] = {}
    found: dict[str, Any] = {}
    if "alerts" in families:
        result = judge_stored(
            store,
            writer,
            AnalyzerEngineConfig(),
            replaces_existing=True,
            on_fault=lambda rule_id, error: faults.update({rule_id: repr(error)}),
        )
        severities = [alert.severity for alert in result.alerts]
        found["alerts"] = {
            "analysis_id": result.analysis_id,
            "alert_count": len(result.alerts),
            "worst": max(severities, key=ALERT_SEVERITIES.index, default=None),
            "scores": {score.score_key: score.score for score in result.health_scores},
        }
    if "phases" in families:
        phases = phase_stored(store, writer, PhaseAnalyzerConfig(), replaces_existing=True)
        found["phases"] = {
            "analysis_id": phases.analysis_id,
            "phases": [phase.phase_name for phase in phases.phases],
        }
    check_mine()
    store.append(writer.batch())
    return {**found, "faults": faults}
