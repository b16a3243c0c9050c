"""``wandb.Histogram``: counts between edges, as a value to log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from quark.compat.wandb.counts import count
from quark.compat.wandb.data_types.base import Source, WBValue


class Histogram(WBValue):
    """How often values lie between edges; the last range includes its upper edge.

    Args:
        sequence: Numbers: a list, numpy array or torch tensor of any shape. Numbers that are not
            finite are left out.
        np_histogram: Counts and edges that are known already, as ``numpy.histogram`` returns them.
        num_bins: How many ranges of equal width ``sequence`` is cut into, at most 512.

    Raises:
        ValueError: Too many ranges, or counts and edges that do not belong together.
        TypeError: ``sequence`` holds no numbers.

    >>> Histogram([0, 1, 1, 3], num_bins=3).to_json()
    {'_type': 'histogram', 'values': [1, 2, 1], 'bins': [0.0, 1.0, 2.0, 3.0]}
    """

    _log_type = "histogram"
    MAX_LENGTH = 512

    def __init__(
        self,
        sequence: Any = None,
        np_histogram: tuple[Sequence[float], Sequence[float]] | None = None,
        num_bins: int = 64,
    ) -> None:
        if np_histogram is not None:
            if not isinstance(np_histogram, (tuple, list)) or len(np_histogram) != 2:
                raise ValueError(
                    f"np_histogram is {np_histogram!r}, but must be a pair of counts and edges, as "
                    "numpy.histogram returns it; or pass a sequence."
                )
            counts, edges = (_plain_list(part) for part in np_histogram)
        else:
            if num_bins > self.MAX_LENGTH:
                raise ValueError(
                    f"num_bins is {num_bins}, but a histogram has at most {self.MAX_LENGTH} bins."
                )
            counts, edges = count(sequence, num_bins)
        if len(counts) > self.MAX_LENGTH:
            raise ValueError(
                f"The histogram has {len(counts)} bins, but may have at most {self.MAX_LENGTH}."
            )
        if len(counts) + 1 != len(edges):
            raise ValueError(
                f"The histogram has {len(counts)} counts and {len(edges)} edges: there must be one "
                "edge more than counts."
            )
        self.histogram: list[float] = counts
        self.bins: list[float] = edges

    def to_json(self, run: Any = None) -> dict[str, Any]:
        """Return the form in which it is kept and read back. ``run`` is not needed."""
        return {"_type": "histogram", "values": self.histogram, "bins": self.bins}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any], source: Source) -> Self:
        return cls(np_histogram=(fields["values"], fields["bins"]))

    def as_plain(self) -> dict[str, Any]:
        """Return what ``log`` keeps."""
        return {"_type": "histogram", "values": [*self.histogram], "bins": [*self.bins]}


def _plain_list(values: Any) -> list[float]:
    listed: list[float] = values.tolist() if hasattr(values, "tolist") else list(values)
    return listed
