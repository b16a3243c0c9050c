"""Histograms of a parameter over the steps of a run, brought onto one axis.

They come from ``ParameterDiagnostics`` as records of their own, and from ``wandb.watch`` as values
of history rows, as W&B has them; each has bins of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from quark.dashboard.views.heat import rounded
from quark.records import HistoryValueRecord, ParameterDistributionRecord
from quark.storage.model import RecordFilter, StepRange

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quark.storage.protocols import Store

KINDS = ("value", "gradient", "update")
_KEYS = {"value": "parameters/", "gradient": "gradients/"}
#: What ``wandb.watch`` puts before the names of the parameters of further models.
_PREFIXES = ("", *(f"graph_{number}" for number in range(1, 9)))
#: Shares of a histogram that lie below the lines drawn through the picture.
_QUANTILES = (0.05, 0.5, 0.95)


class Histogram(NamedTuple):
    """``edges`` ascends and has one element more than ``counts``; both edges of a bin may be the
    same, where all elements are equal."""

    step: int
    edges: NDArray[np.float64]
    counts: NDArray[np.float64]


def available(
    store: Store, run_id: str, module: str, parameters: Sequence[str]
) -> list[dict[str, str]]:
    """Return of which parameters of a module there are histograms, and of what of them."""
    found: dict[tuple[str, str], None] = {}
    counts = store.records.count(run_id)
    if counts.get("parameter_distribution"):
        where = RecordFilter(steps=StepRange(limit=400), equals={"module_name": module})
        for one in store.records.read(ParameterDistributionRecord, run_id, where):
            found[_full(one), one.distribution_type] = None
    if counts.get("history_value"):
        keys = {_key(kind, name, n): (name, kind) for name in parameters for kind in _KEYS
                for n in range(len(_PREFIXES))}  # fmt: skip
        where = RecordFilter(steps=StepRange(limit=400), equals={"key": tuple(keys)})
        if keys:
            for value in store.records.read(HistoryValueRecord, run_id, where):
                if _of_value(value) is not None:
                    found[keys[value.key]] = None
    order = {name: place for place, name in enumerate(parameters)}
    pairs = sorted(found, key=lambda one: (order.get(one[0], len(order)), KINDS.index(one[1])))
    return [{"parameter": name, "kind": kind} for name, kind in pairs]


def distribution_of(
    store: Store,
    run_id: str,
    module: str,
    parameter: str,
    kind: str,
    *,
    columns: int,
    bins: int,
) -> dict[str, Any]:
    """Return histograms as columns of a picture: which share of the elements is in which bin.

    Raises:
        RunNotFoundError: There is no such run.
    """
    found = sorted(_read(store, run_id, module, parameter, kind), key=lambda one: one.step)
    total = len(found)
    if total > columns:
        places = np.unique(np.linspace(0, total - 1, columns).round().astype(np.int64))
        found = [found[place] for place in places.tolist()]
    return picture_of(found, total, bins)


def picture_of(found: Sequence[Histogram], total: int, bins: int) -> dict[str, Any]:
    """Return histograms, in the order of their steps, as columns of a picture.

    Args:
        total: How many there are, of which these were chosen.
        bins: How many rows the picture has.
    """
    if not found:
        return {"steps": [], "share": [], "edges": [], "quantiles": [], "total": 0, "is_cut": False}
    low, high = bounds(found)
    edges = np.linspace(low, high, bins + 1)
    share = np.array([rebinned(one, edges) for one in found])
    outside = any(one.edges[0] < low or one.edges[-1] > high for one in found)
    return {
        "steps": [one.step for one in found],
        "edges": edges.tolist(),
        "share": rounded(share),
        "quantiles": rounded(np.array([quantiles(one) for one in found]), 5),
        "total": total,
        "is_cut": outside,
    }


def bounds(found: Sequence[Histogram]) -> tuple[float, float]:
    """Return the range that is shown: all of it, unless a few histograms are far wider."""
    lows = np.array([one.edges[0] for one in found])
    highs = np.array([one.edges[-1] for one in found])
    low, high = float(lows.min()), float(highs.max())
    usual_low, usual_high = float(np.quantile(lows, 0.05)), float(np.quantile(highs, 0.95))
    if high - low > 4 * (usual_high - usual_low) > 0:
        low, high = usual_low, usual_high
    if not low < high:
        half = abs(low) * 0.1 or 0.5
        low, high = low - half, high + half
    return low, high


def rebinned(one: Histogram, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spread a histogram over other bins, evenly within each of its own; return shares.

    What lies outside is in the first or the last bin.
    """
    below = _cumulated(one, edges[1:-1])
    return np.diff(np.concatenate(([0.0], below, [1.0])))


def quantiles(one: Histogram) -> NDArray[np.float64]:
    """Return between which values the middle 90 % lie, and the median in between."""
    total = one.counts.sum()
    if not total:
        return np.full(len(_QUANTILES), np.nan)
    summed = np.concatenate(([0.0], np.cumsum(one.counts))) / total
    keep = np.append(np.diff(summed) > 0, True)  # of equal sums the last edge
    return np.asarray(np.interp(_QUANTILES, summed[keep], one.edges[keep]))


def _cumulated(one: Histogram, at: NDArray[np.float64]) -> NDArray[np.float64]:
    total = one.counts.sum()
    if not total:
        return np.zeros(len(at))
    summed = np.concatenate(([0.0], np.cumsum(one.counts))) / total
    if one.edges[0] == one.edges[-1]:
        return np.asarray(at >= one.edges[0], np.float64)
    return np.asarray(np.interp(at, one.edges, summed))


def _read(store: Store, run_id: str, module: str, parameter: str, kind: str) -> Iterator[Histogram]:
    equals: dict[str, Any] = {"module_name": module, "distribution_type": kind}
    for one in store.records.read(ParameterDistributionRecord, run_id, RecordFilter(equals=equals)):
        if _full(one) == parameter and one.counts:
            made = histogram_of(one.step, one.bin_edges, one.counts)
            if made is not None:
                yield made
    if kind in _KEYS:
        keys = tuple(_key(kind, parameter, n) for n in range(len(_PREFIXES)))
        where = RecordFilter(equals={"key": keys})
        for value in store.records.read(HistoryValueRecord, run_id, where):
            found = _of_value(value)
            if found is not None:
                yield found


def _of_value(record: HistoryValueRecord) -> Histogram | None:
    value = record.value
    if not isinstance(value, Mapping) or value.get("_type") != "histogram":
        return None
    return histogram_of(record.step or 0, value.get("bins"), value.get("values"))


def histogram_of(step: int, edges: Any, counts: Any) -> Histogram | None:
    """Return a histogram; None if it is none: anyone may log what looks like one."""
    try:
        made = Histogram(step, np.array(edges, np.float64), np.array(counts, np.float64))
    except (TypeError, ValueError):
        return None
    shapes = (made.edges.shape, made.counts.shape)
    if made.edges.ndim != 1 or not len(made.counts) or shapes[0][0] != shapes[1][0] + 1:
        return None
    if not np.isfinite(made.edges).all() or not (np.diff(made.edges) >= 0).all():
        return None
    return made if np.isfinite(made.counts).all() and (made.counts >= 0).all() else None


def _key(kind: str, parameter: str, number: int) -> str:
    return f"{_KEYS[kind]}{_PREFIXES[number]}{parameter}"


def _full(one: ParameterDistributionRecord) -> str:
    module, name = one.module_name, one.parameter_name
    return name if not module or name.startswith(f"{module}.") else f"{module}.{name}"
