"""Data types in artifacts: where their files go, and how they come out again."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from hashlib import md5, sha256 as new_sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from quark import jsonio
from quark.compat.wandb.data_types.base import KeptFile
from quark.compat.wandb.data_types.references import is_reference
from quark.storage.file_copy import digest_file

if TYPE_CHECKING:
    from quark.compat.wandb.artifacts.content import Content
    from quark.compat.wandb.artifacts.entry import ArtifactManifestEntry
    from quark.compat.wandb.artifacts.place import Place

_NAME_LENGTH = 20


class ArtifactKeeper:
    """The :class:`~quark.compat.wandb.data_types.base.ArtifactFiles` of one artifact."""

    def __init__(self, content: Content, *, as_wandb: bool = True) -> None:
        self._content = content
        self._as_wandb = as_wandb

    @property
    def as_wandb(self) -> bool:
        return self._as_wandb

    def keep(self, content: bytes | Path, *, folder: str, extension: str) -> KeptFile:
        if isinstance(content, Path):
            found = digest_file(content)
            path = f"{folder}/{found.md5[:_NAME_LENGTH]}{extension}"
            self._content.add_local_file(path, content, overwrite=True)
            return KeptFile(path, found.sha256, found.size_bytes)
        name = md5(content, usedforsecurity=False).hexdigest()[:_NAME_LENGTH]
        path = f"{folder}/{name}{extension}"
        self._content.add_content(path, content)
        return KeptFile(path, new_sha256(content).hexdigest(), len(content))

    def within(self, part: str) -> ArtifactKeeper:
        return self

    def keep_given(self, content: bytes | Path, given: str, *, folder: str) -> KeptFile:
        sha256, size_bytes = _digest(content)
        path = self._content.get_added_local_path_name(given)
        if path is None:
            path = f"{folder}/{sha256[:_NAME_LENGTH]}/{os.path.basename(given)}"
            if isinstance(content, Path):
                self._content.add_local_file(path, content, overwrite=True)
            else:
                self._content.add_content(path, content, given=given)
        return KeptFile(path, sha256, size_bytes)

    def keep_reference(self, url: str, *, folder: str) -> KeptFile:
        sha256, _ = _digest(url.encode())
        path = f"{folder}/{sha256[:_NAME_LENGTH]}/{os.path.basename(url)}"
        self._content.add_reference(url, path, checksum=self._as_wandb)
        return KeptFile(path, sha256, 0)

    def keep_json(self, fields: Any, path: str) -> tuple[str, str]:
        entry = self._content.manifest.entries.get(path)
        if entry is None:
            text = jsonio.python_dumps(fields, sort_keys=True).encode()
            entry = self._content.add_content(path, text)
        return entry.path, entry.digest


class ArtifactSource:
    """A :class:`~quark.compat.wandb.data_types.base.Source` of one artifact."""

    def __init__(self, place: Place, entries: Mapping[str, ArtifactManifestEntry]) -> None:
        self._place = place
        self._entries = entries

    @property
    def names(self) -> Collection[str]:
        """The paths of everything in it."""
        return self._entries.keys()

    def reference(self, path: str) -> str | None:
        """Return the URL that stands for a file, if one does."""
        entry = self._entries.get(path)
        ref = None if entry is None else entry.ref
        return ref if is_reference(ref) else None

    def open(self, path: str) -> BinaryIO:
        entry = self._entries[path]
        if entry.sha256 is None:
            raise KeyError(path)
        with self._place.opened() as store:
            return store.blobs.open(entry.sha256)


def _digest(content: bytes | Path) -> tuple[str, int]:
    if isinstance(content, bytes):
        return new_sha256(content).hexdigest(), len(content)
    found = digest_file(content)
    return found.sha256, found.size_bytes
