"""``wandb.Plotly``: a figure of plotly, as its own JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from quark import jsonio
from quark._optional import available
from quark.compat.wandb.data_types import figures
from quark.compat.wandb.data_types.contents import Content
from quark.compat.wandb.data_types.file_media import FileMedia
from quark.compat.wandb.data_types.image import Image
from quark.compat.wandb.term import warn_once

_TEXT_BYTES = 4096  # a guess: how large the JSON is shows when it is written


class Plotly(FileMedia):
    """An interactive plot.

    Args:
        val: A figure of plotly, or one of matplotlib that plotly can convert.

    Raises:
        ValueError: It is neither, or it is one of matplotlib that shows images.
        MissingDependencyError: plotly is not installed.
    """

    _log_type = "plotly-file"
    _folder = "media/plotly"

    def __init__(self, val: Any) -> None:
        if not figures.is_plotly(val):
            if not figures.is_matplotlib(val):
                raise ValueError(
                    f"{type(val).__name__} is no plot: pass a figure of plotly, or one of "
                    "matplotlib."
                )
            if figures.has_images(val):
                raise ValueError(
                    "plotly cannot convert a figure of matplotlib that shows images; pass it to "
                    "wandb.Image."
                )
            val = figures.as_plotly(val)
        figure = figures.plotly_json(val)
        super().__init__(Content.made_by(lambda: _as_json(figure), _TEXT_BYTES), ".plotly.json")

    @classmethod
    def make_plot_media(cls, val: Any) -> Image | Plotly:
        """Return a figure as a plot, or as an image if it is one of matplotlib that plotly cannot
        convert."""
        if not figures.is_matplotlib(val):
            return cls(val)
        if figures.has_images(val):
            return Image(val)
        if not available("plotly"):
            warn_once(
                "figure without plotly",
                "plotly is not installed, so figures of matplotlib are kept as images. W&B would "
                "have raised.",
            )
            return Image(val)
        try:
            return cls(val)
        except figures.conversion_errors():
            return Image(val)

    @property
    def figure(self) -> Any:
        """The figure as plotly's JSON has it: ``data`` and ``layout``."""
        return jsonio.loads(self.read_bytes())


def _as_json(figure: Any) -> bytes:
    return jsonio.dumps(_plain(figure))


def _plain(value: Any) -> Any:
    """Return a part of a figure as JSON; numbers that are not finite are None, as plotly has it."""
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        listed = value.tolist()
        return _plain(listed if isinstance(listed, list) else [listed])
    return value if isinstance(value, (str, int, bool, type(None))) else jsonio.to_plain(value)
