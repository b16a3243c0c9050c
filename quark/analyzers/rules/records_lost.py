"""Records lost: some of what was logged could not be kept.

Observes events that tell of it: ``records_dropped`` when the disk or the run's budget on it is
full, and ``artifact_lost``.
Source: ours; Quark drops nothing without such an event.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from quark.analyzers.findings import Finding
from quark.analyzers.rule import Rule

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds

_EVENTS = {"records_dropped": "error", "artifact_lost": "warning"}
_LONGEST_MESSAGE = 300


def records_lost(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding for each kind of event."""
    events = evidence.events
    types = events.object("event_type")
    for event_type, severity in _EVENTS.items():
        if event_type not in types:
            continue
        places = [place for place, one in enumerate(types) if one == event_type]
        payload = events.object("payload")[places[0]] or {}
        message = str(payload.get("message") or _told(payload))[:_LONGEST_MESSAGE].rstrip(".")
        more = f" It happened {len(places)} times." if len(places) > 1 else ""
        step = _step_at(evidence, int(events.step[places[0]]), int(events.time_us[places[0]]))
        yield Finding(
            rule_id="records_lost",
            severity=severity,
            fact=f"{message}.{more}",
            inference="What the run shows from there on is probably not complete.",
            observed=float(len(places)),
            threshold=1.0,
            step_range=None if step is None else (step, max(step, evidence.last_step or step)),
            subject="" if event_type == "records_dropped" else "artifacts",
            source=event_type,
        )


def _step_at(evidence: RunEvidence, step: int, time_us: int) -> int | None:
    if step >= 0:
        return step
    rows = [one for one in evidence.metrics.values() if one.has_steps and len(one.time_us)]
    if not rows:
        return None
    longest = max(rows, key=len)
    place = min(int(np.searchsorted(longest.time_us, time_us)), len(longest) - 1)
    return int(longest.step[place])


def _told(payload: Mapping[str, Any]) -> str:
    key, reason = payload.get("artifact_key", "an artifact"), payload.get("reason", "not said why")
    return f"The payload of {key} could not be stored: {reason}"


RULE = Rule(
    rule_id="records_lost",
    category="runtime",
    title="Records lost",
    check=records_lost,
    advice=(
        "Free space on the disk that the run is kept on.",
        "Raise spool_max_bytes (QUARK_SPOOL_MAX_BYTES) if the budget is what was full.",
        "Log less often, or fewer keys.",
    ),
)
