"""The values of one trial: as its run gets them, and as places for a search to work on."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from quark import jsonio
from quark.sweeps.config import SweepConfig
from quark.sweeps.parameters import Parameter, look_up, nested


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """The values of one trial.

    ``point`` is the number of the combination in a grid; ``units`` are the places of the values on
    the unit interval, by the parameters' names, for the model.
    """

    values: Mapping[str, Any]
    point: int | None = None
    units: Mapping[str, float] = field(default_factory=dict)


def at_random(config: SweepConfig, seed: int, number: int) -> Proposal:
    """Return values drawn from the parameters' distributions."""
    units = {
        parameter.name: random.Random(f"{seed}/{number}/{parameter.name}").random()
        for parameter in config.parameters
    }
    return from_units(config, units)


def from_units(config: SweepConfig, units: Mapping[str, float]) -> Proposal:
    """Return the values at places on the unit interval."""
    values = [
        (parameter.path, parameter.distribution.quantile(units[parameter.name]))
        for parameter in config.parameters
    ]
    return Proposal(values=nested(values), units=dict(units))


def point_of(config: SweepConfig, values: Mapping[str, Any]) -> int | None:
    """Return the number of the combination that ``values`` is in the grid; None if it is none."""
    point = 0
    for parameter in config.parameters:
        choices = parameter.distribution.choices or ()
        try:
            wanted = _text(look_up(values, parameter.path))
        except KeyError:
            return None
        places = [place for place, choice in enumerate(choices) if _text(choice) == wanted]
        if not places:
            return None
        point = point * len(choices) + places[0]
    return point


def units_of(config: SweepConfig, values: Mapping[str, Any]) -> dict[str, float] | None:
    """Return where ``values`` of a run lie on the unit interval; None if a parameter is missing."""
    units = {}
    for parameter in config.parameters:
        try:
            units[parameter.name] = _unit(parameter, look_up(values, parameter.path))
        except (KeyError, TypeError):
            return None
    return units


def _unit(parameter: Parameter, value: Any) -> float:
    """Return the middle of the places where the quantile function has ``value``."""
    distribution = parameter.distribution
    if distribution.kind in ("constant", "categorical", "categorical_w_probabilities"):
        return _unit_of_choice(parameter, value)
    number = float(value)
    below = _first_place(parameter, lambda found: found >= number)
    above = _first_place(parameter, lambda found: found > number)
    return (below + above) / 2.0


def _unit_of_choice(parameter: Parameter, value: Any) -> float:
    fields = parameter.distribution.fields
    values = fields.get("values", (fields.get("value"),))
    shares = fields.get("probabilities", [1.0 / len(values)] * len(values))
    passed = 0.0
    for candidate, share in zip(values, shares, strict=True):
        if _text(candidate) == _text(value):
            return float(passed + share / 2.0)
        passed += share
    raise KeyError(parameter.name)


def _first_place(parameter: Parameter, test: Any) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2.0
        if test(parameter.distribution.quantile(middle)):
            high = middle
        else:
            low = middle
    return high


def _text(value: Any) -> bytes:
    """Return a value in a form in which 1 and 1.0, which JSON may have exchanged, are the same."""
    if isinstance(value, float) and value.is_integer() and math.isfinite(value):
        value = int(value)
    return jsonio.dumps(value, sort_keys=True)
