"""What analyses left in a run: which of their records count, and how new ones are written.

The store only ever grows. An analysis writes its records and then one
:class:`~quark.records.AnalysisRecord`; with that they count, and with ``replaces_existing`` those
of earlier analyses do so no longer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from quark import ids
from quark.records import AnalysisRecord, Record
from quark.storage.judgements import counting_analyses
from quark.storage.model import RecordFilter

if TYPE_CHECKING:
    from quark.storage.protocols import Store

R = TypeVar("R", bound=Record)


class OutputWriter(Protocol):
    """What takes the records of an analysis: of a session, a run's handle."""

    run_id: str

    def emit(self, kind: type[R], **fields: Any) -> R:
        """Keep a record of ``kind`` and return it."""
        ...


def new_analysis_id() -> str:
    """Return an id that no other analysis has."""
    return f"analysis_{ids.random_id(12)}"


def write_outputs(
    writer: OutputWriter, kind: type[R], rows: Iterable[Mapping[str, Any]]
) -> tuple[R, ...]:
    """Write records of one analysis; they count once it is closed."""
    return tuple(
        writer.emit(kind, **{name: value for name, value in row.items() if name != "step"})
        for row in rows
    )


def close_analysis(
    writer: OutputWriter,
    family: str,
    analysis_id: str,
    *,
    replaces_existing: bool,
    output_count: int,
    metadata: Mapping[str, Any] | None = None,
) -> AnalysisRecord:
    """Have the records of an analysis count from now on."""
    return writer.emit(
        AnalysisRecord,
        family=family,
        analysis_id=analysis_id,
        replaces_existing=replaces_existing,
        output_count=output_count,
        metadata=dict(metadata or {}),
    )


def current_outputs(
    store: Store,
    run_id: str,
    kind: type[R],
    family: str,
    equals: Mapping[str, Any] | None = None,
) -> tuple[R, ...]:
    """Return the records of ``kind`` that count now, in order of arrival.

    Those that no analysis of Quark's wrote always count.
    """
    analyses = store.records.read(AnalysisRecord, run_id, RecordFilter(equals={"family": family}))
    current = counting_analyses((one.analysis_id, one.replaces_existing) for one in analyses)
    found = store.records.read(kind, run_id, RecordFilter(equals=dict(equals or {})))
    return tuple(one for one in found if _analysis_of(one) in (None, *current))


def within_steps(
    found: Sequence[R],
    step: int | None = None,
    step_min: int | None = None,
    step_max: int | None = None,
    limit: int | None = None,
) -> tuple[R, ...]:
    """Return the records whose range of steps meets what is asked for; ``limit`` keeps the first.

    A record that is tied to no step is outside of every filter that is set.
    """
    low = step if step is not None else step_min
    high = step if step is not None else step_max
    if low is not None or high is not None:
        found = [one for one in found if _meets(one, low, high)]
    return tuple(found if limit is None else found[:limit])


def _meets(record: Any, low: int | None, high: int | None) -> bool:
    start, end = record.step_start, record.step_end
    if start is None and end is None:
        return False
    start = end if start is None else start
    end = start if end is None else end
    return (low is None or end >= low) and (high is None or start <= high)


def _analysis_of(record: Any) -> str | None:
    found = record.metadata.get("analysis_id")
    return None if found is None else str(found)
