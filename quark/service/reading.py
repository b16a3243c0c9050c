"""Answers reads of points: the long ones in processes of their own.

Unpacking a long series is thousands of steps that share one interpreter with all requests of a
worker: under load it takes many times as long as alone, and holds up whoever sends points. What is
acknowledged is in the store, so a process that begins to read afterwards finds it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from quark import jsonio
from quark.clock import SYSTEM_CLOCK, Clock
from quark.errors import SchemaValidationError, SessionStoreError
from quark.persistence.wire import SERIES_TYPE
from quark.persistence.wire_series import encode_series, plain_buckets, plain_series
from quark.pipeline.faults import FaultLog
from quark.service.child_pool import AllBusyError, ChildPool
from quark.service.child_process import MAX_ASKED_BYTES, NoAnswerError
from quark.service.config import ServiceConfig
from quark.service.ingest import RunPlace
from quark.storage.chunk import CHUNK_POINTS
from quark.storage.model import EVERYTHING, Columns, StepRange
from quark.storage.packed_points import PackedPoints
from quark.storage.protocols import Store

#: Points, or ranges of them, in one answer as JSON.
MAX_JSON_POINTS = 1_000_000
#: Reading so many chunks takes about 2 ms, and asking a process less than that.
HEAVY_CHUNKS = 24
#: A process that reads for longer than this is given up; so is waiting for one that is free.
_READ_SECONDS = 60.0
_WAIT_SECONDS = 10.0
#: After a process failed, reads stay in this one for so long.
_REST_SECONDS = 5.0
_MAX_KNOWN = 4096
#: A process keeps few files open: those of a deleted run take room until it lets go of them.
_MAX_OPEN_RUNS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsAsked:
    """What is to be read of a run: series, or buckets if ``bucket_count`` is set.

    ``is_packed``: series as packed columns instead of JSON.
    """

    run_id: str
    keys: list[str]
    steps: StepRange = EVERYTHING
    columns: Columns = "all"
    is_packed: bool = False
    bucket_count: int | None = None


def read_points(store: Store, asked: PointsAsked) -> bytes:
    """Return what is asked for, as a body.

    Raises:
        SchemaValidationError: There are too many points for JSON.
    """
    points, run_id, keys, steps = store.points, asked.run_id, asked.keys, asked.steps
    if asked.bucket_count is not None:
        cut = [points.buckets(run_id, key, asked.bucket_count, steps) for key in keys]
        return jsonio.dumps({"buckets": [plain_buckets(each) for each in cut]})
    if asked.is_packed:
        found = points.many_series(run_id, keys, steps, columns=asked.columns)
        return encode_series(found.values())
    limit = MAX_JSON_POINTS + 1 if steps.limit is None else min(steps.limit, MAX_JSON_POINTS + 1)
    found = points.many_series(run_id, keys, replace(steps, limit=limit), columns=asked.columns)
    if sum(map(len, found.values())) > MAX_JSON_POINTS:
        raise SchemaValidationError(
            f"These are more than {MAX_JSON_POINTS} points, too many for JSON. Ask for the newest "
            f"with 'limit', for .../buckets, or with 'Accept: {SERIES_TYPE}'."
        )
    return jsonio.dumps({"series": [plain_series(series) for series in found.values()]})


class Reading:
    """Answers reads of points. Owns the processes, which are started when they are needed.

    Args:
        backlog_points: Tells how many points of a run wait to be packed.
        read_seconds: A process that takes longer is given up.
    """

    def __init__(
        self,
        config: ServiceConfig,
        *,
        faults: FaultLog,
        backlog_points: Callable[[RunPlace], int] = lambda place: 0,
        clock: Clock = SYSTEM_CLOCK,
        read_seconds: float = _READ_SECONDS,
    ) -> None:
        self._faults = faults
        self._backlog_points = backlog_points
        self._clock = clock
        self._read_seconds = read_seconds
        told = {"max_open_runs": min(config.max_open_runs, _MAX_OPEN_RUNS)}
        self._pool = ChildPool(
            "quark.service.reading_child", config, config.read_processes, told=told, clock=clock
        )
        self._closing = False
        self._heavy: set[int] = set()
        self._rests_until_seconds = 0.0

    def read(self, place: RunPlace, store: Store, asked: PointsAsked) -> bytes:
        """Return the body that answers a read; the caller's thread waits for it.

        Raises:
            QuarkError: What the store raised.
        """
        body = self.read_elsewhere(place, store, asked)
        return read_points(store, asked) if body is None else body

    def read_elsewhere(self, place: RunPlace, store: Store, asked: PointsAsked) -> bytes | None:
        """Return the body that a process of its own answers; None if it is better read here.

        Raises:
            QuarkError: What the store raised there.
        """
        if len(self._pool) and self._is_heavy(place, store, asked):
            return self._ask_a_child(place, asked)
        return None

    def close(self, timeout_seconds: float) -> None:
        """End the processes; who waits for what they read is told to ask again."""
        self._closing = True
        self._pool.close(timeout_seconds)

    def _is_heavy(self, place: RunPlace, store: Store, asked: PointsAsked) -> bool:
        """Say whether a read unpacks much; other engines than ours do that themselves."""
        points = store.points
        if not isinstance(points, PackedPoints) or not asked.keys:
            return False
        if self._backlog_points(place) > HEAVY_CHUNKS * CHUNK_POINTS:
            return True
        limit = asked.steps.limit
        if limit is not None and len(asked.keys) * (limit // CHUNK_POINTS + 2) < HEAVY_CHUNKS:
            return False
        # What a run has it keeps, so what was heavy is; two with one hash are a small mistake.
        known = hash((place, *asked.keys))
        if known in self._heavy:
            return True
        looked_at = asked.keys[:HEAVY_CHUNKS]
        count = points.chunk_count(asked.run_id, looked_at, at_most=HEAVY_CHUNKS)
        if count * len(asked.keys) // len(looked_at) < HEAVY_CHUNKS:
            return False
        if len(self._heavy) >= _MAX_KNOWN:
            self._heavy.clear()
        self._heavy.add(known)
        return True

    def _ask_a_child(self, place: RunPlace, asked: PointsAsked) -> bytes | None:
        """Return what a process answers, None if it is better read here."""
        if self._clock.monotonic() < self._rests_until_seconds or not _is_short(asked):
            return None
        question = [place.workspace, place.storage_dir, asdict(asked)]
        try:
            return self._pool.ask(question, self._read_seconds, wait_seconds=_WAIT_SECONDS)
        except AllBusyError:
            if self._closing:
                raise SessionStoreError("The service stops; ask again.") from None
            return None
        except NoAnswerError as error:
            if self._closing:  # reading it here would hold up the end
                raise SessionStoreError("The service stops; ask again.") from error
            self._rests_until_seconds = self._clock.monotonic() + _REST_SECONDS
            self._faults.record("points were read here, as a process that reads failed", error)
            return None


def _is_short(asked: PointsAsked) -> bool:
    """Say whether a read can be asked of a process; JSON may need six bytes for one."""
    names_bytes = sum(len(name.encode("utf-8", "replace")) for name in asked.keys)
    return 6 * names_bytes + 3 * len(asked.keys) < MAX_ASKED_BYTES - 8192
