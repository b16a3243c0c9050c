"""When ``validation_leak`` speaks, and when it keeps quiet."""

from __future__ import annotations

from typing import Any

import pytest

from quark.analyzers.evidence import RunEvidence
from quark.analyzers.rules.validation_leak import validation_leak
from quark.analyzers.thresholds import AnalyzerThresholds
from tests.analyzers.building import by_role, having, table

LEAKING: dict[str, Any] = {
    "evaluation_row_count": 64.0,
    "evaluation_seen_row_count": 32.0,
    "evaluation_pass_count": 1.0,
    "evaluation_unseen_pass_count": 0.0,
    "sampled_column_count": 64.0,
    "input_levels": 12.0,
    "input_is_integer": 0.0,
    "duplicate_row_ratio": 0.0,
}


def evidence(size: int = 4, validated: bool = True, **changes: Any) -> RunEvidence:
    columns = {**LEAKING, **changes, "model_name": ("Net",) * size}
    roles: dict[str, Any] = {"train_loss": [1.0, 0.5]} | (
        {"val_loss": [1.0, 0.9]} if validated else {}
    )
    return having(by_role(**roles), loop=table(size, every=10, **columns))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="half-of-the-rows"),
        pytest.param({"size": 2}, id="two-passes"),
        pytest.param({"evaluation_seen_row_count": 9.6}, id="exactly-the-share"),
        pytest.param({"input_is_integer": 1.0, "sampled_column_count": 8.0}, id="tokens"),
    ],
)
def test_speaks(changes: dict[str, Any]) -> None:
    (finding,) = validation_leak(evidence(**changes), AnalyzerThresholds())

    assert (finding.rule_id, finding.severity) == ("validation_leak", "warning")
    assert finding.observed is not None
    assert finding.threshold is not None
    assert finding.observed >= finding.threshold - 1e-12
    assert finding.step_range == (0, 10 * (changes.get("size", 4) - 1))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"evaluation_seen_row_count": 0.0}, id="none-seen"),
        pytest.param({"evaluation_seen_row_count": 9.5}, id="by-chance"),
        pytest.param(
            {"evaluation_row_count": 4.0, "evaluation_seen_row_count": 1.75}, id="too-few-rows"
        ),
        pytest.param({"size": 1}, id="one-pass"),
        pytest.param({"evaluation_unseen_pass_count": 0.5}, id="others-are-shown-too"),
        pytest.param({"validated": False}, id="nothing-is-called-validation"),
        pytest.param({"sampled_column_count": 3.0}, id="few-columns"),
        pytest.param({"input_levels": 3.0}, id="few-values"),
        pytest.param({"duplicate_row_ratio": 0.3}, id="all-rows-are-alike"),
        pytest.param({"size": 0}, id="no-evidence"),
    ],
)
def test_keeps_quiet(changes: dict[str, Any]) -> None:
    assert list(validation_leak(evidence(**changes), AnalyzerThresholds())) == []
