"""Figures of matplotlib and plotly: told apart by where their class is from, drawn at once.

A figure belongs to the script, which closes it or draws on right after the call; so what is taken
of it is taken there and then.
"""

from __future__ import annotations

import io
import sys
from types import ModuleType
from typing import Any

from quark._optional import require
from quark.compat.wandb.values import FAULTS

_PYPLOT = "matplotlib.pyplot"


def is_matplotlib(value: Any) -> bool:
    """Say whether ``value`` is a figure, an axes or another artist of matplotlib, or pyplot."""
    if isinstance(value, ModuleType):
        return value.__name__ == _PYPLOT
    return type(value).__module__.startswith("matplotlib.") and (
        hasattr(value, "savefig") or hasattr(value, "figure")
    )


def is_plotly(value: Any) -> bool:
    """Say whether ``value`` is a figure of plotly."""
    return hasattr(value, "to_plotly_json") and any(
        base.__module__.startswith("plotly.") for base in type(value).__mro__
    )


def figure_of(value: Any) -> Any:
    """Return the figure that a matplotlib object belongs to: of pyplot, the current one.

    Raises:
        ValueError: It belongs to none.
    """
    if isinstance(value, ModuleType):
        return value.gcf()
    if hasattr(value, "savefig"):
        return value
    figure = getattr(value, "figure", None)
    if figure is None or not hasattr(figure, "savefig"):
        raise ValueError(
            f"{value!r} belongs to no figure of matplotlib; pass the figure itself, or pyplot."
        )
    return figure


def drawn(value: Any, file_type: str) -> bytes:
    """Draw the figure of a matplotlib object; return it as a file of this type."""
    buffer = io.BytesIO()
    figure_of(value).savefig(buffer, format=file_type)
    return buffer.getvalue()


def has_images(value: Any) -> bool:
    """Say whether a matplotlib figure shows images, which plotly cannot convert."""
    return any(len(axes.images) > 0 for axes in figure_of(value).axes)


def as_plotly(value: Any) -> Any:
    """Return a matplotlib figure as one of plotly's.

    Raises:
        MissingDependencyError: plotly is not installed.
        ValueError: plotly cannot convert it.
    """
    import warnings

    tools = require("plotly.tools", purpose="An interactive plot of a matplotlib figure")
    figure = figure_of(value)
    with warnings.catch_warnings():  # of what the converter leaves out
        warnings.simplefilter("ignore")
        return tools.mpl_to_plotly(figure)


def plotly_json(figure: Any) -> Any:
    """Return what a figure of plotly consists of, as its own JSON has it; nothing is shared."""
    return figure.to_plotly_json()


def conversion_errors() -> tuple[type[Exception], ...]:
    """Return what plotly's converter may raise for a figure that it cannot convert."""
    module = sys.modules.get("plotly.exceptions")
    own = getattr(module, "PlotlyError", None)
    return FAULTS if own is None else (*FAULTS, own)
