"""What the analyzers say of a run, in the words of its report: alerts, health, phases."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from quark import jsonio
from quark.analyzers.health import FURTHER_SHARE, PENALTIES, STATUSES
from quark.analyzers.outputs import current_outputs
from quark.analyzers.rules import BY_ID
from quark.dashboard.asked import Asked
from quark.dashboard.place import Place
from quark.errors import PermissionDeniedError
from quark.records import AlertRecord, AnalysisRecord, HealthScoreRecord, PhaseRecord

if TYPE_CHECKING:
    from quark.storage.protocols import Store

#: Kinds that say nothing new of a run that was judged.
_OUTPUTS = ("alert", "analysis", "health_score", "phase", "run_update", "summary_update")
_MAX_ALERTS = 200
_MAX_ANALYSES = 200
_LIMITS_WORDS = (
    "If the training is fine, this is a false alarm: raise the threshold that was passed with "
    "AnalyzerEngineConfig(thresholds=AnalyzerThresholds(…)) and analyse the run again."
)


def diagnosis(place: Place, asked: Asked) -> dict[str, Any]:
    """Return everything that counts now of what was found in a run."""
    run_id = asked["run_id"]
    store = place.store
    run = store.records.get_run(run_id)
    analyses = store.records.read(AnalysisRecord, run_id)
    alerts = current_outputs(store, run_id, AlertRecord, "alerts")
    latest = _latest(analyses, "alerts")
    return {
        "status": str(run.status),
        "judged": latest is not None,
        "judged_at": None if latest is None else latest.timestamp,
        "seconds": None if latest is None else latest.metadata.get("seconds"),
        "roles": {} if latest is None else jsonio.to_plain(latest.metadata.get("roles") or {}),
        "is_live": any(one.metadata.get("live") for one in alerts),
        "may_judge": place.may_write and _can_judge(place),
        "is_judging": _can_judge(place) and place.judging.is_judging(run_id),
        "alert_count": len(alerts),
        "alerts": [_alert(one) for one in alerts[:_MAX_ALERTS]],
        "scores": [
            _score(one) for one in current_outputs(store, run_id, HealthScoreRecord, "alerts")
        ],
        "penalties": {**PENALTIES, "further_share": FURTHER_SHARE},
        "statuses": [[least, status] for least, status in STATUSES],
        "history": _history(store, run_id, analyses),
        "phases": [_phase(one) for one in current_outputs(store, run_id, PhaseRecord, "phases")],
        "phase_roles": _roles_of(_latest(analyses, "phases")),
        "last_step": _last_step(store, run_id),
    }


def judge(place: Place, asked: Asked) -> dict[str, Any]:
    """Analyse the run now, and return the outcome in short.

    Raises:
        PermissionDeniedError: Runs are not judged from here.
    """
    if not _can_judge(place):
        raise PermissionDeniedError(
            "This service judges runs by POST /v1/runs/ID/analyses, not from its pages."
        )
    return place.judging.judge(asked["run_id"])


def _can_judge(place: Place) -> bool:
    return place.kind == "local" or place.judge is not None


def rule_words(rule_id: str) -> list[str]:
    """Return how a rule judges, paragraph by paragraph, as docs/rules.md has it; nothing for an
    alert that no rule of Quark's has raised."""
    if rule_id not in BY_ID:
        return []
    module = import_module(f"quark.analyzers.rules.{rule_id}")
    parts = inspect.cleandoc(module.__doc__ or "").split("\n\n")
    words = [re.sub(r":\w+:`~?([^`]+)`", r"\1", part).replace("``", "") for part in parts]
    return [line for part in words for line in _lines(part)]


def _lines(paragraph: str) -> Iterable[str]:
    """Yield a paragraph, cut where it names its source and its default."""
    text = " ".join(paragraph.split())
    return (part for part in re.split(r" (?=(?:Observes|Source|Default)[: ])", text) if part)


def _alert(alert: AlertRecord) -> dict[str, Any]:
    rule = BY_ID.get(alert.rule_id)
    metadata = alert.metadata
    return {
        "id": alert.id,
        "rule_id": alert.rule_id,
        "rule_title": rule.title if rule else alert.title,
        "category": alert.category,
        "severity": alert.severity,
        "own_severity": str(metadata.get("own_severity") or alert.severity),
        "title": alert.title,
        "fact": alert.fact,
        "inference": alert.inference,
        "summary": alert.summary,
        "step_start": alert.step_start,
        "step_end": alert.step_end,
        "onset_step": _whole(metadata.get("onset_step")),
        "subject": str(metadata.get("subject") or ""),
        "advice": _texts(metadata.get("advice")),
        "live": bool(metadata.get("live")),
        "consequences": _consequences(metadata.get("consequences")),
        "consequence_count": _whole(metadata.get("consequence_count")) or 0,
        "evidence": [one.to_dict() for one in alert.evidence[:50]],
        "evidence_count": len(alert.evidence),
        "rule_words": rule_words(alert.rule_id),
        "false_alarm": _LIMITS_WORDS if rule else "",
        "time": alert.timestamp,
    }


def _consequences(listed: Any) -> list[dict[str, Any]]:
    if not isinstance(listed, (list, tuple)):
        return []
    names = ("rule_id", "severity", "subject", "fact")
    return [
        {
            **{name: str(one.get(name) or "") for name in names},
            "title": _title(str(one.get("rule_id"))),
        }
        for one in listed
        if isinstance(one, dict)
    ]


def _title(rule_id: str) -> str:
    return BY_ID[rule_id].title if rule_id in BY_ID else ""


def _whole(given: Any) -> int | None:
    return given if isinstance(given, int) and not isinstance(given, bool) else None


def _texts(given: Any) -> list[str]:
    """Return a list of texts; an alert of another program may hold anything."""
    return [str(one) for one in given] if isinstance(given, (list, tuple)) else []


def _score(score: HealthScoreRecord) -> dict[str, Any]:
    return {
        "key": score.score_key,
        "score": score.score,
        "status": score.status,
        "summary": score.summary,
        "alerts": list(score.contributing_alert_ids),
    }


def _history(
    store: Store, run_id: str, analyses: tuple[AnalysisRecord, ...]
) -> list[dict[str, Any]]:
    """Return the scores of every analysis, the oldest first."""
    by_analysis: dict[str, dict[str, float]] = {}
    for one in store.records.read(HealthScoreRecord, run_id):
        analysis_id = str(one.metadata.get("analysis_id"))
        by_analysis.setdefault(analysis_id, {})[one.score_key] = one.score
    return [
        {
            "time": one.timestamp,
            "scores": by_analysis[one.analysis_id],
            "alert_count": one.output_count,
        }
        for one in analyses
        if one.family == "alerts" and one.analysis_id in by_analysis
    ][-_MAX_ANALYSES:]


def _phase(phase: PhaseRecord) -> dict[str, Any]:
    return {
        "name": phase.phase_name,
        "title": phase.display_name or phase.phase_name,
        "summary": phase.summary,
        "from": phase.step_start,
        "to": phase.step_end,
        "evidence": [one.to_dict() for one in phase.evidence[:10]],
    }


def _latest(analyses: tuple[AnalysisRecord, ...], family: str) -> AnalysisRecord | None:
    return next((one for one in reversed(analyses) if one.family == family), None)


def _roles_of(analysis: AnalysisRecord | None) -> dict[str, Any]:
    roles = None if analysis is None else analysis.metadata.get("roles")
    return dict(roles) if isinstance(roles, dict) else {}


def _last_step(store: Store, run_id: str) -> int | None:
    steps = [one.step_max for one in store.points.keys(run_id).values()]
    return max((one for one in steps if one is not None), default=None)
