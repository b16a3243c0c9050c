"""How well a run is doing as a whole, out of its records as they rest.

What a reader would get wrong: a score counts only if the analysis that wrote it does. Analyses are
closed by a record of their own, and one may take the place of all before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from quark import jsonio
from quark.records import AnalysisRecord, HealthScoreRecord
from quark.storage.model import RunHealth

#: The kinds of records that say it.
JUDGING_KINDS = frozenset({AnalysisRecord.KIND, HealthScoreRecord.KIND})
#: The family of analyses that score, and the score of all sides together.
SCORING_FAMILY = "alerts"
OVERALL = "overall"


class Judged(NamedTuple):
    """What a run was judged to be when its last record of these kinds was ``position``; ``health``
    is None if nothing judged it."""

    position: int
    health: RunHealth | None


def counting_analyses(analyses: Iterable[tuple[str, bool]]) -> set[str]:
    """Return the ids of those analyses of one family that count, out of ids and whether each takes
    the place of all before it, in order of arrival.

    >>> counting_analyses([("a", True), ("b", True), ("c", False)]) == {"b", "c"}
    True
    """
    current: set[str] = set()
    for analysis_id, replaces_existing in analyses:
        if replaces_existing:
            current.clear()
        current.add(analysis_id)
    return current


def overall_health(records: Iterable[tuple[str, str | bytes]]) -> RunHealth | None:
    """Return the last score that counts, out of kinds and bodies in order of arrival.

    Bodies that are not what their kind says are passed over.
    """
    analyses: list[tuple[str, bool]] = []
    scores: list[Mapping[str, Any]] = []
    for kind, text in records:
        body = jsonio.loads(text)
        if kind == AnalysisRecord.KIND and body.get("family") == SCORING_FAMILY:
            analyses.append((str(body.get("analysis_id")), body.get("replaces_existing", True)))
        elif kind == HealthScoreRecord.KIND and body.get("score_key") == OVERALL:
            scores.append(body)
    current = counting_analyses(analyses)
    for body in reversed(scores):
        analysis_id = (body.get("metadata") or {}).get("analysis_id")
        if analysis_id is None or str(analysis_id) in current:
            return _health(body)
    return None


def _health(body: Mapping[str, Any]) -> RunHealth | None:
    try:
        return RunHealth(float(body["score"]), str(body["status"]))  # "NaN" is one, too
    except (KeyError, TypeError, ValueError):
        return None
