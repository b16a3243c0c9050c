"""Evidence as it comes in: the points and records of a run, one batch after the other.

What was stored of a run and what is just being shipped go the same way, so that rules see the same
after the run and during it. With limits, memory stays bounded however long the run is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from quark import jsonio
from quark.analyzers.data_tally import MAX_IDS, DataTally
from quark.analyzers.evidence import LayerTrack, MetricSeries, RunEvidence, RunFacts
from quark.analyzers.growing import GrowingSeries, GrowingTable
from quark.analyzers.roles import MetricRoles, choose_roles
from quark.analyzers.tracks import (
    LAYER_FLOATS,
    PARAMETER_FLOATS,
    GrowingTrack,
    full_name,
    layer_track,
    parameter_track,
)

if TYPE_CHECKING:
    from quark.storage.batch import PointBlock
    from quark.storage.model import Series


class Body(Protocol):
    """A record undecoded: as it is shipped, or as a store has scanned it."""

    @property
    def kind(self) -> str: ...
    @property
    def step(self) -> int | None: ...
    @property
    def epoch(self) -> int | None: ...
    @property
    def time_us(self) -> int: ...
    @property
    def body(self) -> bytes | str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceLimits:
    """How much is kept of a run, at most."""

    points: int = 4_000_000  # of one metric and rank
    probes: int = 100_000  # of one layer or parameter
    records: int = 100_000  # telemetry, loop records and events, each
    sample_ids: int = MAX_IDS  # different ones of batch diagnostics


#: For evidence that grows while a run goes on.
LIVE_LIMITS = EvidenceLimits(points=20_000, probes=1_000, records=5_000, sample_ids=50_000)

TELEMETRY_OBJECTS = ("boundary", "gpus", "metadata")
EVENT_OBJECTS = ("event_type", "severity", "payload")
LOOP_OBJECTS = ("model_name", "metadata")

#: The kinds of records that are evidence.
KINDS = (
    "layer_summary",
    "parameter_summary",
    "system_telemetry",
    "training_loop",
    "batch_diagnostic",
    "event",
)


class EvidenceBuilder:
    """Collects evidence of one run. Not for several threads at once."""

    def __init__(self, limits: EvidenceLimits | None = None) -> None:
        self._limits = limits = limits or EvidenceLimits()
        self._series: dict[tuple[str, int], GrowingSeries] = {}
        self._nonfinite: dict[str, int] = {}
        self._layers: dict[tuple[str, str, int, str], GrowingTrack] = {}
        self._places: dict[str, int] = {}
        self._parameters: dict[str, GrowingTrack] = {}
        self._telemetry = GrowingTable(
            number_fields("system_telemetry"), TELEMETRY_OBJECTS, limits.records
        )
        self._loop = GrowingTable(number_fields("training_loop"), LOOP_OBJECTS, limits.records)
        self._events = GrowingTable((), EVENT_OBJECTS, limits.records)
        self._batches = GrowingTable(("loss", "batch_size", "epoch"), (), limits.records)
        self._tally = DataTally(limits.sample_ids)
        self.last_time_us: int | None = None

    # -- in ------------------------------------------------------------------------------------

    def add_block(
        self, block: PointBlock, rank: int, wanted: Collection[str] | None = None
    ) -> None:
        """Take rows of points; of ``wanted`` keys only, if that is given."""
        for place, key in enumerate(block.keys):
            values = block.values[:, place]
            count = int(np.count_nonzero(~np.isfinite(values)))
            if count:
                self._nonfinite[key] = self._nonfinite.get(key, 0) + count
            if wanted is None or key in wanted or count:
                self._grow(key, rank, block.step, block.epoch, block.time_us, values)
        if len(block.time_us):
            self._saw(int(block.time_us[-1]))

    def add_series(self, series: Series, ranks: Mapping[str, int]) -> None:
        """Take all points of one key."""
        count = int(np.count_nonzero(~np.isfinite(series.value)))
        if count:
            self._nonfinite[series.key] = self._nonfinite.get(series.key, 0) + count
        rank_of = np.array([ranks.get(name, 0) for name in series.writers] or [0], np.int64)
        point_ranks = rank_of[series.writer]
        for rank in np.unique(rank_of).tolist():
            mine = slice(None) if len(set(rank_of.tolist())) == 1 else point_ranks == rank
            columns = (series.step, series.epoch, series.time_us, series.value)
            self._grow(series.key, rank, *(column[mine] for column in columns))
        if len(series.time_us):
            self._saw(int(series.time_us[-1]))

    def add_bodies(self, bodies: Iterable[Body], rank: int = 0) -> None:
        """Take records of the :data:`KINDS`; others are passed over."""
        for one in bodies:
            if one.kind in _TAKERS:
                _TAKERS[one.kind](self, one, rank, jsonio.loads(one.body))

    # -- out -----------------------------------------------------------------------------------

    @property
    def keys(self) -> tuple[str, ...]:
        """The metrics that points have come of."""
        return tuple(dict.fromkeys(key for key, _ in self._series))

    def build(
        self,
        run: RunFacts,
        roles: MetricRoles | None = None,
        overrides: Mapping[str, Sequence[str]] | None = None,
    ) -> RunEvidence:
        """Return everything that has come so far."""
        by_rank: dict[int, dict[str, MetricSeries]] = {}
        for (key, rank), grown in self._series.items():
            by_rank.setdefault(rank, {})[key] = grown.series()
        metrics: dict[str, MetricSeries] = {}
        for rank in sorted(by_rank, reverse=True):
            metrics.update(by_rank[rank])  # the lowest rank's word counts
        layers = self._tracks()
        return RunEvidence(
            run=run,
            metrics=metrics,
            roles=roles or choose_roles(list(metrics), overrides),
            rank_metrics=by_rank if len(by_rank) > 1 else {},
            nonfinite_counts=dict(self._nonfinite),
            activations=tuple(track for track in layers if track.summary_type == "activation"),
            gradients=tuple(track for track in layers if track.summary_type == "gradient"),
            parameters=tuple(parameter_track(track) for track in self._parameters.values()),
            telemetry=self._telemetry.table(),
            loop=self._loop.table(),
            batches=self._batches.table(),
            data=self._tally.facts(),
            events=self._events.table(),
        )

    # -- inside --------------------------------------------------------------------------------

    def _saw(self, time_us: int) -> None:
        self.last_time_us = max(time_us, self.last_time_us or 0)

    def _grow(self, key: str, rank: int, step: Any, epoch: Any, time_us: Any, value: Any) -> None:
        grown = self._series.get((key, rank))
        if grown is None:
            grown = self._series[key, rank] = GrowingSeries(key, self._limits.points)
        grown.add(step, epoch, time_us, value)

    def _tracks(self) -> list[LayerTrack]:
        return [
            layer_track(track, self._places.get(name, -1))
            for (name, *_), track in self._layers.items()
        ]

    def _take_layer(self, one: Body, rank: int, body: dict[str, Any]) -> None:
        metadata = body.get("metadata") or {}
        if metadata.get("grad_enabled") is False and body["summary_type"] == "activation":
            return  # an evaluation in between
        name, kind = body["module_name"], body["summary_type"]
        key = (name, kind, body.get("call_index", 0), metadata.get("output", ""))
        track = self._layers.get(key)
        if track is None:
            track = self._layers[key] = GrowingTrack(body, LAYER_FLOATS, 2, self._limits.probes)
            if kind == "activation":
                self._places.setdefault(name, len(self._places))
        nonfinite = metadata.get("nonfinite_count", 0)
        track.add(one.step or 0, body, (body["element_count"], nonfinite), odd=nonfinite > 0)

    def _take_parameter(self, one: Body, rank: int, body: dict[str, Any]) -> None:
        name = full_name(body)
        track = self._parameters.get(name)
        if track is None:
            track = GrowingTrack(body, PARAMETER_FLOATS, 2, self._limits.probes)
            self._parameters[name] = track
        metadata = body.get("metadata") or {}
        counts = (
            metadata.get("value_nonfinite_count", 0),
            metadata.get("gradient_nonfinite_count", 0),
        )
        track.add(one.step or 0, body, counts, odd=any(counts))

    def _take_telemetry(self, one: Body, rank: int, body: dict[str, Any]) -> None:
        self._telemetry.add(one.step, one.time_us, rank, body)

    def _take_loop(self, one: Body, rank: int, body: dict[str, Any]) -> None:
        self._loop.add(one.step, one.time_us, rank, body)

    def _take_event(self, one: Body, rank: int, body: dict[str, Any]) -> None:
        self._events.add(one.step, one.time_us, rank, body)

    def _take_batch(self, one: Body, rank: int, body: dict[str, Any]) -> None:
        self._batches.add(one.step, one.time_us, rank, body)
        self._tally.add(one.step, body)


_TAKERS = {
    "layer_summary": EvidenceBuilder._take_layer,
    "parameter_summary": EvidenceBuilder._take_parameter,
    "system_telemetry": EvidenceBuilder._take_telemetry,
    "training_loop": EvidenceBuilder._take_loop,
    "event": EvidenceBuilder._take_event,
    "batch_diagnostic": EvidenceBuilder._take_batch,
}


def number_fields(kind: str) -> tuple[str, ...]:
    """Return the fields of a kind of record that hold a number, as its annotations have it."""
    from dataclasses import fields

    from quark.records import RECORD_KINDS

    if kind not in RECORD_KINDS:
        return ()
    return tuple(
        item.name
        for item in fields(RECORD_KINDS[kind])
        if str(item.type).split(" |")[0] in ("int", "float", "bool") and item.name != "step"
    )
