"""The files of an artifact as ``artifact.files()`` gives them."""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING

from quark.compat.wandb.api_lists import Listed
from quark.compat.wandb.symbols import refuse_attribute

if TYPE_CHECKING:
    from quark.compat.wandb.artifacts.entry import ArtifactManifestEntry
    from quark.compat.wandb.artifacts.files import StoredFiles


class ArtifactFile:
    """One file of an artifact."""

    def __init__(self, artifact: StoredFiles, entry: ArtifactManifestEntry) -> None:
        self._artifact = artifact
        self._entry = entry

    @property
    def name(self) -> str:
        return self._entry.path

    @property
    def id(self) -> str:
        return self._entry.path

    @property
    def size(self) -> int:
        """In bytes."""
        return self._entry.size or 0

    @property
    def md5(self) -> str:
        """The digest, in base64."""
        return self._entry.digest

    @property
    def digest(self) -> str:
        return self._entry.digest

    @property
    def mimetype(self) -> str:
        return mimetypes.guess_type(self.name)[0] or "application/octet-stream"

    @property
    def updated_at(self) -> str:
        return self._artifact.created_at

    def download(self, root: str = ".", replace: bool = False, exist_ok: bool = False) -> IO[str]:
        """Write the file below ``root``; return it, open for reading."""
        return open(self._artifact._write_entry(self._entry, root))

    def __getattr__(self, name: str) -> object:
        raise refuse_attribute("Api file", name)

    def __repr__(self) -> str:
        return f"<File {self.name}>"


class ArtifactFiles(Listed[ArtifactFile]):
    """Files of an artifact, by name."""


def artifact_files(artifact: StoredFiles, names: Sequence[str] | None) -> ArtifactFiles:
    """Return the files of an artifact, all or those of some names."""
    entries = sorted(artifact.manifest.entries.items())
    return ArtifactFiles(
        [ArtifactFile(artifact, entry) for path, entry in entries if not names or path in names]
    )
