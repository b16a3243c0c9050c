"""Batches as a shipper delivers them, rules that see one thing, and a way to wait for chores."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from quark.analyzers.evidence import RunEvidence
from quark.analyzers.findings import Finding
from quark.analyzers.rule import Rule
from quark.analyzers.thresholds import AnalyzerThresholds
from quark.session import TrainingSession
from quark.storage.batch import NO_STEP, Batch, EncodedRecord, PointBlock


def rows(values: Mapping[str, Sequence[float]], first: int = 0) -> Batch:
    """A batch of rows with the steps ``first``, ``first + 1`` and so on."""
    count = len(next(iter(values.values())))
    steps = np.arange(first, first + count, dtype=np.int64)
    block = PointBlock(
        keys=tuple(values),
        seq=steps + 1,
        step=steps,
        epoch=np.full(count, NO_STEP),
        time_us=steps * 1000,
        values=np.array(list(values.values()), np.float64).T.copy(),
    )
    return batch_of(blocks=(block,))


def batch_of(**parts: Any) -> Batch:
    return Batch(run_id="run_x", writer_id="w", first_seq=1, last_seq=1, **parts)


def layer(step: int, name: str = "fc", norm: float = 1.0, nonfinite: int = 0) -> EncodedRecord:
    """A layer summary as it is shipped."""
    body = {
        "module_name": name,
        "module_type": "Linear",
        "summary_type": "activation",
        "hook_direction": "forward",
        "element_count": 8,
        "norm": norm,
        "metadata": {"nonfinite_count": nonfinite},
    }
    return EncodedRecord(step, 0, "layer_summary", step, None, step, json.dumps(body).encode())


def rule(
    rule_id: str,
    severity: str = "warning",
    *,
    above: float = 10.0,
    explains: tuple[str, ...] = (),
    asked: list[str] | None = None,
) -> Rule:
    """A rule that speaks when the training loss is above a number, and notes that it was asked."""

    def check(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
        if asked is not None:
            asked.append(rule_id)
        series = evidence.role("train_loss")
        if series is None or not (series.value > above).any():
            return
        place = int(np.flatnonzero(series.value > above)[0])
        yield Finding(
            rule_id=rule_id,
            severity=severity,
            fact=f"The loss is {series.value[place]:g}.",
            inference="It is too high.",
            observed=float(series.value[place]),
            threshold=above,
            step_range=(int(series.step[place]), int(series.step[-1])),
            subject=series.key,
        )

    return Rule(
        rule_id=rule_id,
        category="optimization",
        title=rule_id.replace("_", " ").capitalize(),
        check=check,
        advice=("Lower the learning rate.",),
        explains=explains,
    )


def settle(session: TrainingSession) -> None:
    """Wait until the background has done the chores that it has."""
    done = threading.Event()
    session.handle.add_chore(done.set)
    for _ in range(1_000):
        session.handle.request_flush()
        if done.wait(0.01):
            return
    raise AssertionError("The chores are not done after 10 s.")
