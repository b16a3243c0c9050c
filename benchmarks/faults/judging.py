"""Judges stored runs with the rules as they are now; trains nothing.

The evidence is read and judged as :class:`quark.AnalyzerEngine` does it, without keeping alerts.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.faults.verdicts import Said, Verdict
from quark.analyzers.analysis import analyze_evidence
from quark.analyzers.engine import AnalyzerEngineConfig
from quark.analyzers.gather import gather
from quark.analyzers.rules import BY_ID
from quark.persistence.open import open_store
from quark.settings import Settings

if TYPE_CHECKING:
    from quark.analyzers.findings import Finding
    from quark.analyzers.root_cause import Diagnosis
    from quark.storage.protocols import Store

#: What the runs took, beside them.
COSTS = "costs.json"
#: How much later somebody looks at a run that hangs.
LATER_US = 3600 * 1_000_000


def stored(folder: Path, halves: Sequence[str], arms: Sequence[str]) -> list[tuple[Path, Path]]:
    """Return storage directory and facts of every run below ``folder``."""
    found = []
    for path in sorted(folder.glob("**/facts/*.json")):
        facts = json.loads(path.read_text())
        if facts["half"] in halves and facts["arm"] in arms:
            found.append((path.parent.parent, path))
    return found


def read_costs(folder: Path) -> dict[str, Any]:
    """Return ``training_seconds`` and ``overhead`` (by arm) of the runs below ``folder``."""
    path = folder / COSTS
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return {"training_seconds": 0.0, "overhead": {}, **kept}


def judge_all(
    folder: Path, halves: Sequence[str], arms: Sequence[str], *, workers: int = 2
) -> list[Verdict]:
    """Judge every run of some halves and arms below ``folder``."""
    work = stored(folder, halves, arms)
    if workers == 1:
        return [judge_one(one) for one in work]
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        return pool.map(judge_one, work, chunksize=8)


def judge_one(work: tuple[Path, Path]) -> Verdict:
    """Judge the run whose store and facts are given."""
    place, path = work
    facts = json.loads(path.read_text())
    hangs = facts["hangs"]
    begin = time.perf_counter()
    faults: list[str] = []
    evidence = gather(
        _store(str(place)),
        facts["run_id"],
        overrides=AnalyzerEngineConfig().overrides,
        now_us=time.time_ns() // 1000 + LATER_US * hangs,
    )
    analysis = analyze_evidence(
        evidence,
        AnalyzerEngineConfig().thresholds,
        on_fault=lambda rule_id, error: faults.append(f"{rule_id}: {error!r}"),
    )
    return Verdict(
        **{name: facts[name] for name in _KEPT},
        alerts=tuple(said(one) for one in analysis.diagnoses),
        judged_seconds=time.perf_counter() - begin,
        rule_faults=tuple(faults),
    )


_KEPT = (
    *("run_id", "label", "variant", "task", "seed", "half", "arm", "steps", "onset_step"),
    "val_loss",
)


@cache
def _store(place: str) -> Store:
    return open_store(Settings.load(storage_dir=place))


def said(diagnosis: Diagnosis) -> Said:
    """Return an alert with what is listed under it."""
    head = _of(diagnosis.finding)
    return Said(
        **{**_fields(head), "severity": diagnosis.severity},
        consequences=tuple(_of(one) for one in diagnosis.consequences),
    )


def _of(finding: Finding) -> Said:
    return Said(
        rule_id=finding.rule_id,
        severity=finding.severity,
        category=BY_ID[finding.rule_id].category,
        subject=finding.subject,
        fact=finding.fact,
        onset_step=finding.onset,
    )


def _fields(one: Said) -> dict[str, Any]:
    names = ("rule_id", "severity", "category", "subject", "fact", "onset_step")
    return {name: getattr(one, name) for name in names}
