"""Data types in artifacts: where their files go, and how they come out again."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import md5, sha256
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from quark.compat.wandb.data_types.base import KeptFile
from quark.storage.file_copy import digest_file

if TYPE_CHECKING:
    from quark.compat.wandb.artifacts.content import Content
    from quark.compat.wandb.artifacts.entry import ArtifactManifestEntry
    from quark.compat.wandb.artifacts.place import Place

_NAME_LENGTH = 20


class ArtifactKeeper:
    """A :class:`~quark.compat.wandb.data_types.base.Keeper` of one artifact."""

    def __init__(self, content: Content) -> None:
        self._content = content

    def keep(self, content: bytes | Path, *, folder: str, extension: str) -> KeptFile:
        if isinstance(content, Path):
            found = digest_file(content)
            path = f"{folder}/{found.md5[:_NAME_LENGTH]}{extension}"
            self._content.add_local_file(path, content, overwrite=True)
            return KeptFile(path, found.sha256, found.size_bytes)
        name = md5(content, usedforsecurity=False).hexdigest()[:_NAME_LENGTH]
        path = f"{folder}/{name}{extension}"
        self._content.add_content(path, content)
        return KeptFile(path, sha256(content).hexdigest(), len(content))

    def within(self, part: str) -> ArtifactKeeper:
        return self


class ArtifactSource:
    """A :class:`~quark.compat.wandb.data_types.base.Source` of one artifact."""

    def __init__(self, place: Place, entries: Mapping[str, ArtifactManifestEntry]) -> None:
        self._place = place
        self._entries = entries

    @property
    def names(self) -> Collection[str]:
        """The paths of everything in it."""
        return self._entries.keys()

    def open(self, path: str) -> BinaryIO:
        entry = self._entries[path]
        if entry.sha256 is None:
            raise KeyError(path)
        with self._place.opened() as store:
            return store.blobs.open(entry.sha256)
