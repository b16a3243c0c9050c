"""Where artifacts are kept: the store of the open run, else the one that a new run would use."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from quark.catalog.adding import FileTaker, entry_of
from quark.catalog.manifest import ManifestEntry
from quark.catalog.model import CollectionKey
from quark.catalog.reading import workspaces_of
from quark.compat.wandb import current
from quark.compat.wandb.environment import process_settings
from quark.compat.wandb.errors import CommError
from quark.compat.wandb.place import quark_settings
from quark.compat.wandb.reading import reading
from quark.compat.wandb.settings import KNOWN, Settings
from quark.errors import DamagedFileError, SessionStoreError
from quark.session.places import local_root
from quark.settings import Settings as QuarkSettings
from quark.storage.file_copy import digest_file

if TYPE_CHECKING:
    from quark.compat.wandb.artifacts.rules import ArtifactPath
    from quark.compat.wandb.run import Run
    from quark.storage.protocols import Store

DEFAULT_PROJECT = "uncategorized"


class Place:
    """A store, opened for each use, and what a path that does not say it all means there."""

    def __init__(self, where: QuarkSettings, project: str | None, *, keeps: bool = True) -> None:
        self.where = where
        self.project = project or DEFAULT_PROJECT
        self.keeps = keeps  # False where nothing is to be kept

    @classmethod
    def of_run(cls, run: Run) -> Place:
        """Return where the artifacts of a run are."""
        return cls(run._session.handle.settings, run.project)  # type: ignore[union-attr]

    @classmethod
    def now(cls) -> Place:
        """Return where an artifact that is made now will probably be logged to."""
        run = current.bound_run() or next(reversed(current.open_runs()), None)
        if run is not None and not run.disabled:
            return cls.of_run(run)
        wanted = Settings()
        wanted.update({name: value for name, value in process_settings().items() if name in KNOWN})
        keeps = run is None and wanted.mode != "disabled"
        return cls(quark_settings(wanted), wanted.project, keeps=keeps)

    @property
    def workspace(self) -> str:
        return self.where.workspace

    @property
    def root(self) -> Path:
        """The folder of the store, or of what of it is on this machine."""
        return local_root(self.where)

    def key(self, path: ArtifactPath) -> CollectionKey:
        """Return the collection that a path means."""
        project = path.project or self.project
        return CollectionKey(path.entity or self.workspace_of(project), project, path.name)

    def workspace_of(self, project: str) -> str:
        """Return where a project is whose workspace was not said: here, or in the only other one
        that has artifacts in a project of this name."""
        with self.opened() as store:
            found = workspaces_of(store, project)
        return found[0] if len(found) == 1 else self.workspace

    @contextlib.contextmanager
    def opened(self) -> Iterator[Store]:
        """Give the store.

        Raises:
            CommError: It does not answer, or what is asked for is not there.
        """
        try:
            with reading(self.where) as store:
                yield store
        except (SessionStoreError, DamagedFileError) as error:
            raise CommError(str(error)) from error

    def take(self, files: Sequence[tuple[str, Path]]) -> tuple[list[ManifestEntry], frozenset[str]]:
        """Put files into the store; return their entries, and what has to be synced yet.

        Raises:
            OSError: A file cannot be read.
            SchemaValidationError: A file is being written all the time; also a ValueError.
        """
        if not self.keeps:
            return [entry_of(name, digest_file(path)) for name, path in files], frozenset()
        with self.opened() as store, FileTaker(store.blobs, self.root) as taker:
            return taker.take_all(files), frozenset(taker.taken)
