"""Tables, images and the like in artifacts: under which name they are, and how they are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from quark import jsonio
from quark.compat.wandb.artifacts.entry import ArtifactManifestEntry
from quark.compat.wandb.artifacts.keeping import ArtifactSource
from quark.compat.wandb.artifacts.references import source_of
from quark.compat.wandb.data_types.base import WBValue
from quark.compat.wandb.data_types.reading import class_of

if TYPE_CHECKING:
    from quark.compat.wandb.artifacts.content import Content
    from quark.compat.wandb.artifacts.files import StoredFiles

#: Kinds of objects, in the order in which a name is looked for.
KINDS = (
    *("table", "partitioned-table", "joined-table", "image-file", "audio-file", "video-file"),
    *("html-file", "object3D-file", "molecule-file", "bokeh-file", "plotly-file", "classes"),
    *("mask", "boxes2D", "bounding-boxes", "histogram", "graph-file"),
)


def with_suffix(kind: type[WBValue], name: str) -> str:
    """Return the path of the JSON of an object that is called ``name``."""
    suffix = f"{kind._log_type}.json"
    return name if name.endswith(suffix) else f"{name}.{suffix}"


def object_entry(
    entries: Mapping[str, ArtifactManifestEntry], name: str
) -> tuple[ArtifactManifestEntry | None, str]:
    """Return the entry of the object that was added under ``name``, and its ``_type``."""
    for kind in KINDS:
        suffix = f"{kind}.json"
        entry = entries.get(name if name.endswith(suffix) else f"{name}.{suffix}")
        if entry is not None:
            return entry, kind
    return None, ""


def read_object(artifact: StoredFiles, name: str) -> Any:
    """Return the object that was added under ``name``; None if there is none."""
    entry, kind = object_entry(artifact.manifest.entries, name)
    if entry is None:
        return None
    inner = source_of(entry)
    if inner is not None:
        id, path = inner
        return read_object(artifact._with_id(id), path)
    source = ArtifactSource(artifact._staging(), artifact.manifest.entries)
    with source.open(entry.path) as stream:
        fields = jsonio.python_loads(stream.read())
    named = fields.get("_type", kind) if isinstance(fields, dict) else kind
    found = class_of(str(named)).from_json(fields, source)
    object.__setattr__(found, "_artifact_source", (artifact, name))
    return found


def remember_target(value: WBValue, content: Content, path: str) -> None:
    """Note on an object which artifact it went into first."""
    if getattr(value, "_artifact_target", None) is None:
        object.__setattr__(value, "_artifact_target", (content, path))


def origin_of(value: WBValue) -> str | None:
    """Return the URL of an object that came out of a logged artifact, or is in one already."""
    artifact, name = getattr(value, "_artifact_source", None) or (None, "")
    if artifact is not None:
        url: str = artifact.get_entry(with_suffix(type(value), name)).ref_url()
        return url
    artifact, name = getattr(value, "_artifact_target", None) or (None, "")
    if artifact is None or artifact._saving is None:
        return None
    return str(artifact.wait().get_entry(name).ref_url())
