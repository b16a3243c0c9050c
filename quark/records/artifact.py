"""A stored payload's metadata; the payload itself rests in the blob store under its SHA-256."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from quark.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactRecord(Record):
    """Identity, place, size and digest of one payload."""

    KIND: ClassVar[str] = "artifact"
    ESSENTIAL: ClassVar[bool] = True
    FILTERS: ClassVar[tuple[str, ...]] = (
        "artifact_type",
        "namespace",
        "artifact_name",
        "artifact_key",
        "payload_format",
    )

    artifact_type: str
    artifact_key: str  # namespace + "/" + artifact_name
    namespace: str | None = None
    artifact_name: str
    payload_format: str  # "json", "text" or "bytes"
    payload_relative_path: str = ""
    metadata_relative_path: str = ""
    size_bytes: int = 0
    sha256: str = ""
    step: int | None = None
    epoch: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
