"""Artifacts that the shim logs by itself: code, and tables that a run logs."""

from __future__ import annotations

from typing import Any

from quark.compat.wandb.artifacts.artifact import Artifact
from quark.compat.wandb.data_types.table_artifacts import artifact_name


class InternalArtifact(Artifact):
    """An artifact of any type. What its name may not hold is left out of it."""

    def __init__(
        self,
        name: str,
        type: str,
        description: str | None = None,
        metadata: dict[str, Any] | None = None,
        incremental: bool = False,
        use_as: str | None = None,
        **_: Any,
    ) -> None:
        super().__init__(artifact_name(name), type, description, metadata, incremental, use_as)

    def _checked_type(self, type: str, name: str) -> str:
        return type
