"""When to probe, which modules and parameters, and what of them. Plain values: no torch here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from quark.errors import SchemaValidationError
from quark.schema import words

_DEFAULT_SATURATING = ("Sigmoid", "Tanh", "Hardsigmoid", "Hardtanh", "ReLU6")


@dataclass(frozen=True, slots=True, kw_only=True)
class HookScheduleConfig:
    """Which steps are probed: every so many from ``start_step`` to ``stop_step``, and the
    ``explicit_steps``.

    ``every_n_steps=None`` leaves the explicit steps alone.

    >>> schedule = HookScheduleConfig(every_n_steps=10, start_step=5, explicit_steps=(7,))
    >>> [step for step in range(30) if schedule.includes(step)]
    [5, 7, 15, 25]
    """

    every_n_steps: int | None = 1
    start_step: int = 0
    stop_step: int | None = None
    explicit_steps: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "explicit_steps", _tuple(self, "explicit_steps"))
        _check_whole(self, "every_n_steps", 1, none=True)
        _check_whole(self, "start_step", 0)
        _check_whole(self, "stop_step", 0, none=True)
        for step in self.explicit_steps:
            if type(step) is not int or step < 0:
                raise _refusal(self, "explicit_steps", "hold integers of 0 or more")
        if self.stop_step is not None and self.stop_step < self.start_step:
            raise _refusal(self, "stop_step", f"not be below start_step, {self.start_step}")

    def includes(self, step: int) -> bool:
        """Say whether ``step`` is to be probed."""
        if step in self.explicit_steps:
            return True
        if self.every_n_steps is None or step < self.start_step:
            return False
        if self.stop_step is not None and step > self.stop_step:
            return False
        return (step - self.start_step) % self.every_n_steps == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerFilterConfig:
    """Which modules get hooks. What is excluded stays out, whatever includes it.

    Of names, name patterns and types, each that is given must fit. Types are class names such as
    ``Linear`` or full names such as ``torch.nn.modules.linear.Linear``; patterns are regular
    expressions that are searched for in the module's name.
    """

    include_names: tuple[str, ...] = ()
    exclude_names: tuple[str, ...] = ()
    include_types: tuple[str, ...] = ()
    exclude_types: tuple[str, ...] = ()
    include_name_patterns: tuple[str, ...] = ()
    exclude_name_patterns: tuple[str, ...] = ()
    leaf_modules_only: bool = True

    def __post_init__(self) -> None:
        for item in fields(self):
            if item.name != "leaf_modules_only":
                object.__setattr__(self, item.name, _texts(self, item.name))
        for name in ("include_name_patterns", "exclude_name_patterns"):
            _check_patterns(self, name)
        _check_bool(self, "leaf_modules_only")

    def accepts(self, name: str, type_name: str, full_type_name: str, *, leaf: bool) -> bool:
        """Say whether the module called ``name`` gets hooks."""
        types = {type_name, full_type_name}
        if self.leaf_modules_only and not leaf:
            return False
        if name in self.exclude_names or types & set(self.exclude_types):
            return False
        if any(re.search(pattern, name) for pattern in self.exclude_name_patterns):
            return False
        if self.include_types and not types & set(self.include_types):
            return False
        named = self.include_names or self.include_name_patterns
        return (
            not named
            or name in self.include_names
            or any(re.search(pattern, name) for pattern in self.include_name_patterns)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HookEngineConfig:
    """What a :class:`~quark.hooks.engine.HookEngine` records, and how it fails.

    ``dead_unit_epsilon``: an activation whose absolute value is at most this counts as dead.
    ``saturation_threshold``: how far into its range, 0 to 1, an activation counts as saturated;
    None turns saturation ratios off. They are taken for ``saturation_module_types`` alone.
    ``raise_on_error``: whether a fault of a hook reaches the training; None follows the run's
    ``strict_mode``. ``batch_size``: after how many summaries the store is asked to take them.
    """

    schedule: HookScheduleConfig = field(default_factory=HookScheduleConfig)
    filters: LayerFilterConfig = field(default_factory=LayerFilterConfig)
    capture_forward: bool = True
    capture_backward: bool = True
    batch_size: int = 100
    raise_on_error: bool | None = None
    dead_unit_epsilon: float = 0.0
    saturation_threshold: float | None = 0.95
    saturation_module_types: tuple[str, ...] = _DEFAULT_SATURATING

    def __post_init__(self) -> None:
        _check_kind(self, "schedule", HookScheduleConfig)
        _check_kind(self, "filters", LayerFilterConfig)
        _check_bool(self, "capture_forward")
        _check_bool(self, "capture_backward")
        if self.raise_on_error is not None:
            _check_bool(self, "raise_on_error")
        _check_whole(self, "batch_size", 1)
        _check_number(self, "dead_unit_epsilon", 0.0)
        if self.saturation_threshold is not None:
            _check_number(self, "saturation_threshold", 0.0, 1.0)
        object.__setattr__(self, "saturation_module_types", _texts(self, "saturation_module_types"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterDiagnosticsConfig:
    """Which parameters are looked at, when, and at what cost.

    ``max_histogram_values`` bounds what is copied of one tensor for its histogram: of larger ones
    evenly spaced elements are taken. ``near_zero_epsilon``: an element whose absolute value is at
    most this is near zero. ``max_update_bytes`` bounds the copies that updates are computed from:
    the parameters that fit are followed, in the model's order, and the others have no update
    fields. ``include_parameter_roles`` are ``weight``, ``bias`` and ``other``; patterns are regular
    expressions that are searched for in the parameter's name.
    """

    schedule: HookScheduleConfig = field(default_factory=HookScheduleConfig)
    batch_size: int = 100
    capture_summaries: bool = True
    capture_distributions: bool = False
    distribution_types: tuple[str, ...] = ("value",)
    histogram_bins: int = 32
    near_zero_epsilon: float = 1e-8
    max_histogram_values: int = 100_000
    include_parameter_patterns: tuple[str, ...] = ()
    exclude_parameter_patterns: tuple[str, ...] = ()
    include_parameter_roles: tuple[str, ...] = ()
    max_update_bytes: int = 2 * 1024**3

    def __post_init__(self) -> None:
        _check_kind(self, "schedule", HookScheduleConfig)
        _check_whole(self, "batch_size", 1)
        _check_bool(self, "capture_summaries")
        _check_bool(self, "capture_distributions")
        _check_whole(self, "histogram_bins", 1)
        _check_whole(self, "max_histogram_values", 1)
        _check_whole(self, "max_update_bytes", 0)
        _check_number(self, "near_zero_epsilon", 0.0)
        for name in ("include_parameter_patterns", "exclude_parameter_patterns"):
            object.__setattr__(self, name, _texts(self, name))
            _check_patterns(self, name)
        _check_words(self, "distribution_types", words.DISTRIBUTION_TYPES)
        _check_words(self, "include_parameter_roles", words.PARAMETER_ROLES)

    def accepts(self, name: str, role: str) -> bool:
        """Say whether the parameter called ``name`` is looked at."""
        if self.include_parameter_roles and role not in self.include_parameter_roles:
            return False
        if any(re.search(pattern, name) for pattern in self.exclude_parameter_patterns):
            return False
        included = self.include_parameter_patterns
        return not included or any(re.search(pattern, name) for pattern in included)


def _refusal(config: Any, name: str, rule: str) -> SchemaValidationError:
    value = getattr(config, name)
    return SchemaValidationError(f"{type(config).__name__}: {name} is {value!r}, but must {rule}.")


def _check_whole(config: Any, name: str, lowest: int, *, none: bool = False) -> None:
    value = getattr(config, name)
    if value is None and none:
        return
    if type(value) is not int or value < lowest:
        otherwise = ", or None" if none else ""
        raise _refusal(config, name, f"be an integer of {lowest} or more{otherwise}")


def _check_number(config: Any, name: str, lowest: float, most: float = float("inf")) -> None:
    value = getattr(config, name)
    fine = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not fine or not lowest <= value <= most or value == float("inf"):
        bound = f"from {lowest:g} to {most:g}" if most != float("inf") else f"of {lowest:g} or more"
        raise _refusal(config, name, f"be a finite number {bound}")


def _check_bool(config: Any, name: str) -> None:
    if not isinstance(getattr(config, name), bool):
        raise _refusal(config, name, "be True or False")


def _check_kind(config: Any, name: str, kind: type) -> None:
    if not isinstance(getattr(config, name), kind):
        raise _refusal(config, name, f"be a {kind.__name__}")


def _tuple(config: Any, name: str) -> tuple[Any, ...]:
    value = getattr(config, name)
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise _refusal(config, name, "be a tuple; for one entry write (entry,)")
    return tuple(value)


def _texts(config: Any, name: str) -> tuple[str, ...]:
    values = _tuple(config, name)
    if not all(isinstance(value, str) for value in values):
        raise _refusal(config, name, "hold strings")
    return values


def _check_words(config: Any, name: str, allowed: Iterable[str]) -> None:
    object.__setattr__(config, name, _texts(config, name))
    if not set(getattr(config, name)) <= set(allowed):
        raise _refusal(config, name, f"hold only {', '.join(map(repr, allowed))}")


def _check_patterns(config: Any, name: str) -> None:
    for pattern in getattr(config, name):
        try:
            re.compile(pattern)
        except re.error as error:
            raise _refusal(config, name, f"hold regular expressions ({error})") from error
