"""``define_metric``: what the summary holds of a metric, and which metric it is counted by.

A metric with ``summary="min"`` (``max``, ``mean``, ``first``, ``last``, several with commas) has a
dict in the summary, not its last value; ``none`` keeps it out; ``copy`` is the plain last value.
Rows count once, when they are closed. An exact name beats a glob, and of globs the one that was
defined first counts; what a glob said of a key when the key was first logged stays with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from quark.compat.wandb.aggregates import Aggregate
from quark.compat.wandb.errors import Error
from quark.compat.wandb.values import flatten, merge, put, way_to

SUMMARIES = ("min", "max", "mean", "first", "last", "none", "copy", "best")
_PLAIN = frozenset({"none", "copy"})
_NUMBERS = (int, float)
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

    @property
    def is_summed_up(self) -> bool:
        """Whether the summary has something else than the last value."""
        return any(word != "copy" for word in self.summary or ())

    def matches(self, key: str) -> bool:
        """Whether this is about ``key``. A glob is not about W&B's own keys."""
        if not self.name.endswith("*"):
            return key == self.name
        return key.startswith(self.name[:-1]) and not key.startswith("_")


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


class Plan(NamedTuple):
    """What the definitions mean for rows with certain keys."""

    missing: tuple[str, ...]  # step metrics that such a row needs and does not have
    counters: tuple[str, ...]  # keys that are step metrics
    summed: tuple[tuple[str, Aggregate], ...]  # keys whose summary is not their last value
    completed: Plan | None  # the plan for such a row once it has all of ``missing``


class Definitions:
    """All definitions of a run, and what its summary needs to know of the rows so far.

    ``earlier`` gives what was logged of a key before it was first defined.
    """

    def __init__(self, earlier: Callable[[str], Aggregate] = lambda key: Aggregate()) -> None:
        self.earlier = earlier
        self._exact: dict[str, Metric] = {}
        self._globs: dict[str, Metric] = {}
        self.counters: dict[str, Any] = {}  # the last number of each step metric
        self._aggregates: dict[str, Aggregate] = {}
        self._set: set[str] = set()  # keys that the script set in the summary since
        self.plans: dict[tuple[str, ...], Plan] = {}
        self._missing: dict[tuple[str, ...], tuple[str, ...]] = {}

    def define(self, metric: Metric, shown: dict[str, Any], *, overwrite: bool = False) -> None:
        """Take a definition. It adds to an earlier one of the same name, or replaces it.

        The summary ``shown`` follows at once, but for globs: they count with the next row.
        """
        if metric.step_metric is not None:
            self.counters.setdefault(metric.step_metric, 0)
        known = self._globs if metric.name.endswith("*") else self._exact
        earlier = known.get(metric.name)
        known[metric.name] = metric if earlier is None or overwrite else _added(earlier, metric)
        self._configure(metric.name)
        if known is self._exact:
            self._show_again(known[metric.name], shown)

    def _show_again(self, metric: Metric, shown: dict[str, Any]) -> None:
        name = metric.name
        if not metric.is_summed_up and name not in self._aggregates:
            return
        aggregate = self.aggregate(name, metric)
        if aggregate.has_first:
            view = aggregate.view() if metric.is_summed_up else aggregate.last
            put(way_to(name, shown), view, shown)

    def find(self, key: str) -> Metric | None:
        """Return the definition that a key falls under; a glob is bound to the key by this."""
        metric = self._exact.get(key)
        if metric is None:
            found = self._glob(key)
            if found is not None:
                metric = self._exact[key] = replace(found, name=key)
                self._configure(key)
        return metric

    def _glob(self, key: str) -> Metric | None:
        if not self._globs or not isinstance(key, str):
            return None
        return next((glob for glob in self._globs.values() if glob.matches(key)), None)

    def _configure(self, name: str) -> None:
        self._set.discard(name)
        self.plans.clear()
        self._missing.clear()

    # -- rows --------------------------------------------------------------------------------

    def missing(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        """Return the step metrics that a part of a row with ``keys`` needs and does not have."""
        missing = self._missing.get(keys)
        if missing is None:
            missing = _missing(keys, [self._exact.get(key) or self._glob(key) for key in keys])
            if len(self._missing) >= _MAX_PLANS:
                self._missing.clear()
            self._missing[keys] = missing
        return missing

    def plan(self, keys: tuple[str, ...]) -> Plan:
        """Return what is to be done with a row that holds ``keys`` when it is closed."""
        return self.plans.get(keys) or self.new_plan(keys)

    def new_plan(self, keys: tuple[str, ...]) -> Plan:
        """Make the plan for rows that hold ``keys``."""
        found = [(key, self.find(key)) for key in keys]
        summed = tuple(
            (key, self.aggregate(key, metric))
            for key, metric in found
            if metric is not None and metric.is_summed_up and key not in self._set
        )
        missing = _missing(keys, [metric for _, metric in found])
        plan = Plan(
            missing=missing,
            counters=tuple(key for key in keys if key in self.counters),
            summed=summed,
            completed=self.plan((*keys, *missing)) if missing else None,
        )
        if len(self.plans) >= _MAX_PLANS:
            self.plans.clear()
        self.plans[keys] = plan
        return plan

    def aggregate(self, key: str, metric: Metric) -> Aggregate:
        """Return what is known of a key's rows, set to show what ``metric`` asks for."""
        aggregate = self._aggregates.get(key)
        if aggregate is None:
            aggregate = self._aggregates[key] = self.earlier(key)
        aggregate.show(metric.summary or (), maximize=metric.goal == "maximize")
        return aggregate

    def step_metrics(
        self, names: tuple[str, ...], open_row: Mapping[str, Any], *, same_row: bool
    ) -> dict[str, Any]:
        """Return the last values of the step metrics ``names``, 0 as long as there is none.

        What the open row has of them is left out if it is the same row, else it is the last value.
        """
        found = {}
        for name in names:
            if same_row and name in open_row:
                continue
            value = open_row.get(name)
            found[name] = value if type(value) in _NUMBERS else self.counters[name]
        return found

    def close(self, plan: Plan, row: dict[str, Any], shown: dict[str, Any]) -> None:
        """Bring the summary ``shown`` up to date with a row that is closed and holds no dicts."""
        for name in plan.counters:
            value = row[name]
            if type(value) in _NUMBERS:
                self.counters[name] = value
        if not plan.summed:
            shown.update(row)
            return
        views = row.copy()  # nobody may see a number where there is to be a dict
        for key, aggregate in plan.summed:
            view = aggregate.add(row[key])
            if view is None:
                del views[key]
                shown.pop(key, None)
            else:
                views[key] = view
        shown.update(views)

    def close_nested(self, row: Mapping[str, Any], shown: dict[str, Any]) -> None:
        """Bring the summary ``shown`` up to date with any row that is closed."""
        flat_row = flatten(row)
        plan = self.plan(tuple(flat_row))
        for name in plan.counters:
            if type(flat_row[name]) in _NUMBERS:
                self.counters[name] = flat_row[name]
        summed = dict(plan.summed)

        def show(name: str, value: Any) -> Any:
            aggregate = summed.get(name)
            return value if aggregate is None else aggregate.add(value)

        merge(row, shown, show)

    # -- what the script sets ----------------------------------------------------------------

    def changed_by_script(self, name: str, *, removed: bool) -> None:
        """Take note that the script set ``name`` in the summary or removed it from there.

        Once set, the summary has its last value until it is defined again; once removed, ``first``
        is what comes next.
        """
        if removed:
            if name in self._aggregates:
                self._aggregates[name].has_first = False
            return
        below = name + "."
        keys = {*self._exact, *self._aggregates}
        found = {key for key in keys if key == name or key.startswith(below)}
        if not found <= self._set:
            self._set |= found
            self.plans.clear()

    # -- rows that were read back ------------------------------------------------------------

    def take_rows(self, key: str, numbers: Sequence[float], first: Any, last: Any) -> Any:
        """Take in closed rows that hold ``key``; return what the summary shows of it, or None."""
        aggregate = self._aggregates.get(key)
        if aggregate is None:
            aggregate = self._aggregates[key] = Aggregate()
        aggregate.add_rows(numbers, first, last)
        metric = self.find(key)
        if metric is None or not metric.is_summed_up or key in self._set:
            return last
        return self.aggregate(key, metric).view()


def _missing(keys: tuple[str, ...], found: Sequence[Metric | None]) -> tuple[str, ...]:
    names = (metric.step_metric for metric in found if metric is not None and metric.step_sync)
    return tuple(dict.fromkeys(name for name in names if name and name not in keys))


def _added(earlier: Metric, later: Metric) -> Metric:
    return Metric(
        name=earlier.name,
        step_metric=later.step_metric or earlier.step_metric,
        step_sync=earlier.step_sync or later.step_sync,
        hidden=earlier.hidden or later.hidden,
        summary=_added_words(earlier.summary, later.summary),
        goal=later.goal or earlier.goal,
    )


def _added_words(
    earlier: tuple[str, ...] | None, later: tuple[str, ...] | None
) -> tuple[str, ...] | None:
    """Return both, without repetitions; ``none`` only as long as it was said last."""
    if later is None:
        return earlier
    kept = (word for word in earlier or () if word not in _PLAIN)
    return tuple(dict.fromkeys((*kept, *later)))
