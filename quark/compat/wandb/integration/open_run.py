"""The run that a callback logs into."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from quark.compat import wandb
from quark.compat.wandb.errors import Error

if TYPE_CHECKING:
    from quark.compat.wandb.run import Run


def open_run(asker: str) -> Run:
    """Return the run that is open.

    Raises:
        Error: None is.
    """
    run = wandb.run
    if run is None:
        raise Error(f"No run is open: call wandb.init() before {asker}.")
    return run


def log_model_file(path: Path, name: str, *aliases: str) -> None:
    """Log a file as a version of the artifact ``name`` of type ``model``."""
    artifact = wandb.Artifact(name=name, type="model")
    artifact.add_file(str(path))
    wandb.log_artifact(artifact, aliases=list(aliases) or None)


def importance_chart(rows: list[list[Any]]) -> Any:
    """Return the bar chart of features and their importance."""
    table = wandb.Table(columns=["Feature", "Importance"], data=rows)
    return wandb.plot.bar(table, "Feature", "Importance", title="Feature Importance")
