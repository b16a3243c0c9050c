"""``wandb.sacred``: the observer for Sacred."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quark.compat import wandb
from quark.compat.wandb.integration.requirement import library

_Base: Any = library("sacred.observers", integration="sacred").RunObserver


class WandbObserver(_Base):  # type: ignore[misc]
    """Keeps an experiment's configuration, metrics, artifacts and result in a run.

    Args:
        keywords: The arguments of ``wandb.init``, which is called at once.
    """

    def __init__(self, **keywords: Any) -> None:
        super().__init__()
        self.run: Any = wandb.init(**keywords)
        self.resources: list[str] = []

    def started_event(
        self,
        ex_info: Any,
        command: Any,
        host_info: Any,
        start_time: Any,
        config: Mapping[str, Any],
        meta_info: Any,
        _id: Any,
    ) -> None:
        """Take the configuration."""
        self.run.config.update({**config, "resources": []}, allow_val_change=True)

    def completed_event(self, stop_time: Any, result: Any) -> None:
        """Log the result: numbers as ``result_<n>``, dicts as rows."""
        if result is None:
            return
        for number, part in enumerate(result if isinstance(result, tuple) else (result,)):
            if isinstance(part, Mapping):
                self.run.log(dict(part))
            elif isinstance(part, (int, float)):
                self.run.log({f"result_{number}": float(part)})
            else:
                self.run.log({f"result_{number}": _value(part)})

    def artifact_event(
        self, name: str, filename: Any, metadata: Any = None, content_type: str | None = None
    ) -> None:
        """Log a file as an artifact."""
        artifact = wandb.Artifact(name, type=content_type or "file", metadata=metadata or {})
        artifact.add_file(str(filename))
        self.run.log_artifact(artifact)

    def resource_event(self, filename: Any) -> None:
        """Put a file that was opened into the config."""
        self.resources.append(str(filename))
        self.run.config.update({"resources": list(self.resources)}, allow_val_change=True)

    def log_metrics(self, metrics_by_name: Mapping[str, Mapping[str, Any]], info: Any) -> None:
        """Log one row for each value."""
        for name, metric in metrics_by_name.items():
            for value in metric["values"]:
                self.run.log({name: _value(value)})


def _value(value: Any) -> Any:
    """Return what to log: arrays of two dimensions and more as an image."""
    return wandb.Image(value) if getattr(value, "ndim", 0) >= 2 else value
