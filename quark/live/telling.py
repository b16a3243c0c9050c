"""Telling of an alert while the run goes on: a record, a line, listeners, and the end if asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from quark import ui
from quark.analyzers.alerts import alert_fields
from quark.analyzers.outputs import close_analysis, new_analysis_id, write_outputs
from quark.live.bundle import evidence_bundle
from quark.live.config import BUNDLE_TYPE
from quark.live.reactions import Reaction, listeners_of_all_runs
from quark.live.stopping import StopByAlert, order_stop
from quark.records import AlertRecord
from quark.writers.artifacts import ArtifactStore

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.root_cause import Diagnosis
    from quark.session import TrainingSession


def keep_alerts(session: TrainingSession, news: Sequence[Diagnosis]) -> tuple[AlertRecord, ...]:
    """Write what is news as alerts of the run. The analysis at its end takes their place."""
    analysis_id = new_analysis_id()
    rows = [alert_fields(one, analysis_id) for one in news]
    for row in rows:
        row["metadata"] = {**row["metadata"], "live": True}
    alerts = write_outputs(session.handle, AlertRecord, rows)
    close_analysis(
        session.handle,
        "alerts",
        analysis_id,
        replaces_existing=False,
        output_count=len(alerts),
        metadata={"live": True},
    )
    return alerts


def stop_training(session: TrainingSession, alert: AlertRecord, evidence: RunEvidence) -> None:
    """Have the training ended before its next optimizer step, and keep the evidence."""
    key = f"alerts/{alert.rule_id}"
    order_stop(StopByAlert(alert, key))
    # Not closed: that would flush, and this runs on the thread that delivers.
    ArtifactStore(session).log_snapshot(
        key,
        evidence_bundle(alert, evidence),
        snapshot_type=BUNDLE_TYPE,
        step=alert.step_end,
        metadata={"alert_id": alert.id, "rule_id": alert.rule_id, "severity": alert.severity},
    )


def say_alert(session: TrainingSession, alert: AlertRecord) -> None:
    """Say an alert in one line on the terminal."""
    if session.handle.quiet:
        return
    advice = alert.metadata.get("advice") or ()
    line = f"{alert.severity}: {alert.title}. {alert.summary}"
    if advice:
        line += f" Try: {advice[0]}"
    ui.say(line, tone="warning" if alert.severity == "warning" else "error")


def call_listeners(session: TrainingSession, reaction: Reaction, alert: AlertRecord) -> None:
    """Call everybody who listens to this run."""
    for listener in (*reaction.listeners, *listeners_of_all_runs()):
        try:
            listener(alert)
        except Exception as error:
            session.handle.faults.record("an on_alert listener failed", error, strict=False)
