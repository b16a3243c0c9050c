"""What ``quark run watch`` knows of a run: looked at again and again, read where it changed.

It is told by the counts of points and records whether there is anything new, so that a run of
millions of points costs a look no more than a short one.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from quark.clock import SYSTEM_CLOCK, Clock, parse_timestamp
from quark.errors import RunNotFoundError

if TYPE_CHECKING:
    from quark.cli.asked_run import AskedRun
    from quark.records import AlertRecord, PhaseRecord, RunRecord, SystemTelemetryRecord
    from quark.storage.model import KeyStats

#: Cells of a sparkline, at most.
CELLS = 48
#: How often what a process that died has left behind is looked for.
_LOST_SECONDS = 5.0
#: Over how long the speed is taken.
_SPEED_US = 20_000_000
#: Kinds of records whose coming changes what is shown.
_KINDS = ("alert", "analysis", "phase", "system_telemetry", "health_score")
SYSTEM_PREFIX = "system/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric as a line shows it.

    ``cells`` are means over equal ranges of steps, NaN where nothing finite is; ``best`` is the
    lowest or the highest value, as its name or its definition has it, None where nobody knows.
    """

    key: str
    count: int
    last_step: int | None
    last: float
    low: float
    high: float
    best: float | None
    nonfinite_count: int
    cells: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """All that is shown of a run at one moment."""

    run: RunRecord
    step: int | None
    steps_per_second: float | None
    metrics: tuple[Metric, ...] = ()
    alerts: tuple[AlertRecord, ...] = ()
    phases: tuple[PhaseRecord, ...] = ()
    system: SystemTelemetryRecord | None = None
    system_values: Mapping[str, float] = field(default_factory=dict)
    stop_asked_by: str | None = None


class Watched:
    """Looks at one run. ``keys``: the metrics that are asked for; its own ones if none are."""

    def __init__(
        self, asked: AskedRun, keys: Sequence[str] = (), clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._asked = asked
        self._keys = tuple(keys)
        self._clock = clock
        self._metrics: dict[str, Metric] = {}
        self._counts: dict[str, int] = {}
        self._speed: deque[tuple[int, int]] = deque()
        self._looked_for_lost = -math.inf
        self._directions: Mapping[str, str] = {}
        self._seen: Seen | None = None

    def look(self, *, most_metrics: int | None = None) -> tuple[Seen, bool]:
        """Return what is to be shown, and whether it has changed since the last look.

        Args:
            most_metrics: How many are drawn; of further ones only the last values are read.

        Raises:
            RunNotFoundError: The run was deleted.
        """
        run = self._read_run()
        stats = self._asked.store.points.keys(run.id)
        counts = self._asked.store.records.count(run.id)
        before = self._seen
        step, speed = self._step(run, stats)
        metrics = self._read_metrics(stats, most_metrics)
        seen = Seen(
            run=run,
            step=step,
            steps_per_second=speed,
            metrics=metrics,
            system_values={
                key: one.last_value for key, one in stats.items() if key.startswith(SYSTEM_PREFIX)
            },
            stop_asked_by=self._stop_asked_by(run),
        )
        seen = self._with_records(seen, counts)
        self._seen = seen
        return seen, before is None or _without_speed(before) != _without_speed(seen)

    @property
    def last(self) -> Seen | None:
        """What the last look saw."""
        return self._seen

    def _read_run(self) -> RunRecord:
        now = self._clock.monotonic()
        if now - self._looked_for_lost < _LOST_SECONDS:
            return self._asked.store.records.get_run(self._asked.run_id)
        self._looked_for_lost = now
        return self._asked.read()

    def _stop_asked_by(self, run: RunRecord) -> str | None:
        if run.status != "running":
            return None
        from quark.storage.stop_requests import find_stop_request

        request = find_stop_request(self._asked.store.documents, run.id)
        return None if request is None else request.by or "somebody"

    def _step(
        self, run: RunRecord, stats: Mapping[str, KeyStats]
    ) -> tuple[int | None, float | None]:
        """Return the highest step, and how many there are a second."""
        latest = max(
            (one for one in stats.values() if one.step_max is not None),
            key=lambda one: (one.step_max or 0, one.last_time_us),
            default=None,
        )
        if latest is None or latest.step_max is None:
            return None, None
        place = (latest.last_time_us, latest.step_max)
        if not self._speed or self._speed[-1][1] != place[1]:
            self._speed.append(place)
        while len(self._speed) > 2 and place[0] - self._speed[0][0] > _SPEED_US:
            self._speed.popleft()
        begun = self._speed[0]
        if run.status != "running" or len(self._speed) < 2:
            begun = (parse_timestamp(run.created_at), 0)
        seconds = (place[0] - begun[0]) / 1e6
        return place[1], (place[1] - begun[1]) / seconds if seconds > 0 else None

    # -- metrics -------------------------------------------------------------------------------

    def _read_metrics(self, stats: Mapping[str, KeyStats], most: int | None) -> tuple[Metric, ...]:
        own = [key for key in stats if not key.startswith(SYSTEM_PREFIX)]
        wanted = [key for key in self._keys if key in stats] if self._keys else own or list(stats)
        if set(wanted) - set(self._metrics):
            self._directions = self._read_directions(wanted)
        for place, key in enumerate(wanted):
            known = self._metrics.get(key)
            is_drawn = most is None or place < most
            if known is None or known.count != stats[key].count or (is_drawn and not known.cells):
                self._metrics[key] = self._read_metric(stats[key], is_drawn=is_drawn)
        return tuple(self._metrics[key] for key in wanted)

    def _read_directions(self, keys: Sequence[str]) -> Mapping[str, str]:
        from quark.analyzers.metric_directions import metric_directions
        from quark.records import MetricDefinitionRecord

        told = self._asked.store.records.read(MetricDefinitionRecord, self._asked.run_id)
        return metric_directions(keys, told)

    def _read_metric(self, stats: KeyStats, *, is_drawn: bool) -> Metric:
        metric = Metric(
            key=stats.key,
            count=stats.count,
            last_step=stats.last_step,
            last=stats.last_value,
            low=math.nan,
            high=math.nan,
            best=None,
            nonfinite_count=stats.nonfinite_count,
        )
        if not is_drawn:
            return metric
        try:
            found = self._asked.store.points.buckets(self._asked.run_id, stats.key, CELLS)
        except RunNotFoundError:
            return metric
        if len(found.count) == 0:  # points without steps
            return replace(metric, low=stats.last_value, high=stats.last_value, cells=(math.nan,))
        lows = [one for one in found.minimum.tolist() if math.isfinite(one)]
        highs = [one for one in found.maximum.tolist() if math.isfinite(one)]
        low, high = min(lows, default=math.nan), max(highs, default=math.nan)
        direction = self._directions.get(stats.key)
        best = {"at_most": low, "at_least": high}.get(direction or "")
        return replace(metric, low=low, high=high, best=best, cells=tuple(found.mean.tolist()))

    # -- records -------------------------------------------------------------------------------

    def _with_records(self, seen: Seen, counts: Mapping[str, int]) -> Seen:
        """Add alerts, phases and the machine, read anew where there are more of them."""
        before, store, run_id = self._seen, self._asked.store, self._asked.run_id
        now = {kind: counts.get(kind, 0) for kind in _KINDS}
        changed = {kind for kind in _KINDS if now[kind] != self._counts.get(kind)}
        self._counts = now
        found: dict[str, Any] = {
            "alerts": before.alerts if before else (),
            "phases": before.phases if before else (),
            "system": before.system if before else None,
        }
        if changed & {"alert", "phase", "analysis"}:
            from quark.analyzers.outputs import current_outputs
            from quark.cli.alerts import by_severity
            from quark.records import AlertRecord, PhaseRecord

            found["alerts"] = tuple(
                by_severity(current_outputs(store, run_id, AlertRecord, "alerts"))
            )
            found["phases"] = current_outputs(store, run_id, PhaseRecord, "phases")
        if "system_telemetry" in changed:
            from quark.records import SystemTelemetryRecord
            from quark.storage.model import RecordFilter, StepRange

            last = RecordFilter(steps=StepRange(limit=1))
            records = store.records.read(SystemTelemetryRecord, run_id, last)
            found["system"] = records[-1] if records else None
        return replace(seen, **found)


def _without_speed(seen: Seen) -> tuple[Any, ...]:
    """Return what counts as a change."""
    return (
        seen.run.status,
        seen.run.tags,
        seen.run.name,
        seen.step,
        tuple((one.key, one.count) for one in seen.metrics),
        tuple(one.id for one in seen.alerts),
        tuple(one.id for one in seen.phases),
        None if seen.system is None else seen.system.id,
        seen.stop_asked_by,
    )
