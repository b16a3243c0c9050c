"""What a run's own records say of the versions that it logged and used."""

from __future__ import annotations

from typing import Any

from quark.catalog.model import Version


def told(version: Version, what: str) -> tuple[str, dict[str, Any]]:
    """Return the type and the payload of the event that says that a version was ``what``: logged,
    or used."""
    payload = {
        "artifact": f"{version.source}:v{version.source_index}",
        "artifact_type": version.type,
        "digest": version.digest,
        "id": version.id,
        "size_bytes": version.size_bytes,
    }
    return f"artifact_{what}", payload
