"""The configuration of a sweep, in W&B's words: checked, with what follows from it filled in.

What is wrong is refused when the sweep is made, not when its third trial starts. What is merely
unknown is kept and named in ``doubts``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from quark import jsonio
from quark.errors import SchemaValidationError
from quark.sweeps.parameters import Parameter, infer_distribution, parse_parameters, unknown_fields

METHODS = ("grid", "random", "bayes", "custom")
GOALS = ("minimize", "maximize")
STOPPERS = ("hyperband", "custom")

_KNOWN_NAMES = """
method parameters metric early_terminate run_cap program command name description seed project
entity controller prior_runs apiVersion
"""
_KNOWN = frozenset(_KNOWN_NAMES.split())
_IGNORED = {
    "image_uri": "launching in containers is not built",
    "job": "launching jobs is not built",
    "scheduler": "launching is not built",
    "queue": "launching is not built",
}
_MAX_GRID_DIGITS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """What a sweep is after. ``target`` ends it once a trial has reached it."""

    name: str
    goal: str = "minimize"
    target: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise _refusal("metric.name", self.name, "the name of what the runs log")
        if self.goal not in GOALS:
            raise _refusal("metric.goal", self.goal, " or ".join(GOALS))
        if self.target is not None and not _is_number(self.target):
            raise _refusal("metric.target", self.target, "a number")

    def better(self, one: float, other: float) -> bool:
        """Say whether ``one`` is better than ``other``; NaN is worse than everything."""
        if math.isnan(one) or math.isnan(other):
            return not math.isnan(one)
        return one < other if self.goal == "minimize" else one > other

    def best(self, values: list[float]) -> float | None:
        """Return the best of ``values`` that is finite; None if none is."""
        finite = [value for value in values if math.isfinite(value)]
        if not finite:
            return None
        return min(finite) if self.goal == "minimize" else max(finite)

    def reached(self, value: float | None) -> bool:
        """Say whether ``value`` is as good as the target."""
        if self.target is None or value is None:
            return False
        return value == self.target or self.better(value, self.target)


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyTermination:
    """When a trial is ended before its end; :mod:`quark.sweeps.hyperband` has the rule."""

    kind: str = "hyperband"
    min_iter: int | None = None
    max_iter: int | None = None
    s: int | None = None
    eta: float = 3.0
    strict: bool = False

    def __post_init__(self) -> None:
        if self.kind not in STOPPERS:
            raise _refusal("early_terminate.type", self.kind, " or ".join(STOPPERS))
        for name in ("min_iter", "max_iter", "s"):
            value = getattr(self, name)
            if value is not None and (not _is_whole(value) or value < 1):
                raise _refusal(f"early_terminate.{name}", value, "a whole number of 1 or more")
        if not _is_number(self.eta) or self.eta <= 1:
            raise _refusal("early_terminate.eta", self.eta, "a number above 1")
        if not isinstance(self.strict, bool):
            raise _refusal("early_terminate.strict", self.strict, "True or False")
        if self.kind == "hyperband" and (self.min_iter is None) == (self.max_iter is None):
            raise SchemaValidationError(
                "early_terminate needs either min_iter, the number of values of the metric after "
                "which a trial is judged first, or max_iter and s."
            )
        if self.max_iter is not None and self.s is None:
            raise SchemaValidationError(
                "early_terminate with max_iter needs s, the number of brackets."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepConfig:
    """A sweep's configuration; :func:`parse_config` makes one. ``source`` is what was given."""

    method: str
    parameters: tuple[Parameter, ...]
    metric: Metric | None = None
    early_termination: EarlyTermination | None = None
    run_cap: int | None = None
    program: str | None = None
    command: tuple[Any, ...] = ()
    name: str | None = None
    description: str | None = None
    seed: int | None = None
    project: str | None = None
    entity: str | None = None
    local_controller: bool = False
    source: Mapping[str, Any] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise _refusal("method", self.method, f"one of {', '.join(METHODS)}")
        if self.method == "bayes" and self.metric is None:
            raise SchemaValidationError(
                "A sweep with the method bayes needs a metric, such as {'name': 'loss', "
                "'goal': 'minimize'}."
            )
        early = self.early_termination
        if early is not None and early.kind == "hyperband" and self.metric is None:
            raise SchemaValidationError(
                "early_terminate compares the trials' metric, so the sweep needs one: "
                "{'name': 'loss', 'goal': 'minimize'}."
            )
        if self.run_cap is not None and (not _is_whole(self.run_cap) or self.run_cap < 1):
            raise _refusal("run_cap", self.run_cap, "a whole number of 1 or more")
        if self.seed is not None and not _is_whole(self.seed):
            raise _refusal("seed", self.seed, "a whole number")
        if self.method == "grid":
            self._check_grid()

    @property
    def grid_size(self) -> int:
        """How many combinations there are; only for the method grid."""
        return math.prod(len(parameter.distribution.choices or ()) for parameter in self.parameters)

    @property
    def expected_trial_count(self) -> int | None:
        """How many trials there will be; None where there is no end."""
        counts = [self.run_cap, self.grid_size if self.method == "grid" else None]
        return min((count for count in counts if count is not None), default=None)

    def _check_grid(self) -> None:
        for parameter in self.parameters:
            distribution = parameter.distribution
            if distribution.kind == "int_uniform":
                width = distribution.fields["max"] - distribution.fields["min"]
                if len(str(width)) > _MAX_GRID_DIGITS // 2:
                    raise SchemaValidationError(
                        f"Parameter {parameter.name!r} has {width + 1} values, too many for a "
                        "grid. Use random or bayes."
                    )
            if distribution.choices is None:
                raise SchemaValidationError(
                    f"Parameter {parameter.name!r} is {distribution.kind}, which has no end of "
                    "values, so a grid cannot go through them. Use random or bayes, or give values."
                )
            if not distribution.choices:
                raise SchemaValidationError(
                    f"Parameter {parameter.name!r} has no multiple of q from min to max."
                )


def parse_config(source: Mapping[str, Any]) -> SweepConfig:
    """Check a sweep's configuration and fill in what follows from it.

    Args:
        source: What W&B's sweep configuration holds, as a dict.

    Raises:
        SchemaValidationError: A part of it is missing or makes no sense; the message names it.

    >>> config = parse_config({"method": "grid", "parameters": {"lr": {"values": [0.1, 0.2]}}})
    >>> config.grid_size
    2
    """
    if not isinstance(source, Mapping):
        raise SchemaValidationError(
            f"A sweep's configuration is a dict, not a {type(source).__name__}."
        )
    plain = jsonio.to_plain(source)
    if "method" not in plain:
        raise SchemaValidationError(
            f"The sweep's configuration has no method; give one of {', '.join(METHODS)}."
        )
    if "parameters" not in plain:
        raise SchemaValidationError(
            "The sweep's configuration has no parameters; give {'lr': {'values': [0.1, 0.01]}} or "
            "the like."
        )
    controller = plain.get("controller") or {}
    return SweepConfig(
        method=plain["method"],
        parameters=parse_parameters(_given_numbers(source["parameters"])),
        metric=_part(plain, "metric", _metric),
        early_termination=_part(plain, "early_terminate", _early_termination),
        run_cap=plain.get("run_cap"),
        program=_text(plain, "program"),
        command=_command(plain.get("command")),
        name=_text(plain, "name"),
        description=_text(plain, "description"),
        seed=plain.get("seed"),
        project=_text(plain, "project"),
        entity=_text(plain, "entity"),
        local_controller=isinstance(controller, dict) and controller.get("type") == "local",
        source=plain,
        doubts=tuple(_doubts(plain)),
    )


def filled_in(source: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of ``source`` where ranges of numbers name their distribution, as W&B keeps it.

    Raises:
        SchemaValidationError: The ends of a range leave open which one is meant.
    """
    result: dict[str, Any] = {**source}
    if isinstance(result.get("parameters"), Mapping):
        result["parameters"] = {
            name: _filled_parameter(name, given) for name, given in result["parameters"].items()
        }
    return result


def _filled_parameter(name: str, given: Any) -> Any:
    if not isinstance(given, Mapping):
        return given
    if {"min", "max"} <= given.keys() and "distribution" not in given:
        return {**given, "distribution": infer_distribution(name, given)}
    return dict(given)


def _given_numbers(parameters: Any) -> Any:
    """Return parameters as plain values; a float that JSON would write whole stays one."""
    return jsonio.to_plain(parameters) if isinstance(parameters, Mapping) else parameters


def _part(plain: Mapping[str, Any], name: str, parse: Callable[[Mapping[str, Any]], Any]) -> Any:
    given = plain.get(name)
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise _refusal(name, given, "a dict")
    return parse(given)


def _metric(given: Mapping[str, Any]) -> Metric:
    if "name" not in given:
        raise SchemaValidationError(f"The sweep's metric {dict(given)!r} has no name; give one.")
    goal = given.get("goal")
    return Metric(
        name=given["name"],
        goal="minimize" if goal is None else goal,
        target=given.get("target"),
    )


def _early_termination(given: Mapping[str, Any]) -> EarlyTermination:
    if "type" not in given:
        raise SchemaValidationError("early_terminate has no type; the one there is is hyperband.")
    fields = ("min_iter", "max_iter", "s", "eta", "strict")
    values = {name: given[name] for name in fields if given.get(name) is not None}
    return EarlyTermination(kind=given["type"], **values)


def _command(given: Any) -> tuple[Any, ...]:
    if given is None:
        return ()
    if not isinstance(given, list):
        raise _refusal("command", given, "a list of words")
    return tuple(given)


def _text(plain: Mapping[str, Any], name: str) -> str | None:
    value = plain.get(name)
    if value is not None and not isinstance(value, str):
        raise _refusal(name, value, "a text")
    return value


def _doubts(plain: Mapping[str, Any]) -> list[str]:
    found = [
        f"{key!r} is not known" if key not in _IGNORED else f"{key!r}: {_IGNORED[key]}"
        for key in plain
        if key not in _KNOWN
    ]
    found += [f"'{name}' is not known" for name in unknown_fields(plain["parameters"])]
    for part, fields in (
        ("metric", ("name", "goal", "target", "impute", "impute_while_running")),
        ("early_terminate", ("type", "min_iter", "max_iter", "s", "eta", "strict")),
    ):
        given = plain.get(part)
        if isinstance(given, dict):
            found += [f"'{part}.{key}' is not known" for key in given if key not in fields]
    return found


def _refusal(what: str, value: object, rule: str) -> SchemaValidationError:
    return SchemaValidationError(f"The sweep's {what} is {value!r}, but must be {rule}.")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
