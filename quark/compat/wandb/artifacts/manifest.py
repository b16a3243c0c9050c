"""The manifest of an artifact, as scripts see it."""

from __future__ import annotations

from typing import Any

from quark.catalog.manifest import Manifest
from quark.compat.wandb.artifacts.entry import ArtifactManifestEntry


class ArtifactManifest:
    """Entries by their paths. That of an artifact that was logged must not be changed."""

    manifest_version = 1

    def __init__(self, entries: dict[str, ArtifactManifestEntry] | None = None) -> None:
        self.entries: dict[str, ArtifactManifestEntry] = dict(entries or {})

    @classmethod
    def of(cls, manifest: Manifest) -> ArtifactManifest:
        """Return a manifest of the catalog as scripts see it."""
        entries = manifest.entries.items()
        return cls({path: ArtifactManifestEntry.of(entry) for path, entry in entries})

    def kept(self) -> Manifest:
        """Return the manifest as the catalog keeps it."""
        return Manifest({path: entry.kept() for path, entry in self.entries.items()})

    @classmethod
    def version(cls) -> int:
        return cls.manifest_version

    def digest(self) -> str:
        """What tells the content of two artifacts apart, in hex; W&B has the same."""
        return self.kept().digest

    def size(self) -> int:
        """The size of all entries in bytes."""
        return sum(entry.size or 0 for entry in self.entries.values())

    def add_entry(self, entry: ArtifactManifestEntry, overwrite: bool = False) -> None:
        """Take an entry.

        Raises:
            ValueError: There is another content under its path, and not ``overwrite``.
        """
        known = self.entries.get(entry.path)
        if known is not None and known.digest != entry.digest and not overwrite:
            raise ValueError(
                f"The artifact has {entry.path!r} already, with another content. Pass "
                "overwrite=True (or merge=True for a folder) to replace it, or use another name."
            )
        self.entries[entry.path] = entry

    def remove_entry(self, entry: ArtifactManifestEntry) -> None:
        """Take an entry out.

        Raises:
            FileNotFoundError: It is not in.
        """
        if self.entries.pop(entry.path, None) is None:
            raise FileNotFoundError(f"The artifact has no {entry.path!r}.")

    def get_entry_by_path(self, path: str) -> ArtifactManifestEntry | None:
        return self.entries.get(path)

    def get_entries_in_directory(self, directory: str) -> list[ArtifactManifestEntry]:
        prefix = f"{directory}/"
        return [entry for path, entry in self.entries.items() if path.startswith(prefix)]

    def to_manifest_json(self) -> dict[str, Any]:
        """Return what W&B writes into ``wandb_manifest.json``."""
        return {
            "version": self.manifest_version,
            "storagePolicy": "wandb-storage-policy-v1",
            "storagePolicyConfig": {"storageLayout": "V2"},
            "contents": {path: _contents(entry) for path, entry in self.entries.items()},
        }

    def __len__(self) -> int:
        return len(self.entries)


def _contents(entry: ArtifactManifestEntry) -> dict[str, Any]:
    found = {
        "digest": entry.digest,
        "ref": entry.ref,
        "birthArtifactID": entry.birth_artifact_id,
        "size": entry.size,
        "extra": entry.extra or None,
    }
    return {name: value for name, value in found.items() if value is not None}
