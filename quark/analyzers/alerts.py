"""From diagnoses and scores to the fields of the records that keep them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quark.analyzers.findings import Finding, Observation
from quark.analyzers.health import HealthScore
from quark.analyzers.root_cause import Diagnosis
from quark.records import EvidenceRecord

#: Consequences of one alert that are listed in full.
MAX_CONSEQUENCES = 20


def alert_fields(diagnosis: Diagnosis, analysis_id: str) -> dict[str, Any]:
    """Return the fields of an :class:`~quark.records.AlertRecord`.

    Its metadata has ``advice``, ``subject``, ``consequences`` (rule id, severity, subject and fact
    of each), ``own_severity`` without them, and ``analysis_id``.
    """
    finding, rule = diagnosis.finding, diagnosis.rule
    steps = finding.step_range or (None, None)
    listed = diagnosis.consequences[:MAX_CONSEQUENCES]
    summary = f"{finding.fact} {finding.inference}"
    if diagnosis.consequences:
        count = len(diagnosis.consequences)
        summary += f" {count} more finding{'s' if count > 1 else ''} follow{'s' * (count == 1)}."
    return {
        "rule_id": rule.rule_id,
        "category": rule.category,
        "severity": diagnosis.severity,
        "title": rule.title if not finding.subject else f"{rule.title}: {finding.subject}",
        "summary": summary,
        "fact": finding.fact,
        "inference": finding.inference,
        "step": steps[0],
        "step_start": steps[0],
        "step_end": steps[1],
        "evidence": (_of_finding(finding), *(_of_observation(o) for o in finding.observations)),
        "metadata": {
            **finding.metadata,
            "analysis_id": analysis_id,
            "subject": finding.subject,
            "onset_step": finding.onset,
            "own_severity": finding.severity,
            "advice": list(finding.advice or rule.advice),
            "consequence_count": len(diagnosis.consequences),
            "consequences": [
                {
                    "rule_id": one.rule_id,
                    "severity": one.severity,
                    "subject": one.subject,
                    "fact": one.fact,
                }
                for one in listed
            ],
        },
    }


def score_fields(
    score: HealthScore, diagnoses: Sequence[Diagnosis], alert_ids: Sequence[str], analysis_id: str
) -> dict[str, Any]:
    """Return the fields of a :class:`~quark.records.HealthScoreRecord`."""
    lowered = [diagnoses[place] for place in score.contributors]
    if lowered:
        names = ", ".join(dict.fromkeys(one.rule.title.lower() for one in lowered[:3]))
        summary = f"{score.score:g} of 100, lowered by: {names}."
    else:
        summary = "Nothing was found that lowers it."
    return {
        "score_key": score.score_key,
        "category": score.score_key,
        "score": score.score,
        "status": score.status,
        "summary": summary,
        "evidence": tuple(_of_finding(one.finding) for one in lowered),
        "contributing_alert_ids": tuple(alert_ids[place] for place in score.contributors),
        "metadata": {"analysis_id": analysis_id},
    }


def _of_finding(finding: Finding) -> EvidenceRecord:
    start, end = finding.step_range or (None, None)
    return EvidenceRecord(
        kind="finding",
        source=finding.source or finding.subject or finding.rule_id,
        summary=finding.fact,
        observed_value=finding.observed,
        threshold_value=finding.threshold,
        step_start=start,
        step_end=end,
    )


def _of_observation(one: Observation) -> EvidenceRecord:
    start, end = one.step_range or (None, None)
    return EvidenceRecord(
        kind="observation",
        source=one.source,
        summary=one.summary,
        observed_value=one.observed,
        threshold_value=one.threshold,
        step_start=start,
        step_end=end,
        metadata=one.metadata,
    )
