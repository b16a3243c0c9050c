"""What is in an artifact that was logged, and how it becomes files again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quark.catalog.adding import files_known_in
from quark.catalog.checkout import first_fault, remove_others
from quark.catalog.reading import read_manifest
from quark.compat.wandb.artifacts.description import Description
from quark.compat.wandb.artifacts.downloading import default_root, fetch_entry
from quark.compat.wandb.artifacts.entry import ArtifactManifestEntry
from quark.compat.wandb.artifacts.manifest import ArtifactManifest
from quark.compat.wandb.artifacts.rules import logical_path
from quark.compat.wandb.term import termwarn

if TYPE_CHECKING:
    from quark.compat.wandb.artifacts.file_list import ArtifactFiles


class StoredFiles(Description):
    """The content of a logged artifact."""

    def get_entry(self, name: str | os.PathLike[str]) -> ArtifactManifestEntry:
        """Return an entry by its path, or by the name under which an object was added.

        Raises:
            ArtifactNotLoggedError: It was not logged.
            KeyError: There is no such entry.
        """
        self._logged("get_entry")
        path = logical_path(name)
        entry = self.manifest.entries.get(path)
        if entry is None:
            from quark.compat.wandb.artifacts.objects import object_entry

            entry, _ = object_entry(self.manifest.entries, path)
        if entry is None:
            raise KeyError(f"{self.name} has no {path!r}.")
        entry._parent = self
        return entry

    def get_path(self, name: str | os.PathLike[str]) -> ArtifactManifestEntry:
        """Return an entry; the old name of :meth:`get_entry`."""
        return self.get_entry(name)

    def get(self, name: str) -> Any:
        """Return an object that was added under ``name``, e.g. a table; None if there is none.

        Raises:
            ArtifactNotLoggedError: It was not logged.
        """
        self._logged("get")
        from quark.compat.wandb.artifacts.objects import read_object

        return read_object(self, logical_path(name))

    __getitem__ = get

    def __setitem__(self, name: str, item: Any) -> ArtifactManifestEntry:
        return self.add(item, name)

    def files(
        self, names: list[str] | None = None, per_page: int = 50, start: str | None = None
    ) -> ArtifactFiles:
        """Return the files, all or those of some names.

        Raises:
            ArtifactNotLoggedError: It was not logged.
        """
        self._logged("files")
        from quark.compat.wandb.artifacts.file_list import artifact_files

        return artifact_files(self, names)

    def download(
        self,
        root: str | os.PathLike[str] | None = None,
        allow_missing_references: bool = False,
        skip_cache: bool | None = None,
        path_prefix: str | os.PathLike[str] | None = None,
        multipart: bool | None = None,
    ) -> str:
        """Write the files below ``root``, by default ``./artifacts/<name>:v<n>``; return that.

        Files that lie there already and have the right content stay as they are; others stay too.

        Raises:
            ArtifactNotLoggedError: It was not logged.
            ValueError: A reference cannot be read, or is not what it was.
        """
        self._logged("download")
        folder = os.fspath(root) if root else default_root(self.source_name)
        prefix = "" if path_prefix is None else os.fspath(path_prefix)
        known = files_known_in(self._staging().root)
        with self._staging().opened() as store:
            for path, entry in self.manifest.entries.items():
                if not path.startswith(prefix):
                    continue
                try:
                    fetch_entry(store, entry, Path(folder), known)
                except (FileNotFoundError, ValueError) as error:
                    if entry.ref is None or not allow_missing_references:
                        raise
                    termwarn(str(error))
                except (IsADirectoryError, NotADirectoryError):
                    termwarn(f"{path} was not written: a file and a folder have the same name.")
        known.flush_if_worth_it()
        return folder

    def checkout(self, root: str | None = None) -> str:
        """Write the files below ``root`` and remove everything else there; return ``root``.

        Raises:
            ArtifactNotLoggedError: It was not logged.
        """
        self._logged("checkout")
        folder = root or default_root(self.source_name.partition(":")[0])
        remove_others(self.manifest.kept(), Path(folder))
        return self.download(root=folder)

    def verify(self, root: str | None = None) -> None:
        """Compare the files below ``root`` with the artifact. References are not looked at.

        Raises:
            ArtifactNotLoggedError: It was not logged.
            ValueError: A file is missing, other than it was, or too many.
        """
        self._logged("verify")
        folder = Path(root or default_root(self.source_name))
        fault = first_fault(self.manifest.kept(), folder)
        if fault is not None:
            raise ValueError(f"{folder} is not {self.name}: {fault}.")

    def file(self, root: str | None = None) -> str:
        """Write the one file of the artifact below ``root``; return where it is.

        Raises:
            ArtifactNotLoggedError: It was not logged.
            ValueError: It has several files.
        """
        self._logged("file")
        if len(self.manifest.entries) != 1:
            raise ValueError(
                f"{self.name} has {len(self.manifest.entries)} files; use download() for all, or "
                "get_entry(name).download() for one."
            )
        return self.get_entry(next(iter(self.manifest.entries))).download(root)

    # -- inside ------------------------------------------------------------------------------

    def _with_id(self, id: str) -> StoredFiles:
        """Return another artifact of the same store."""
        raise NotImplementedError

    def _read_manifest(self) -> ArtifactManifest:
        if self._found is None:
            return super()._read_manifest()
        with self._staging().opened() as store:
            return ArtifactManifest.of(read_manifest(store, self._found))

    def _write_entry(self, entry: ArtifactManifestEntry, root: str | None) -> str:
        folder = Path(root or default_root(self.source_name))
        known = files_known_in(self._staging().root)
        with self._staging().opened() as store:
            return str(fetch_entry(store, entry, folder, known))
