"""What a controller of a sweep is told before the sweep is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from quark._optional import require
from quark.compat.wandb.errors import Error


class ControllerError(Error):
    """A controller was used in a way that makes no sense."""


@dataclass(slots=True)
class SweepRun:
    """A trial as a function to search or to stop is shown it, and as the former returns one.

    ``config`` is ``{name: {"value": value}}``.
    """

    config: dict[str, Any]
    name: str | None = None
    state: str = "pending"
    summary_metrics: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    stopped: bool = False
    should_stop: bool = False
    early_terminate_info: dict[str, Any] | None = None


Search = Callable[[dict[str, Any], list[SweepRun]], SweepRun | None]
Stopping = Callable[[dict[str, Any], list[SweepRun]], Sequence[SweepRun]]


class ControllerConfiguration:
    """The configuration of a sweep that is being put together."""

    def __init__(self) -> None:
        self._given: dict[str, Any] = {}
        self._search: Search | None = None
        self._stop: Stopping | None = None
        self._started = False

    def configure(self, sweep_dict_or_config: Mapping[str, Any] | str) -> None:
        """Take a whole configuration, as a dict or as YAML."""
        self._check_configurable()
        if self._given:
            raise ControllerError("The sweep is configured already.")
        if isinstance(sweep_dict_or_config, str):
            yaml = require("yaml", purpose="A sweep's configuration written as text")
            sweep_dict_or_config = yaml.safe_load(sweep_dict_or_config)
        if not isinstance(sweep_dict_or_config, Mapping):
            raise ControllerError("A sweep's configuration is a dict or a YAML text of one.")
        self._given = dict(sweep_dict_or_config)

    def configure_search(self, search: str | Search) -> None:
        """Choose a method by its name, or give a function that proposes the next trial."""
        self._check_configurable()
        if isinstance(search, str):
            self._given["method"] = search
        elif callable(search):
            self._given["method"] = "custom"
            self._search = search
        else:
            raise ControllerError(f"A search is a text or a function, not {search!r}.")

    def configure_stopping(
        self, stopping: str | Callable[[dict[str, Any]], Stopping], **keywords: Any
    ) -> None:
        """Choose how trials are ended early, by a name or by what makes a function from
        ``keywords`` that does."""
        self._check_configurable()
        if isinstance(stopping, str):
            self._part("early_terminate").update(type=stopping, **keywords)
        elif callable(stopping):
            self._stop = stopping(keywords)
            self._part("early_terminate")["type"] = "custom"
        else:
            raise ControllerError(f"Stopping is a text or a function, not {stopping!r}.")

    def configure_metric(self, metric: str, goal: str | None = None) -> None:
        self._check_configurable()
        self._part("metric")["name"] = metric
        if goal:
            self._part("metric")["goal"] = goal

    def configure_program(self, program: str) -> None:
        self._check_configurable()
        if not isinstance(program, str):
            raise ControllerError(f"A program is named by its path, not by {program!r}.")
        self._given["program"] = program

    def configure_name(self, name: str) -> None:
        self._check_configurable()
        self._given["name"] = name

    def configure_description(self, description: str) -> None:
        self._check_configurable()
        self._given["description"] = description

    def configure_controller(self, type: str) -> None:
        """Accept ``"local"``, which is what there is."""
        self._check_configurable()
        self._part("controller").setdefault("type", type)

    def configure_parameter(
        self,
        name: str,
        values: Sequence[Any] | None = None,
        value: Any = None,
        distribution: str | None = None,
        min: float | None = None,
        max: float | None = None,
        mu: float | None = None,
        sigma: float | None = None,
        q: float | None = None,
        a: float | None = None,
        b: float | None = None,
    ) -> None:
        """Describe one parameter; what is given more than once counts as it was given last."""
        self._check_configurable()
        parameter = self._part("parameters").setdefault(name, {})
        given = {
            "values": values,
            "distribution": distribution,
            "min": min,
            "max": max,
            "mu": mu,
            "sigma": sigma,
            "q": q,
            "a": a,
            "b": b,
        }
        parameter.update({key: item for key, item in given.items() if item is not None})
        if value is not None or all(
            given[key] is None for key in ("values", "min", "distribution")
        ):
            parameter["value"] = value

    def _check_configurable(self) -> None:
        if self._started:
            raise ControllerError("The sweep has been started and cannot be configured any more.")

    def _part(self, name: str) -> dict[str, Any]:
        part: dict[str, Any] = self._given.setdefault(name, {})
        return part
