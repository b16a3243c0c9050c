"""A gate for trainings: may this run pass, held against past ones?

It is what a build calls after a training. Like a comparison it runs no analysis; it looks at
metrics alone, and at how the run ended.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from quark.analyzers.comparison_engine import as_target, storage_dir_of
from quark.analyzers.comparison_results import Answer
from quark.analyzers.gate_bands import GateAssertion, MetricBand, parse_assertion, statistic_of
from quark.analyzers.gather import gather_metrics
from quark.analyzers.metric_directions import metric_directions
from quark.analyzers.roles import choose_roles
from quark.errors import SchemaValidationError
from quark.records import MetricDefinitionRecord, RunRecord
from quark.session.reading import deliver_tail
from quark.session.resolve import Target, reading
from quark.settings import Settings
from quark.storage.model import RunQuery

if TYPE_CHECKING:
    from quark.analyzers.evidence import MetricSeries
    from quark.storage.protocols import Store

_MIN_BASELINES = 3
_RUNS_AT_ONCE = 100
#: A run in any of these has not come to its end.
_BROKEN_STATUSES = ("failed", "interrupted")
#: The roles whose metrics are looked at where none are named; the training's if none is validated.
_DEFAULT_ROLES = (
    ("val_loss", "val_accuracy", "val_score"),
    ("train_loss", "train_accuracy", "train_score"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateCheck(Answer):
    """One thing that was checked: ``kind`` is ``status``, ``band`` or ``assertion``.

    Bounds are None where there is none. ``baseline_values`` are what the band was made of, in the
    order of the baselines.
    """

    kind: str
    passed: bool
    reason: str
    metric_key: str | None = None
    statistic: str | None = None
    observed: float | None = None
    lower_bound: float | None = None
    upper_bound: float | None = None
    baseline_values: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult(Answer):
    """Whether a run passed, and why."""

    passed: bool
    candidate_run_id: str
    baseline_run_ids: tuple[str, ...]
    checks: tuple[GateCheck, ...]

    @property
    def exit_code(self) -> int:
        """0 for a run that passed, 1 for one that did not."""
        return 0 if self.passed else 1

    def render(self) -> str:
        """Return the verdict and its reasons as plain text, the failures first."""
        verdict = "passed" if self.passed else "did not pass"
        count = len(self.baseline_run_ids)
        against = f", held against {count} past run{'s' * (count != 1)}" if count else ""
        lines = [f"Run {self.candidate_run_id} {verdict}{against}."]
        lines += [
            f"  {'ok  ' if check.passed else 'FAIL'}  {check.reason}"
            for check in sorted(self.checks, key=lambda check: check.passed)
        ]
        return "\n".join(lines) + "\n"


def gate(
    candidate: Target | str,
    baselines: Iterable[Target | str] | None = None,
    *,
    project: str | None = None,
    baseline_count: int = 10,
    metrics: Sequence[str] = (),
    bands: Sequence[MetricBand] = (),
    assertions: Sequence[str | GateAssertion] = (),
    min_baselines: int | None = None,
    storage_dir: str | None = None,
) -> GateResult:
    """Judge a run by past ones and by what it must reach.

    A metric that the candidate did not log, or whose value is NaN, fails; so does a run that
    failed or was interrupted. What a baseline lacks, or has not finite, is left out of the band.

    Args:
        candidate: The run: a session, a context, or the id of a run in ``storage_dir``.
        baselines: Past runs; ids are looked up where the candidate is kept. By default the latest
            completed runs of ``project``, or of the candidate's own project, that were started
            before it; none if there are assertions and nothing else is asked for.
        project: The project whose runs are the baselines.
        baseline_count: How many of a project's runs at most.
        metrics: Metrics to hold against the baselines with the default band. Where neither these
            nor ``bands`` are given: the validation's losses, accuracies and scores, else the
            training's.
        bands: Metrics with a band of their own.
        assertions: Such as ``"val/loss<=0.3"``; see :func:`quark.analyzers.gate_bands
            .parse_assertion`.
        min_baselines: How many baselines a band needs; by default 3, or as many as ``baselines``
            names if those are fewer.
        storage_dir: Where to look up a candidate given by its id.

    Raises:
        SchemaValidationError: There are too few baselines, or an argument is not what it must be.
        RunNotFoundError: There is no such run.
        SessionStoreError: The store does not answer.

    >>> import tempfile
    >>> from quark import MetricsLogger, TrainingSession
    >>> folder, runs = tempfile.mkdtemp(), []
    >>> for loss in (0.30, 0.31, 0.33, 0.32, 0.39):
    ...     with TrainingSession.start_run(project="nightly", storage_dir=folder) as session:
    ...         with MetricsLogger(session) as metrics:
    ...             _ = metrics.log("val/loss", loss, step=100)
    ...     runs.append(session)
    >>> gate(runs[3]).exit_code, gate(runs[4], assertions=["val/loss<=0.35"]).exit_code
    (0, 1)
    """
    target = as_target(candidate, storage_dir=storage_dir)
    with reading(target) as (store, run_id):
        settings = Settings.load(storage_dir=storage_dir_of(target))
        return _judged(
            store,
            run_id,
            None if baselines is None else tuple(baselines),
            lambda one: _read_baseline(one, store, settings),
            project=project,
            baseline_count=baseline_count,
            metrics=metrics,
            bands=bands,
            assertions=assertions,
            min_baselines=min_baselines,
        )


def gate_in(
    store: Store,
    run_id: str,
    baselines: Sequence[str] | None = None,
    *,
    project: str | None = None,
    baseline_count: int = 10,
    metrics: Sequence[str] = (),
    bands: Sequence[MetricBand] = (),
    assertions: Sequence[str | GateAssertion] = (),
    min_baselines: int | None = None,
) -> GateResult:
    """Judge a run as :func:`gate` does, with what a store has of it and of the past runs.

    Raises:
        SchemaValidationError: There are too few baselines, or an argument is not what it must be.
        RunNotFoundError: There is no such run.
    """
    return _judged(
        store,
        run_id,
        None if baselines is None else tuple(baselines),
        lambda one: _read(store, str(one)),
        project=project,
        baseline_count=baseline_count,
        metrics=metrics,
        bands=bands,
        assertions=assertions,
        min_baselines=min_baselines,
    )


def _judged(
    store: Store,
    run_id: str,
    given: tuple[Target | str, ...] | None,
    read_baseline: Callable[[Target | str], _Run],
    *,
    project: str | None,
    baseline_count: int,
    metrics: Sequence[str],
    bands: Sequence[MetricBand],
    assertions: Sequence[str | GateAssertion],
    min_baselines: int | None,
) -> GateResult:
    asserted = [parse_assertion(one) if isinstance(one, str) else one for one in assertions]
    are_named = given is not None
    wants_bands = bool(metrics or bands or project or are_named or not asserted)
    ours = _read(store, run_id)
    if given is None and wants_bands:
        given = _latest(store, ours.run, project, baseline_count)
    past = [read_baseline(one) for one in given or ()]
    if min_baselines is None:
        min_baselines = min(_MIN_BASELINES, len(past)) if are_named else _MIN_BASELINES
    min_baselines = max(1, min_baselines)
    if wants_bands:
        _check_baselines(ours.run, past, min_baselines)
    directions = metric_directions(
        [key for one in (*past, ours) for key in one.metrics],
        [definition for one in (*past, ours) for definition in one.definitions],
    )
    checks = [_status_check(ours.run)]
    for band in _wanted_bands(metrics, bands, past, min_baselines) if wants_bands else ():
        direction = band.direction or directions.get(band.metric_key, "within")
        checks.append(_band_check(replace(band, direction=direction), ours, past, min_baselines))
    checks += [_assertion_check(one, ours, directions) for one in asserted]
    return GateResult(
        passed=all(check.passed for check in checks),
        candidate_run_id=ours.run.id,
        baseline_run_ids=tuple(one.run.id for one in past),
        checks=tuple(checks),
    )


# -- reading -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Run:
    run: RunRecord
    metrics: Mapping[str, MetricSeries]
    definitions: Sequence[MetricDefinitionRecord]

    def statistic(self, band: MetricBand) -> float | None:
        series = self.metrics.get(band.metric_key)
        if series is None:
            return None
        return statistic_of(series, band.statistic, band.direction, band.last_count)


def _read(store: Store, run_id: str) -> _Run:
    return _Run(
        run=store.records.get_run(run_id),
        metrics=gather_metrics(store, run_id, store.points.keys(run_id)),
        definitions=store.records.read(MetricDefinitionRecord, run_id),
    )


def _read_baseline(baseline: Target | str, store: Store, settings: Settings) -> _Run:
    if isinstance(baseline, str):
        deliver_tail(store, baseline, settings)
        return _read(store, baseline)
    with reading(baseline) as (other_store, run_id):
        return _read(other_store, run_id)


def _latest(store: Store, run: RunRecord, project: str | None, count: int) -> tuple[str, ...]:
    """Return the ids of a project's latest completed runs that were started before ``run``."""
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise SchemaValidationError(
            f"baseline_count is {count!r}, but must be a whole number of 1 or more."
        )
    query = RunQuery(
        project=project or run.project_name,
        workspace=run.workspace,
        status="completed",
        limit=_RUNS_AT_ONCE,
    )
    found: list[str] = []
    while len(found) < count:
        page = store.records.list_runs(query)
        found += [one.id for one in page if one.id != run.id and one.created_at <= run.created_at]
        if len(page) < _RUNS_AT_ONCE:
            break
        query = replace(query, offset=query.offset + _RUNS_AT_ONCE)
    return tuple(found[:count])


def _check_baselines(run: RunRecord, past: Sequence[_Run], min_baselines: int) -> None:
    ids = [one.run.id for one in past]
    if run.id in ids or len(set(ids)) != len(ids):
        raise SchemaValidationError(
            f"The baselines of run {run.id!r} are {ids}, but each must be another run than the "
            "candidate and the others."
        )
    if len(past) < min_baselines:
        raise SchemaValidationError(
            f"There are {len(past)} past runs to hold run {run.id!r} against, but at least "
            f"{min_baselines} are needed. Name baselines, another project, a smaller "
            "min_baselines (--min-baselines), or assertions alone."
        )


# -- checking ------------------------------------------------------------------------------------


def _wanted_bands(
    metrics: Sequence[str], bands: Sequence[MetricBand], past: Sequence[_Run], min_baselines: int
) -> list[MetricBand]:
    wanted = [*bands, *(MetricBand(metric_key=key) for key in metrics)]
    if wanted:
        return wanted
    keys = list(dict.fromkeys(key for one in past for key in one.metrics))
    roles = choose_roles(keys)
    for group in _DEFAULT_ROLES:
        playing = dict.fromkeys(key for role in group for key in roles.all(role))
        found = [MetricBand(metric_key=key) for key in playing]
        found = [band for band in found if len(_past_values(band, past)) >= min_baselines]
        if found:
            return found
    raise SchemaValidationError(
        "The baselines have no loss, accuracy or score in common that is known by its name; name "
        "the metrics to look at with metrics=(...)."
    )


def _past_values(band: MetricBand, past: Sequence[_Run]) -> list[float]:
    found = [one.statistic(band) for one in past]
    return [value for value in found if value is not None and math.isfinite(value)]


def _status_check(run: RunRecord) -> GateCheck:
    passed = run.status not in _BROKEN_STATUSES
    return GateCheck(kind="status", passed=passed, reason=f"The run is {run.status}.")


def _band_check(
    band: MetricBand, ours: _Run, past: Sequence[_Run], min_baselines: int
) -> GateCheck:
    values = _past_values(band, past)
    name = _name(band.metric_key, band.statistic, band.last_count)
    if len(values) < min_baselines:
        raise SchemaValidationError(
            f"Only {len(values)} of {len(past)} past runs have a finite {name}, but at least "
            f"{min_baselines} are needed for a band."
        )
    lower, upper = band.bounds(values)
    observed = ours.statistic(band)
    if lower is not None and upper is not None:
        rule = f"between {lower:.6g} and {upper:.6g}"
    else:
        rule = f"at least {lower:.6g}" if lower is not None else f"at most {upper:.6g}"
    passed = (
        observed is not None
        and (lower is None or observed >= lower)
        and (upper is None or observed <= upper)
        and not math.isnan(observed)
    )
    past_words = f"past runs: {min(values):.6g} to {max(values):.6g}"
    return GateCheck(
        kind="band",
        passed=passed,
        reason=f"{name} is {_shown(observed)}; it must be {rule} ({past_words}).",
        metric_key=band.metric_key,
        statistic=band.statistic,
        observed=observed,
        lower_bound=lower,
        upper_bound=upper,
        baseline_values=tuple(values),
    )


def _assertion_check(one: GateAssertion, ours: _Run, directions: Mapping[str, str]) -> GateCheck:
    series = ours.metrics.get(one.metric_key)
    direction = directions.get(one.metric_key)
    observed = None if series is None else statistic_of(series, one.statistic, direction)
    name = _name(one.metric_key, one.statistic)
    return GateCheck(
        kind="assertion",
        passed=observed is not None and one.is_met_by(observed),
        reason=f"{name} is {_shown(observed)}; it must be {one.comparison} {one.value:g}.",
        metric_key=one.metric_key,
        statistic=one.statistic,
        observed=observed,
        lower_bound=one.value if one.comparison in (">", ">=", "==") else None,
        upper_bound=one.value if one.comparison in ("<", "<=", "==") else None,
    )


def _name(metric_key: str, statistic: str, last_count: int = 0) -> str:
    words = {"last": "", "mean_of_last": f"The mean of the last {last_count} of "}
    return f"{words.get(statistic, f'The {statistic} of ')}{metric_key}"


def _shown(observed: float | None) -> str:
    return "missing" if observed is None else f"{observed:.6g}"
