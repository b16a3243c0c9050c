"""From a store to the evidence of one run, in one pass over its records and its metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from quark import jsonio
from quark.analyzers.evidence import LayerTrack, MetricSeries, RunEvidence, RunFacts
from quark.analyzers.evidence_builder import KINDS, EvidenceBuilder, EvidenceLimits
from quark.analyzers.roles import NO_ROLES, MetricRoles, choose_roles
from quark.clock import parse_timestamp

if TYPE_CHECKING:
    from quark.records import RunRecord
    from quark.storage.protocols import Store

#: Points that are read at once.
_POINTS_AT_ONCE = 2_000_000


def gather(
    store: Store,
    run_id: str,
    *,
    overrides: Mapping[str, Sequence[str]] | None = None,
    limits: EvidenceLimits | None = None,
    now_us: int | None = None,
    ending: str | None = None,
) -> RunEvidence:
    """Read what is known of a run.

    Args:
        store: Where the run is.
        run_id: Which run.
        overrides: By role, the metric keys that play it (see :func:`quark.analyzers.roles
            .choose_roles`).
        limits: How much to keep of it.
        now_us: The time, in microseconds since 1970, for a run that may have stopped moving.
        ending: The status that the run is just about to get; by default it is as it is stored.

    Raises:
        RunNotFoundError: There is no such run.
        SessionStoreError: The store does not answer.
    """
    run = store.records.get_run(run_id)
    if ending is not None:
        run = replace(run, status=ending)
    builder = EvidenceBuilder(limits)
    ranks: dict[str, int] = {}
    resume_times: list[int] = []
    for part in store.records.scan(run_id, KINDS):
        for one in part:
            if one.kind == "event":
                _note_event(jsonio.loads(one.body), one.writer_id, one.time_us, ranks, resume_times)
        if len(set(ranks.values())) > 1:
            for one in part:
                builder.add_bodies((one,), ranks.get(one.writer_id, 0))
        else:
            builder.add_bodies(part)
    roles = _add_metrics(builder, store, run_id, overrides, ranks)
    facts = run_facts(run, builder, now_us=now_us, resume_times=resume_times)
    return builder.build(facts, roles)


def gather_metrics(store: Store, run_id: str, keys: Iterable[str]) -> dict[str, MetricSeries]:
    """Read some metrics of a run and nothing else; those that it has not logged are left out.

    Where several ranks logged one into the run, the lowest rank's word counts.

    Raises:
        RunNotFoundError: There is no such run.
        SessionStoreError: The store does not answer.
    """
    found = store.points.many_series(run_id, list(keys))
    ranks: dict[str, int] = {}
    if any(len(series.writers) > 1 for series in found.values()):
        for part in store.records.scan(run_id, ("event",)):
            for one in part:
                _note_event(jsonio.loads(one.body), one.writer_id, one.time_us, ranks, [])
    builder = EvidenceBuilder()
    for series in found.values():
        if len(series):
            builder.add_series(series, ranks)
    return dict(builder.build(RunFacts(), NO_ROLES).metrics)


def gather_layers(store: Store, run_id: str) -> tuple[LayerTrack, ...]:
    """Read the layer summaries of a run and nothing else: activations, then gradients.

    Raises:
        RunNotFoundError: There is no such run.
        SessionStoreError: The store does not answer.
    """
    builder = EvidenceBuilder()
    for part in store.records.scan(run_id, ("layer_summary",)):
        builder.add_bodies(part)
    evidence = builder.build(RunFacts(), NO_ROLES)
    return (*evidence.activations, *evidence.gradients)


def run_facts(
    run: RunRecord,
    builder: EvidenceBuilder,
    *,
    now_us: int | None,
    resume_times: Sequence[int] = (),
) -> RunFacts:
    """Return what a run says of itself."""
    return RunFacts(
        run_id=run.id,
        status=str(run.status),
        started_us=parse_timestamp(run.created_at) if run.created_at else None,
        ended_us=parse_timestamp(run.ended_at) if run.ended_at else None,
        now_us=now_us,
        last_logged_us=builder.last_time_us,
        config=run.config,
        resume_times_us=tuple(resume_times),
    )


def _add_metrics(
    builder: EvidenceBuilder,
    store: Store,
    run_id: str,
    overrides: Mapping[str, Sequence[str]] | None,
    ranks: Mapping[str, int],
) -> MetricRoles:
    """Read the metrics that matter, some at a time: columns take memory twice while they move."""
    stats = store.points.keys(run_id)
    roles = choose_roles(list(stats), overrides)
    playing = {key for keys in roles.keys.values() for key in keys}
    wanted = [key for key, one in stats.items() if key in playing or one.nonfinite_count]
    group: list[str] = []
    size = 0
    for key in [*wanted, None]:
        if key is None or (group and size + stats[key].count > _POINTS_AT_ONCE):
            for series in store.points.many_series(run_id, group).values() if group else ():
                builder.add_series(series, ranks)
            group, size = [], 0
        if key is not None:
            group.append(key)
            size += stats[key].count
    return roles


def _note_event(
    event: Mapping[str, Any],
    writer_id: str,
    time_us: int,
    ranks: dict[str, int],
    resume_times: list[int],
) -> None:
    """Note what events say of who wrote what: started and joined processes name their rank."""
    kind = event.get("event_type")
    if kind in ("run_started", "run_resumed", "process_joined"):
        rank = (event.get("payload") or {}).get("rank")
        if isinstance(rank, int):
            ranks[writer_id] = rank
    if kind == "run_resumed":
        resume_times.append(time_us)
