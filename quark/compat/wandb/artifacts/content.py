"""What is put into an artifact before it is logged.

A file is copied into the store when it is added, in one pass and without reading it where it is
known and did not change; so it may be changed or removed afterwards. That is also when a large file
takes its time. Logging the artifact then costs next to nothing.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Any

from quark import jsonio
from quark.catalog.manifest import ManifestEntry, as_base64
from quark.catalog.staging import Staging, staging_in
from quark.compat.wandb.artifacts.entry import ArtifactManifestEntry
from quark.compat.wandb.artifacts.exceptions import ArtifactFinalizedError
from quark.compat.wandb.artifacts.manifest import ArtifactManifest
from quark.compat.wandb.artifacts.place import Place
from quark.compat.wandb.artifacts.rules import check_path, logical_path
from quark.compat.wandb.data_types.base import Media

POLICIES = ("mutable", "immutable")
_TABLES = "media/tables"


class Content:
    """The entries of an artifact that is being made."""

    def __init__(self) -> None:
        self._final = False
        self._place: Place | None = None  # where its files are; None before the first
        self._staged: Staging | None = None  # so that what is added stays until it is logged
        self._contents: ArtifactManifest | None = ArtifactManifest()
        self._unsynced: set[str] = set()
        self._added_objects: dict[int, tuple[Media, ArtifactManifestEntry]] = {}
        self._added_paths: dict[str, ArtifactManifestEntry] = {}
        self._new_files: set[str] = set()

    @property
    def manifest(self) -> ArtifactManifest:
        """What the artifact consists of."""
        if self._contents is None:
            self._contents = self._read_manifest()
        return self._contents

    def finalize(self) -> None:
        """Let nothing be added any more; logging the artifact does this too."""
        self._final = True

    # -- files -------------------------------------------------------------------------------

    def add_file(
        self,
        local_path: str | os.PathLike[str],
        name: str | os.PathLike[str] | None = None,
        is_tmp: bool | None = False,
        skip_cache: bool | None = False,
        policy: str | None = "mutable",
        overwrite: bool = False,
    ) -> ArtifactManifestEntry:
        """Add a file as it is now; return its entry.

        Args:
            name: Its path in the artifact; by default the file's own name.
            is_tmp: Call it by its digest, in the folder of ``name``.
            skip_cache: Accepted; there is no cache between.
            policy: ``"mutable"`` or ``"immutable"``: the file is copied either way.
            overwrite: Replace another content of this name.

        Raises:
            ArtifactFinalizedError: The artifact was logged.
            ValueError: There is no such file, it is there with another content, or is being
                written all the time.
        """
        self._check_draft("add_file")
        _check_policy(policy)
        path = Path(local_path)
        if not path.is_file():
            raise ValueError(f"{os.fspath(local_path)!r} is no file.")
        wanted = logical_path(name or path.name)
        return self.add_local_file(
            wanted, path, overwrite=overwrite, by_digest=bool(is_tmp), skip_cache=skip_cache
        )

    def add_dir(
        self,
        local_path: str | os.PathLike[str],
        name: str | None = None,
        skip_cache: bool | None = False,
        policy: str | None = "mutable",
        merge: bool = False,
    ) -> None:
        """Add all files below a folder as they are now; links to folders are followed.

        Args:
            name: Where they are in the artifact; by default at its root.
            skip_cache: Accepted; there is no cache between.
            policy: ``"mutable"`` or ``"immutable"``: files are copied either way.
            merge: Replace other contents of the same names.

        Raises:
            ArtifactFinalizedError: The artifact was logged.
            ValueError: There is no such folder, or a file is there with another content.
        """
        self._check_draft("add_dir")
        _check_policy(policy)
        root = os.fspath(local_path)
        if not os.path.isdir(root):
            raise ValueError(f"{root!r} is no folder.")
        files = []
        for folder, _, names in os.walk(root, followlinks=True):
            for file in names:
                found = os.path.join(folder, file)
                inside = os.path.join(name or "", os.path.relpath(found, root))
                files.append((check_path(inside), Path(found)))
        entries, unsynced = self._adding().take(files)
        self._unsynced |= unsynced
        for entry, (_, path) in zip(entries, files, strict=True):
            self._take_entry(entry, path, overwrite=merge, skip_cache=skip_cache)

    @contextlib.contextmanager
    def new_file(
        self,
        name: str,
        mode: str = "x",
        encoding: str | None = None,
        policy: str = "mutable",
    ) -> Iterator[IO[Any]]:
        """Give a file to write; it is added when it is closed, and not if that is by an exception.

        Args:
            name: Its path in the artifact.
            mode: ``"x"`` or ``"w"``, with ``"b"`` for bytes; ``"w"`` replaces what is there.

        Raises:
            ArtifactFinalizedError: The artifact was logged.
            ValueError: The name is taken, or no path.
        """
        self._check_draft("new_file")
        _check_policy(policy)
        inside = check_path(name)
        if "x" in mode and inside in self._new_files:
            raise ValueError(f"The artifact has a new file {name!r} already; use mode='w'.")
        self._new_files.add(inside)
        import tempfile  # only who writes into artifacts needs it

        with tempfile.TemporaryDirectory(prefix="quark-artifact-") as folder:
            path = Path(folder, "content")
            with path.open(mode, encoding=encoding) as file:
                yield file
            self.add_local_file(inside, path, overwrite="x" not in mode, here=False)

    def add_local_file(
        self,
        name: str,
        path: Path,
        *,
        overwrite: bool = False,
        by_digest: bool = False,
        here: bool = True,
        skip_cache: bool | None = False,
    ) -> ArtifactManifestEntry:
        """Add a file under a path in the artifact, or beside that under its digest.

        ``here``: whether the file is still there afterwards.
        """
        (entry,), unsynced = self._adding().take([(name, path)])
        self._unsynced |= unsynced
        if by_digest:
            entry = _called_by_digest(entry)
        return self._take_entry(
            entry, path if here else None, overwrite=overwrite, skip_cache=skip_cache
        )

    def add_content(
        self, name: str, content: bytes, *, given: str | None = None
    ) -> ArtifactManifestEntry:
        """Add bytes under a path in the artifact, in the place of what is there.

        ``given``: the path of the script's file that they are from.
        """
        import hashlib

        digest = as_base64(hashlib.md5(content, usedforsecurity=False).hexdigest())
        place, found = self._adding(), hashlib.sha256(content).hexdigest()
        if place.keeps:
            with place.opened() as store:
                found, _ = store.blobs.put(content)
        entry = ManifestEntry(path=name, digest=digest, size_bytes=len(content), sha256=found)
        return self._take_entry(entry, None if given is None else Path(given), overwrite=True)

    # -- objects and references --------------------------------------------------------------

    def add(
        self, obj: Any, name: str | os.PathLike[str], overwrite: bool = False
    ) -> ArtifactManifestEntry:
        """Add a table, an image or another value with files; return the entry of its JSON.

        Raises:
            ArtifactFinalizedError: The artifact was logged.
            TypeError: ``obj`` is no such value.
        """
        self._check_draft("add")
        if not isinstance(obj, Media):
            raise TypeError(
                f"A {type(obj).__name__} cannot be added to an artifact; add a wandb.Table, an "
                "Image, Audio, Video, Html, Object3D, Molecule or Classes, or write it to a file."
            )
        if id(obj) in self._added_objects:
            return self._added_objects[id(obj)][1]
        from quark.compat.wandb.artifacts.keeping import ArtifactKeeper
        from quark.compat.wandb.artifacts.objects import origin_of, remember_target, with_suffix

        wanted = with_suffix(type(obj), logical_path(name))
        origin = origin_of(obj)
        if origin is not None:
            return self.add_reference(origin, wanted)[0]
        fields = obj.in_artifact(ArtifactKeeper(self))  # which may add others
        known = self.manifest.entries.get(wanted)
        if known is not None and not overwrite:
            return known
        text = jsonio.python_dumps(fields, sort_keys=True).encode()
        entry = self.add_content(check_path(wanted), text)
        if wanted.startswith(_TABLES):
            del self.manifest.entries[entry.path]
            entry = self._take_entry(_called_by_digest(entry.kept()), None, overwrite=True)
        self._added_objects[id(obj)] = (obj, entry)  # kept, so that its id is not used again
        remember_target(obj, self, entry.path)
        return entry

    def add_reference(
        self,
        uri: ArtifactManifestEntry | str,
        name: str | os.PathLike[str] | None = None,
        checksum: bool = True,
        max_objects: int | None = None,
    ) -> Sequence[ArtifactManifestEntry]:
        """Add a reference to what is kept elsewhere; return its entries.

        Args:
            uri: ``file://``, ``http(s)://``, ``s3://``, ``gs://``, or the entry of an artifact.
            name: Its path in the artifact.
            checksum: Look at the content, so that a change of it makes a new version.
            max_objects: How many files a folder may have.

        Raises:
            ArtifactFinalizedError: The artifact was logged.
            ValueError: ``uri`` is no URI, or leads to nothing.
        """
        from quark.compat.wandb.artifacts.references import entries_of

        self._check_draft("add_reference")
        text = uri.ref_url() if isinstance(uri, ArtifactManifestEntry) else os.fspath(uri)
        wanted = None if name is None else logical_path(name)
        entries = entries_of(
            text, wanted, self._staging(), checksum=checksum, max_objects=max_objects
        )
        for entry in entries:
            self.manifest.add_entry(entry)
        return entries

    def remove(self, item: str | os.PathLike[str] | ArtifactManifestEntry) -> None:
        """Take out an entry, a file by its path, or all files of a folder.

        Raises:
            ArtifactFinalizedError: The artifact was logged.
            FileNotFoundError: There is no such thing in it.
        """
        self._check_draft("remove")
        manifest = self.manifest
        if isinstance(item, ArtifactManifestEntry):
            manifest.remove_entry(item)
            return
        path = str(PurePosixPath(item))
        entry = manifest.get_entry_by_path(path)
        entries = [entry] if entry else manifest.get_entries_in_directory(path)
        if not entries:
            raise FileNotFoundError(f"The artifact has no file and no folder {path!r}.")
        for found in entries:
            manifest.remove_entry(found)

    def get_added_local_path_name(self, local_path: str | os.PathLike[str]) -> str | None:
        """Return the path in the artifact of a file that was added; None if it was not."""
        entry = self._added_paths.get(os.fspath(local_path))
        return None if entry is None else entry.path

    # -- inside ------------------------------------------------------------------------------

    def _read_manifest(self) -> ArtifactManifest:
        """Return what a logged artifact consists of; overridden where there is one."""
        return ArtifactManifest()

    def _check_draft(self, call: str) -> None:
        if self._final:
            raise ArtifactFinalizedError(f"Artifact.{call}", self)

    def _staging(self) -> Place:
        if self._place is None:
            self._place = Place.now()
        return self._place

    def _adding(self) -> Place:
        """Return where files are put, and say that there is something that is not logged yet."""
        place = self._staging()
        if self._staged is None and place.keeps:
            self._staged = staging_in(place.root)
        return place

    def _take_entry(
        self,
        found: ManifestEntry,
        path: Path | None,
        *,
        overwrite: bool,
        skip_cache: bool | None = False,
    ) -> ArtifactManifestEntry:
        entry = ArtifactManifestEntry.of(found, None if path is None else os.fspath(path))
        entry.skip_cache = bool(skip_cache)
        self.manifest.add_entry(entry, overwrite=overwrite)
        if path is not None:
            self._added_paths[os.fspath(path)] = entry
        return entry


def _called_by_digest(entry: ManifestEntry) -> ManifestEntry:
    """Return an entry under the name that W&B gives to temporary files: 20 digits of the MD5."""
    import base64

    folder, name = os.path.split(entry.path)
    parts = name.split(".")
    parts[0] = base64.standard_b64decode(entry.digest).hex()[:20]
    return ManifestEntry(
        path=os.path.join(folder, ".".join(parts)),
        digest=entry.digest,
        size_bytes=entry.size_bytes,
        sha256=entry.sha256,
    )


def _check_policy(policy: str | None) -> None:
    if (policy or "mutable") not in POLICIES:
        raise ValueError(f"The policy {policy!r} is not one of {', '.join(POLICIES)}.")
