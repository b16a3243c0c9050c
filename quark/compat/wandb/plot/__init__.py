"""Charts: ``wandb.plot``. Each gives a value to log; the table in it has its data."""

from importlib import import_module
from types import ModuleType

from quark.compat.wandb.plot.charts import (
    CustomChart as CustomChart,
    CustomChartSpec as CustomChartSpec,
    Visualize as Visualize,
    plot_table as plot_table,
    visualize as visualize,
)
from quark.compat.wandb.plot.confusion import confusion_matrix as confusion_matrix
from quark.compat.wandb.plot.curves import pr_curve as pr_curve, roc_curve as roc_curve
from quark.compat.wandb.plot.drawn import (
    bar as bar,
    histogram as histogram,
    line as line,
    line_series as line_series,
    scatter as scatter,
)


def __getattr__(name: str) -> ModuleType:
    """Return the modules of W&B's that have other names here."""
    if name in ("custom_chart", "viz"):
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
