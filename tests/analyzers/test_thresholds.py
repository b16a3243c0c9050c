"""The thresholds are the SDK guide's, and refuse what makes no sense."""

from __future__ import annotations

import ast
import dataclasses
import re

import pytest

from quark import AnalyzerThresholds, SchemaValidationError
from quark.analyzers.thresholds import _GROUPS

#: As the SDK guide prints them.
GUIDE = """
AnalyzerThresholds(
    exploding_gradient_warning_norm=10.0,
    exploding_gradient_error_norm=25.0,
    exploding_gradient_critical_norm=50.0,
    vanishing_gradient_norm=1e-4,
    vanishing_gradient_warning_ratio=0.5,
    vanishing_gradient_error_ratio=0.75,
    vanishing_gradient_critical_ratio=0.9,
    vanishing_gradient_min_samples=4,
    stagnant_layer_gradient_norm=1e-4,
    stagnant_layer_warning_probes=2,
    stagnant_layer_error_probes=4,
    stagnant_layer_critical_probes=6,
    activation_collapse_warning_dead_unit_ratio=0.8,
    activation_collapse_error_dead_unit_ratio=0.92,
    activation_collapse_critical_dead_unit_ratio=0.98,
    activation_collapse_warning_saturation_ratio=0.9,
    activation_collapse_error_saturation_ratio=0.97,
    activation_collapse_critical_saturation_ratio=0.995,
    activation_collapse_warning_std=0.05,
    activation_collapse_error_std=0.01,
    activation_collapse_critical_std=0.001,
    overfitting_warning_gap=0.2,
    overfitting_error_gap=0.4,
    overfitting_critical_gap=0.7,
    overfitting_min_points=3,
    runtime_warning_step_time_ms=250.0,
    runtime_error_step_time_ms=500.0,
    runtime_critical_step_time_ms=1000.0,
    runtime_warning_data_fraction=0.4,
    runtime_error_data_fraction=0.6,
    runtime_critical_data_fraction=0.75,
    runtime_warning_jitter_ratio=0.25,
    runtime_error_jitter_ratio=0.5,
    runtime_critical_jitter_ratio=0.75,
)
"""


def test_the_defaults_are_the_guides() -> None:
    call = ast.parse(GUIDE.strip(), mode="eval").body
    assert isinstance(call, ast.Call)
    printed = {word.arg: ast.literal_eval(word.value) for word in call.keywords}

    made = AnalyzerThresholds()
    ours = {
        item.name: getattr(made, item.name)
        for item in dataclasses.fields(made)
        if item.name not in _GROUPS
    }

    assert ours == printed
    assert {name: type(value) for name, value in ours.items()} == {
        name: type(value) for name, value in printed.items()
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"exploding_gradient_warning_norm": -1.0}, "exploding_gradient_warning_norm is -1.0"),
        ({"overfitting_warning_gap": float("nan")}, "overfitting_warning_gap is nan"),
        ({"overfitting_min_points": True}, "overfitting_min_points is True"),
        ({"runtime_error_step_time_ms": "500"}, "runtime_error_step_time_ms is '500'"),
        ({"overfitting_warning_gap": 0.5}, "must rise from warning to critical"),
        ({"activation_collapse_error_std": 0.5}, "must fall from warning to critical"),
    ],
)
def test_thresholds_that_make_no_sense_are_refused(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(SchemaValidationError, match=message):
        AnalyzerThresholds(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("group", _GROUPS.values(), ids=lambda group: group.__name__)
def test_every_limit_of_every_family_is_explained_and_refuses_what_is_no_number(
    group: type,
) -> None:
    names = [item.name for item in dataclasses.fields(group)]
    explained = group.__doc__ or ""

    # One level is explained, and the others "likewise".
    levels = re.compile("info|warning|error|critical")
    words = {levels.sub("*", word) for word in re.findall(r"\w+", explained)}
    assert [name for name in names if levels.sub("*", name) not in words] == []
    for name in names:
        with pytest.raises(SchemaValidationError, match=name):
            group(**{name: -1.0})
