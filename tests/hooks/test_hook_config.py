"""Schedules and filters select what a plain reading of them selects; nonsense is refused."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from torch import nn

from quark.errors import SchemaValidationError
from quark.hooks.config import (
    HookEngineConfig,
    HookScheduleConfig,
    LayerFilterConfig,
    ParameterDiagnosticsConfig,
)
from quark.hooks.modules import find_spots


@settings(max_examples=60)
@given(
    st.none() | st.integers(1, 7),
    st.integers(0, 20),
    st.none() | st.integers(0, 30),
    st.lists(st.integers(0, 60), max_size=4),
)
def test_a_schedule_includes_what_a_range_holds(
    every: int | None, start: int, length: int | None, explicit: list[int]
) -> None:
    stop = None if length is None else start + length
    schedule = HookScheduleConfig(
        every_n_steps=every,
        start_step=start,
        stop_step=stop,
        explicit_steps=explicit,  # type: ignore[arg-type]  # any iterable is taken
    )

    cadence = range(0) if every is None else range(start, 60 if stop is None else stop + 1, every)
    wanted = {step for step in range(60) if step in cadence or step in explicit}
    assert {step for step in range(60) if schedule.includes(step)} == wanted
    assert schedule.explicit_steps == tuple(explicit)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(2, 2)
        self.act = nn.ReLU()
        self.norm = nn.LayerNorm(2)


def model() -> nn.Module:
    return nn.ModuleDict({"first": Block(), "second": Block(), "head": nn.Linear(2, 2)})


LEAVES = [f"{block}.{part}" for block in ("first", "second") for part in ("fc", "act", "norm")]


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        pytest.param({}, [*LEAVES, "head"], id="all-leaves"),
        pytest.param(
            {"leaf_modules_only": False},
            ["", "first", *LEAVES[:3], "second", *LEAVES[3:], "head"],
            id="containers-too",
        ),
        pytest.param(
            {"include_types": ("Linear",)}, ["first.fc", "second.fc", "head"], id="a-class-name"
        ),
        pytest.param(
            {"include_types": ["torch.nn.modules.activation.ReLU"]},
            ["first.act", "second.act"],
            id="a-full-class-name",
        ),
        pytest.param({"exclude_types": ("Linear", "LayerNorm")}, LEAVES[1::3], id="excluded-types"),
        pytest.param({"include_names": ("head", "first")}, ["head"], id="names-of-leaves-alone"),
        pytest.param(
            {"include_names": ("head",), "include_name_patterns": (r"^first\.",)},
            [*LEAVES[:3], "head"],
            id="a-name-or-a-pattern",
        ),
        pytest.param(
            {"include_name_patterns": ("fc",), "exclude_name_patterns": ("second",)},
            ["first.fc"],
            id="excluded-stays-out",
        ),
        pytest.param(
            {"include_names": ("head", "first.act"), "include_types": ("Linear",)},
            ["head"],
            id="a-name-and-a-type",
        ),
        pytest.param(
            {"include_names": ("head",), "exclude_names": ("head",)}, [], id="both-at-once"
        ),
    ],
)
def test_filters_select_modules(filters: dict[str, Any], names: list[str]) -> None:
    config = HookEngineConfig(filters=LayerFilterConfig(**filters))

    assert [spot.module_name for spot in find_spots(model(), config).values()] == names


@pytest.mark.parametrize(
    ("module", "threshold", "bounds"),
    [
        pytest.param(nn.Sigmoid(), 0.95, (0.05, 0.95), id="sigmoid"),
        pytest.param(nn.Tanh(), 0.95, (-0.95, 0.95), id="tanh"),
        pytest.param(nn.Hardsigmoid(), 0.9, (0.1, 0.9), id="hardsigmoid"),
        pytest.param(nn.Hardtanh(-2.0, 4.0), 0.95, (-1.8, 3.8), id="hardtanh"),
        pytest.param(nn.ReLU6(), 0.95, (None, 5.7), id="relu6"),
        pytest.param(nn.Tanh(), 1.0, (-1.0, 1.0), id="at-the-bound-alone"),
        pytest.param(nn.Tanh(), None, None, id="turned-off"),
        pytest.param(nn.ReLU(), 0.95, None, id="not-asked-for"),
    ],
)
def test_saturation_starts_near_the_bounds_of_a_module(
    module: nn.Module, threshold: float | None, bounds: tuple[float | None, ...] | None
) -> None:
    (spot,) = find_spots(module, HookEngineConfig(saturation_threshold=threshold)).values()

    assert spot.module_name == ""
    found = spot.wanted.saturation
    assert found == (None if bounds is None else pytest.approx(bounds))


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (HookScheduleConfig, {"every_n_steps": 0}, "every_n_steps is 0, but must be an integer"),
        (HookScheduleConfig, {"every_n_steps": 2.0}, "every_n_steps is 2.0"),
        (HookScheduleConfig, {"start_step": None}, "start_step is None"),
        (HookScheduleConfig, {"start_step": 9, "stop_step": 8}, "stop_step is 8, .* start_step, 9"),
        (HookScheduleConfig, {"explicit_steps": 3}, "write (entry,)"),
        (HookScheduleConfig, {"explicit_steps": (3, -1)}, "integers of 0 or more"),
        (HookScheduleConfig, {"explicit_steps": (True,)}, "integers of 0 or more"),
        (LayerFilterConfig, {"include_names": "head"}, "write (entry,)"),
        (LayerFilterConfig, {"include_types": (nn.Linear,)}, "hold strings"),
        (LayerFilterConfig, {"exclude_name_patterns": ("(",)}, "regular expressions"),
        (LayerFilterConfig, {"leaf_modules_only": 1}, "True or False"),
        (HookEngineConfig, {"schedule": 10}, "be a HookScheduleConfig"),
        (HookEngineConfig, {"filters": None}, "be a LayerFilterConfig"),
        (HookEngineConfig, {"batch_size": 0}, "batch_size is 0"),
        (HookEngineConfig, {"raise_on_error": "no"}, "True or False"),
        (HookEngineConfig, {"dead_unit_epsilon": -1e-9}, "of 0 or more"),
        (HookEngineConfig, {"dead_unit_epsilon": float("nan")}, "finite"),
        (HookEngineConfig, {"saturation_threshold": 1.01}, "from 0 to 1"),
        (HookEngineConfig, {"saturation_module_types": "Tanh"}, "write (entry,)"),
        (ParameterDiagnosticsConfig, {"histogram_bins": 0}, "histogram_bins is 0"),
        (ParameterDiagnosticsConfig, {"distribution_types": ("values",)}, "'gradient'"),
        (ParameterDiagnosticsConfig, {"near_zero_epsilon": float("inf")}, "finite"),
        (ParameterDiagnosticsConfig, {"include_parameter_roles": ("scale",)}, "'bias'"),
        (ParameterDiagnosticsConfig, {"include_parameter_patterns": ("[",)}, "regular expr"),
    ],
)
def test_a_config_refuses_nonsense_and_says_what_is_right(
    kind: type[Any], fields: dict[str, Any], message: str
) -> None:
    pattern = message if ".*" in message else re.escape(message)
    with pytest.raises(SchemaValidationError, match=pattern) as refused:
        kind(**fields)

    assert str(refused.value).startswith(f"{kind.__name__}: ")
