"""The distributions that a parameter of a sweep can have, by W&B's names.

Each one is its quantile function: a number between 0 and 1 becomes a value. So a random search
needs only uniform numbers, and a model of the results works on the unit interval, where every
parameter looks alike. What each name means is W&B's documentation ("Sweep configuration options").
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from types import MappingProxyType
from typing import Any

from quark import jsonio
from quark.errors import SchemaValidationError
from quark.sweeps.beta import beta_quantile

_EDGE = 2.0**-53
_MAX_EXPONENT = 700.0  # what ``exp`` of a float64 can still say
_DIGITS = 12  # of a multiple of q; beyond are only the rounding errors of the product

_NUMBERS = {"mu": 0.0, "sigma": 1.0, "q": 1, "a": 1.0, "b": 1.0}

#: What each distribution is described by. What is not in ``_NUMBERS`` must be given.
FIELDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "constant": ("value",),
        "categorical": ("values",),
        "categorical_w_probabilities": ("values", "probabilities"),
        "int_uniform": ("min", "max"),
        "uniform": ("min", "max"),
        "q_uniform": ("min", "max", "q"),
        "log_uniform": ("min", "max"),
        "log_uniform_values": ("min", "max"),
        "q_log_uniform": ("min", "max", "q"),
        "q_log_uniform_values": ("min", "max", "q"),
        "inv_log_uniform": ("min", "max"),
        "inv_log_uniform_values": ("min", "max"),
        "normal": ("mu", "sigma"),
        "q_normal": ("mu", "sigma", "q"),
        "log_normal": ("mu", "sigma"),
        "q_log_normal": ("mu", "sigma", "q"),
        "beta": ("a", "b"),
        "q_beta": ("a", "b", "q"),
    }
)
_OF_VALUES = ("constant", "categorical", "categorical_w_probabilities")


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """One distribution: its name, and the fields that :data:`FIELDS` has for it.

    Raises:
        SchemaValidationError: A field is missing, is no number, or makes no sense.

    >>> Distribution(kind="int_uniform", fields={"min": 1, "max": 4}).quantile(0.6)
    3
    """

    kind: str
    fields: Mapping[str, Any]

    def __post_init__(self) -> None:
        if self.kind not in FIELDS:
            raise SchemaValidationError(
                f"Distribution {self.kind!r} is not known; use one of {', '.join(FIELDS)}."
            )
        filled = {name: self._field(name) for name in FIELDS[self.kind]}
        object.__setattr__(self, "fields", MappingProxyType(filled))
        self._check(filled)

    @property
    def choices(self) -> tuple[Any, ...] | None:
        """All values in order, where they can be counted; None for what is continuous."""
        fields = self.fields
        if self.kind == "constant":
            return (fields["value"],)
        if self.kind in _OF_VALUES:
            return _different(fields["values"])
        if self.kind == "int_uniform":
            return tuple(range(fields["min"], fields["max"] + 1))
        if self.kind == "q_uniform":
            low, high = _steps_inside(fields["min"], fields["max"], fields["q"])
            return tuple(_multiple(step, fields["q"]) for step in range(low, high + 1))
        return None

    @property
    def is_categorical(self) -> bool:
        """Whether the values have no order."""
        return self.kind in ("categorical", "categorical_w_probabilities")

    def quantile(self, u: float) -> Any:
        """Return the value below which a share of ``u`` lies; ``u`` is from 0 to 1."""
        u = min(max(u, _EDGE), 1.0 - _EDGE)
        fields = self.fields
        if self.kind == "constant":
            return fields["value"]
        if self.kind == "categorical":
            values = fields["values"]
            return values[int(u * len(values))]
        if self.kind == "categorical_w_probabilities":
            return _weighted(u, fields["values"], fields["probabilities"])
        if self.kind == "int_uniform":
            return fields["min"] + int(u * (fields["max"] - fields["min"] + 1))
        value = _QUANTILES[self.kind.removeprefix("q_")](u, fields)
        return self._rounded(value) if self.kind.startswith("q_") else value

    def _rounded(self, value: float) -> float | int:
        q = self.fields["q"]
        step = round(value / q)
        if "min" in self.fields:
            ends = (self.fields["min"], self.fields["max"])
            if self.kind == "q_log_uniform":
                ends = (math.exp(ends[0]), math.exp(ends[1]))
            low, high = _steps_inside(*ends, q)
            if low <= high:  # rounding does not lead out of what was asked for
                step = min(max(step, low), high)
        return _multiple(step, q)

    def _field(self, name: str) -> Any:
        if name not in self.fields and name not in _NUMBERS:
            raise SchemaValidationError(
                f"A {self.kind} parameter needs {name!r}, which is not given; it is described by "
                f"{', '.join(FIELDS[self.kind])}."
            )
        value = self.fields.get(name, _NUMBERS.get(name))
        if name == "value":
            return jsonio.to_plain(value)
        if name in ("values", "probabilities"):
            if not isinstance(value, (list, tuple)) or not value:
                raise SchemaValidationError(
                    f"{name} of a {self.kind} parameter is {value!r}, but must be a list with at "
                    "least one element."
                )
            return tuple(jsonio.to_plain(list(value)))
        whole = self.kind == "int_uniform"
        number = jsonio.to_plain(value)
        kinds = int if whole else (int, float)
        if isinstance(number, bool) or not isinstance(number, kinds) or not math.isfinite(number):
            raise SchemaValidationError(
                f"{name} of a {self.kind} parameter is {value!r}, but must be "
                f"{'a whole number' if whole else 'a finite number'}."
            )
        return number

    def _check(self, fields: Mapping[str, Any]) -> None:
        if "min" in fields and fields["min"] > fields["max"]:
            raise self._refusal(f"min {fields['min']!r} is above max {fields['max']!r}; swap them")
        if self.kind.endswith("_values") and fields["min"] <= 0:
            raise self._refusal(f"min {fields['min']!r} must be above 0: it has no logarithm")
        if self.kind.endswith("log_uniform"):
            largest = max(abs(fields["min"]), abs(fields["max"]))
            if largest > _MAX_EXPONENT:
                raise self._refusal(
                    f"min and max are exponents of e, and {largest!r} is beyond all numbers; use "
                    f"{self.kind}_values to give values"
                )
        for name in ("sigma", "q", "a", "b"):
            if name in fields and fields[name] <= 0:
                raise self._refusal(f"{name} is {fields[name]!r}, but must be above 0")
        if "probabilities" in fields:
            shares = fields["probabilities"]
            numbers = all(isinstance(share, (int, float)) and share >= 0 for share in shares)
            if not numbers or len(shares) != len(fields["values"]):
                raise self._refusal("probabilities must be one number of 0 or more for each value")
            if not math.isclose(sum(shares), 1.0, abs_tol=1e-6):
                raise self._refusal(f"probabilities add up to {sum(shares):g}, but must to 1")

    def _refusal(self, what: str) -> SchemaValidationError:
        return SchemaValidationError(f"A {self.kind} parameter is not valid: {what}.")


def _uniform(u: float, fields: Mapping[str, Any]) -> float:
    low, high = float(fields["min"]), float(fields["max"])
    return min(max(low + u * (high - low), low), high)


def _log_values(u: float, fields: Mapping[str, Any]) -> float:
    low, high = float(fields["min"]), float(fields["max"])
    value = math.exp(math.log(low) + u * (math.log(high) - math.log(low)))
    return min(max(value, low), high)


def _normal(u: float, fields: Mapping[str, Any]) -> float:
    return NormalDist(float(fields["mu"]), float(fields["sigma"])).inv_cdf(u)


_QUANTILES: dict[str, Callable[[float, Mapping[str, Any]], float]] = {
    "uniform": _uniform,
    "log_uniform": lambda u, fields: math.exp(_uniform(u, fields)),
    "log_uniform_values": _log_values,
    "inv_log_uniform": lambda u, fields: math.exp(-_uniform(1.0 - u, fields)),
    "inv_log_uniform_values": _log_values,  # log(1/X) is uniform exactly where log(X) is
    "normal": _normal,
    "log_normal": lambda u, fields: math.exp(min(_normal(u, fields), _MAX_EXPONENT)),
    "beta": lambda u, fields: beta_quantile(u, float(fields["a"]), float(fields["b"])),
}


def _weighted(u: float, values: tuple[Any, ...], shares: tuple[float, ...]) -> Any:
    passed = 0.0
    chosen = values[0]
    for value, share in zip(values, shares, strict=True):
        if share > 0:
            chosen = value
        passed += share
        if u < passed:
            break
    return chosen


def _different(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return values without repetitions; 1, 1.0 and True are three of them."""
    return tuple({(type(value), jsonio.dumps(value)): value for value in values}.values())


def _steps_inside(low: float, high: float, q: float) -> tuple[int, int]:
    """Return the lowest and highest multiple of ``q`` that lies from ``low`` to ``high``."""
    slack = 1e-9
    return math.ceil(low / q - slack), math.floor(high / q + slack)


def _multiple(step: int, q: float) -> float | int:
    return step * q if isinstance(q, int) else float(f"{step * q:.{_DIGITS}g}")
