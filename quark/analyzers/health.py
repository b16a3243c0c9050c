"""Health scores: 100, less what each alert takes away.

The weights are ours: one warning leaves a category ``watch``, one error ``degraded``, one critical
alert ``critical``. What an alert lists as its consequences is not counted once more. The overall
score is the mean of the worst category and of all, so that one sick category cannot hide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quark.analyzers.root_cause import Diagnosis

CATEGORIES = ("optimization", "representation", "generalization", "runtime")
PENALTIES = {"info": 0.0, "warning": 18.0, "error": 40.0, "critical": 70.0}
#: Each further alert of a category takes away this share of what it would alone.
FURTHER_SHARE = 0.5
#: From which score on a status is held.
STATUSES = ((90.0, "healthy"), (70.0, "watch"), (40.0, "degraded"), (0.0, "critical"))


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthScore:
    """One score and the places of the diagnoses that lowered it."""

    score_key: str
    score: float
    status: str
    contributors: tuple[int, ...] = ()


def health_scores(diagnoses: Sequence[Diagnosis]) -> tuple[HealthScore, ...]:
    """Return the overall score and one for each category, in this order."""
    scores = []
    for category in CATEGORIES:
        places = [n for n, one in enumerate(diagnoses) if one.rule.category == category]
        taken = sorted((PENALTIES[diagnoses[n].severity] for n in places), reverse=True)
        lost = sum(taken[:1]) + FURTHER_SHARE * sum(taken[1:])
        lowered = tuple(n for n in places if PENALTIES[diagnoses[n].severity])
        scores.append(_score(category, max(0.0, 100.0 - lost), lowered))
    worst = min(one.score for one in scores)
    overall = (worst + sum(one.score for one in scores) / len(scores)) / 2
    everyone = tuple(sorted(place for one in scores for place in one.contributors))
    return (_score("overall", overall, everyone), *scores)


def status_of(score: float) -> str:
    """Return the word for a score."""
    return next(status for least, status in STATUSES if score >= least)


def _score(key: str, score: float, contributors: tuple[int, ...]) -> HealthScore:
    score = round(score, 1)
    return HealthScore(
        score_key=key, score=score, status=status_of(score), contributors=contributors
    )
