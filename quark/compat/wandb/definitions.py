"""``define_metric``: what the summary holds of a metric, and which metric it is counted by.

A metric with ``summary="min"`` (``max``, ``mean``, ``first``, ``last``, several with commas) has a
dict in the summary, not its last value; ``none`` keeps it out; ``copy`` is the plain last value. An
exact name beats a glob, and of globs the one that was defined first counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from quark.compat.wandb.errors import Error
from quark.compat.wandb.values import flat, merge

SUMMARIES = ("min", "max", "mean", "first", "last", "none", "copy", "best")
_ABSENT: Any = object()

#: Summaries that are the plain last value.
_LAST_VALUE = (None, ("copy",))
_MAX_PLANS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """What one ``define_metric`` call said; a ``name`` that ends in ``*`` is a glob."""

    name: str
    step_metric: str | None = None
    step_sync: bool | None = None
    hidden: bool | None = None
    summary: tuple[str, ...] | None = None
    goal: str | None = None


def parse_metric(
    name: Any,
    step_metric: Any = None,
    step_sync: Any = None,
    hidden: Any = None,
    summary: Any = None,
    goal: Any = None,
) -> Metric:
    """Check the arguments of ``define_metric``.

    Raises:
        Error: One of them is not what W&B takes.
    """
    if not isinstance(name, str) or not name:
        raise Error(f"define_metric() needs a name that is not empty, not {name!r}.")
    if "*" in name[:-1]:
        raise Error(f"define_metric() takes a star at the end of a name only, not {name!r}.")
    if isinstance(step_metric, Metric):
        step_metric = step_metric.name
    for argument, value, kind in (
        ("step_metric", step_metric, str),
        ("step_sync", step_sync, bool),
        ("hidden", hidden, bool),
        ("summary", summary, str),
        ("goal", goal, str),
    ):
        if value is not None and not isinstance(value, kind):
            raise Error(f"define_metric() takes a {kind.__name__} as {argument}, not {value!r}.")
    if goal not in (None, "minimize", "maximize"):
        raise Error(f"define_metric() takes 'minimize' or 'maximize' as goal, not {goal!r}.")
    return Metric(
        name=name,
        step_metric=step_metric or None,
        step_sync=step_metric is not None if step_sync is None else step_sync,
        hidden=hidden,
        summary=_summaries(summary),
        goal=goal,
    )


def _summaries(text: str | None) -> tuple[str, ...] | None:
    if not text:
        return None
    words = tuple(word.strip() for word in text.lower().split(","))
    for word in words:
        if word not in SUMMARIES:
            raise Error(
                f"define_metric() does not know the summary {word!r}; use one or several of "
                f"{', '.join(SUMMARIES)}."
            )
    return words


@dataclass(slots=True)
class _Aggregate:
    """What was seen of one key's numbers."""

    low: float = math.inf
    high: float = -math.inf
    total: float = 0.0
    count: int = 0
    first: Any = _ABSENT

    def add(self, value: Any) -> None:
        if self.first is _ABSENT:
            self.first = value
        if isinstance(value, (int, float)) and not math.isnan(value):
            self.low = min(self.low, value)
            self.high = max(self.high, value)
            self.total += value
            self.count += 1

    def view(self, metric: Metric, last: Any) -> dict[str, Any]:
        if not self.count:
            return dict.fromkeys(metric.summary or (), last)
        values = {
            "min": self.low,
            "max": self.high,
            "mean": self.total / self.count,
            "best": self.high if metric.goal == "maximize" else self.low,
            "first": self.first,
            "last": last,
        }
        return {word: values[word] for word in metric.summary or () if word in values}


class Plan(NamedTuple):
    """What the definitions mean for rows with certain keys, none of them nested."""

    missing: tuple[str, ...]  # step metrics that such a row needs and does not have
    summed: tuple[str, ...]  # keys whose summary is not their last value


@dataclass(slots=True)
class Definitions:
    """All definitions of a run, and what its summary needs to know of the values so far."""

    _exact: dict[str, Metric] = field(default_factory=dict)
    _globs: dict[str, Metric] = field(default_factory=dict)
    _found: dict[str, Metric | None] = field(default_factory=dict)
    _aggregates: dict[str, _Aggregate] = field(default_factory=dict)
    _plans: dict[tuple[str, ...], Plan] = field(default_factory=dict)

    def define(self, metric: Metric, *, overwrite: bool = False) -> None:
        """Take a definition. What an earlier one of the same name said stays unless it is said
        anew, or all of it goes with ``overwrite``."""
        known = self._globs if metric.name.endswith("*") else self._exact
        earlier = known.get(metric.name)
        if earlier is not None and not overwrite:
            metric = _added(earlier, metric)
        known[metric.name] = metric
        self._found.clear()
        self._plans.clear()

    def find(self, key: str) -> Metric | None:
        """Return the definition that a key falls under."""
        if key in self._found:
            return self._found[key]
        metric = self._exact.get(key)
        if metric is None and isinstance(key, str) and not key.startswith("_"):
            matches = (glob for glob in self._globs.values() if key.startswith(glob.name[:-1]))
            metric = next(matches, None)
        self._found[key] = metric
        return metric

    def plan(self, keys: tuple[str, ...]) -> Plan:
        """Return what is to be done with a row that holds ``keys``."""
        plan = self._plans.get(keys)
        if plan is None:
            found = [(key, self.find(key)) for key in keys]
            steps = (m.step_metric for _, m in found if m is not None and m.step_sync)
            missing = dict.fromkeys(name for name in steps if name and name not in keys)
            summed = (key for key, m in found if m is not None and m.summary not in _LAST_VALUE)
            plan = Plan(tuple(missing), tuple(summed))
            if len(self._plans) < _MAX_PLANS:
                self._plans[keys] = plan
        return plan

    def sum_up(self, plan: Plan, row: Mapping[str, Any], last: dict[str, Any]) -> None:
        """Put the summary of ``plan.summed`` in the place of their last values."""
        merge({key: row[key] for key in plan.summed}, last, self._summed_up)

    def with_step_metrics(self, row: dict[str, Any], last: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``row`` with the last value of each step metric that it needs and lacks.

        As with W&B it is 0 as long as the step metric has none.
        """
        added: dict[str, Any] = {}
        for key, _ in flat(row):
            metric = self.find(key)
            if metric is None or not metric.step_sync or metric.step_metric is None:
                continue
            name = metric.step_metric
            if name not in row:
                added[name] = last.get(name, 0)
        return {**row, **added} if added else row

    def summarize(self, row: Mapping[str, Any], last: dict[str, Any]) -> None:
        """Bring the summary ``last`` up to date with one row."""
        merge(row, last, self._summed_up)

    def _summed_up(self, name: str, value: Any) -> Any:
        """Return what the summary shows of a key that has just got ``value``; None for nothing."""
        metric = self.find(name)
        words = metric.summary if metric is not None else None
        if metric is None or words in _LAST_VALUE:
            return value
        aggregate = self._aggregates.get(name)
        if aggregate is None:
            aggregate = self._aggregates[name] = _Aggregate()
        aggregate.add(value)
        return None if words is not None and "none" in words else aggregate.view(metric, value)


def _added(earlier: Metric, later: Metric) -> Metric:
    said = {
        name: getattr(later, name)
        for name in ("step_metric", "hidden", "summary", "goal")
        if getattr(later, name) is not None
    }
    if later.step_metric is not None or later.step_sync:
        said["step_sync"] = later.step_sync
    return replace(earlier, **said)
