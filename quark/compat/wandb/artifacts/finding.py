"""Artifacts by their names."""

from __future__ import annotations

from quark.catalog.model import LATEST
from quark.catalog.reading import get_version
from quark.compat.wandb.artifacts.artifact import Artifact
from quark.compat.wandb.artifacts.exceptions import ArtifactLookupError
from quark.compat.wandb.artifacts.place import Place
from quark.compat.wandb.artifacts.rules import ArtifactPath
from quark.compat.wandb.errors import CommError


def artifact_by_name(place: Place, name: str, type: str | None = None) -> Artifact:
    """Return the artifact ``entity/project/name:alias``, of which the end is enough.

    Raises:
        ArtifactLookupError: There is none, or it has another type; a CommError and a ValueError.
        ValueError: ``name`` is no path of an artifact.
    """
    path = ArtifactPath.parse(name)
    try:
        key = place.key(path)
        with place.opened() as store:
            version = get_version(store, key, path.alias or LATEST)
    except CommError as error:
        raise ArtifactLookupError(str(error)) from error
    if type is not None and version.type != type:
        raise ArtifactLookupError(
            f"The artifact {name!r} is of type {version.type!r}, not of type {type!r}."
        )
    return Artifact.of_version(place, version)
