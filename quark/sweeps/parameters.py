"""The parameters of a sweep: from what is written in its configuration to distributions.

A parameter that holds ``parameters`` again is nested; its values arrive as a nested dict.
Everything else works on the leaves, each under its path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quark.errors import SchemaValidationError
from quark.sweeps.distributions import FIELDS, Distribution

_MAX_DEPTH = 20
_KNOWN = {name for fields in FIELDS.values() for name in fields} | {"distribution"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One leaf: where its value goes, and which values it can have."""

    path: tuple[str, ...]
    distribution: Distribution

    @property
    def name(self) -> str:
        """The path, joined by dots."""
        return ".".join(self.path)


def parse_parameters(parameters: Mapping[str, Any]) -> tuple[Parameter, ...]:
    """Return the leaves of ``parameters``, sorted by their paths.

    Raises:
        SchemaValidationError: A parameter is not described well; the message names it.

    >>> [found] = parse_parameters({"lr": {"min": 0.1, "max": 0.2}})
    >>> found.name, found.distribution.kind
    ('lr', 'uniform')
    """
    found = sorted(_leaves(parameters, ()), key=lambda parameter: parameter.path)
    return tuple(found)


def nested(values: Sequence[tuple[tuple[str, ...], Any]]) -> dict[str, Any]:
    """Return values by path as nested dicts.

    >>> nested([(("a", "b"), 1), (("c",), 2)])
    {'a': {'b': 1}, 'c': 2}
    """
    result: dict[str, Any] = {}
    for path, value in values:
        place = result
        for part in path[:-1]:
            place = place.setdefault(part, {})
        place[path[-1]] = value
    return result


def look_up(values: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """Return what nested dicts hold at ``path``.

    Raises:
        KeyError: There is nothing.
    """
    place: Any = values
    for part in path:
        if not isinstance(place, Mapping):
            raise KeyError(part)
        place = place[part]
    return place


def infer_distribution(name: str, given: Mapping[str, Any]) -> str:
    """Return which distribution a parameter has that does not name one, as W&B infers it.

    Raises:
        SchemaValidationError: It cannot be told.
    """
    if "distribution" in given:
        return str(given["distribution"])
    if "value" in given:
        return "constant"
    if "values" in given:
        return "categorical_w_probabilities" if "probabilities" in given else "categorical"
    if "min" in given and "max" in given:
        ends = (given["min"], given["max"])
        if all(isinstance(end, int) for end in ends):
            return "int_uniform"
        if all(isinstance(end, float) for end in ends):
            return "uniform"
        raise SchemaValidationError(
            f"Parameter {name!r} is ambiguous: min is {ends[0]!r} and max is {ends[1]!r}. Give "
            "both as whole numbers, both with a decimal point, or a distribution."
        )
    if "mu" in given and "sigma" in given:
        return "normal"
    raise SchemaValidationError(
        f"Parameter {name!r} has {', '.join(map(repr, given)) or 'nothing'}, from which no "
        "distribution follows. Give value, values, min and max, or a distribution."
    )


def _leaves(parameters: Any, above: tuple[str, ...]) -> Iterator[Parameter]:
    where = ".".join(above) or "the sweep"
    if not isinstance(parameters, Mapping) or not parameters:
        raise SchemaValidationError(
            f"The parameters of {where} are {parameters!r}, but must be a dict with at least one "
            "parameter by its name."
        )
    if len(above) > _MAX_DEPTH:
        raise SchemaValidationError(f"Parameters nest deeper than {_MAX_DEPTH} levels; flatten.")
    for key, given in parameters.items():
        path = (*above, str(key))
        name = ".".join(path)
        if not isinstance(given, Mapping):
            raise SchemaValidationError(
                f"Parameter {name!r} is {given!r}, but must be a dict such as {{'value': 1}}."
            )
        if "parameters" in given:
            yield from _leaves(given["parameters"], path)
            continue
        kind = infer_distribution(name, given)
        fields = {field: value for field, value in given.items() if field != "distribution"}
        try:
            distribution = Distribution(kind=kind, fields=fields)
        except SchemaValidationError as error:
            raise SchemaValidationError(f"Parameter {name!r}: {error}") from error
        yield Parameter(path=path, distribution=distribution)


def unknown_fields(parameters: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Yield what parameters have that means nothing, as ``name.field``."""
    for key, given in parameters.items():
        name = f"{above}{key}"
        if not isinstance(given, Mapping):
            continue
        if "parameters" in given:
            yield from unknown_fields(given["parameters"], f"{name}.")
        else:
            yield from (f"{name}.{field}" for field in given if field not in _KNOWN)
