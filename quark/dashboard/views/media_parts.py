"""Tables that are made of others: the parts of a partitioned one, the two of a joined one.

The files may be the run's own. More often they are an artifact's, and what was logged does not say
of which: they are looked for in the versions that the run has logged and used, the newest first.
What an artifact itself holds has its files in the same version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from quark import jsonio
from quark.catalog.lineage import INPUT, OUTPUT, versions_of
from quark.catalog.model import RunRef
from quark.catalog.reading import read_manifest
from quark.dashboard.views.media_index import COMPOSED, PARTITIONED, KeptPayload
from quark.errors import ArtifactNotFoundError, QuarkError

if TYPE_CHECKING:
    from typing import BinaryIO

    from quark.catalog.manifest import Manifest
    from quark.dashboard.place import Place
    from quark.dashboard.views.media_items import Files

EXTENSION = ".table.json"
_PARTITIONED_EXTENSION = f".{PARTITIONED}.json"
_MAX_VERSIONS = 50
_MAX_PARTS = 1000
_MAX_ENTRY_BYTES = 1 << 20


class Composed(NamedTuple):
    """The files of one table in their order, or of two that are joined ``on`` a column of each."""

    tables: tuple[tuple[KeptPayload, ...], ...]
    on: tuple[str, str] | None
    said: str


def is_composed(value: Any) -> bool:
    """Say whether a logged value is a table that is made of others."""
    return isinstance(value, Mapping) and value.get("_type") in COMPOSED


def composed_of(place: Place, run_id: str, files: Files, value: Any) -> Composed:
    """Return what a value that a run has logged is made of; ``files`` are the run's own.

    Raises:
        ArtifactNotFoundError: It is no such table, or a file of it is not to be found.
    """
    return composed(
        value,
        Search(
            files,
            place.store.blobs.open,
            where="the run's files or its artifacts",
            elsewhere=lambda: _of_artifacts(place, run_id),
        ),
    )


def composed(value: Any, search: Search) -> Composed:
    """Return what a table is made of, of the files that are searched.

    Raises:
        ArtifactNotFoundError: It is no such table, or a file of it is not to be found.
    """
    if not is_composed(value):
        raise ArtifactNotFoundError("What is there is no table that is made of others.")
    if value["_type"] == PARTITIONED:
        parts = search.below(str(value.get("parts_path")))
        return Composed((parts,), None, f"{len(parts)} parts{search.said}")
    on = value.get("join_key")
    names = [on, on] if isinstance(on, str) else on
    if not isinstance(names, list) or len(names) != 2 or not all(isinstance(n, str) for n in names):
        raise ArtifactNotFoundError(f"The join key {str(on)[:200]!r} names no columns.")
    first, second = (search.table(str(value.get(name))) for name in ("table1", "table2"))
    key = names[0] if names[0] == names[1] else f"{names[0]} = {names[1]}"
    return Composed((first, second), (names[0], names[1]), f"joined on {key[:200]}{search.said}")


def composed_item(
    place: Place, run_id: str, files: Files, key: str, step: int | None, value: Any
) -> dict[str, Any]:
    """Return what a page shows of such a table: how to ask for its rows, or why it cannot."""
    try:
        made_of = composed_of(place, run_id, files, value)
    except ArtifactNotFoundError as error:
        return {"kind": "lost", "reason": str(error)}
    return {"kind": "table", "key": key, "step": step, "said": made_of.said}


class Search:
    """Looks for files by the names that they have: in what is at hand first.

    Args:
        files: What is at hand.
        open: Opens a payload by its digest; raises KeyError.
        where: What is searched, for messages.
        elsewhere: Names other places, with their files, once they are needed.
    """

    def __init__(
        self,
        files: Files,
        open: Callable[[str], BinaryIO],
        *,
        where: str,
        elsewhere: Callable[[], Iterable[tuple[str, Files]]] = tuple,
    ) -> None:
        self._own = files
        self._open = open
        self._where = where
        self._elsewhere = elsewhere
        self._others: list[tuple[str, Files]] | None = None
        self.said = ""

    def below(self, folder: str) -> tuple[KeptPayload, ...]:
        """Return the tables of a folder by name.

        Raises:
            ArtifactNotFoundError: There are none.
        """
        start = folder.strip("/") + "/"
        for name, files in self._places():
            paths = sorted(p for p in files if p.startswith(start) and p.endswith(EXTENSION))
            if paths:
                self.said = f" of {name}" if name else self.said
                return tuple(files[path] for path in paths[:_MAX_PARTS])
        raise ArtifactNotFoundError(
            f"This table's parts lie in the folder {folder[:200]!r}, and there are no tables there "
            f"in {self._where}."
        )

    def table(self, path: str) -> tuple[KeptPayload, ...]:
        """Return the files of a table, which may have parts itself.

        Raises:
            ArtifactNotFoundError: There is none.
        """
        for name, files in self._places():
            kept = files.get(path)
            if kept is not None:
                self.said = f", of {name}" if name else self.said
                if path.endswith(_PARTITIONED_EXTENSION):
                    return self.below(self._parts_path(kept))
                return (kept,)
        raise ArtifactNotFoundError(
            f"The table {path[:200]!r}, which is to be joined, is not in {self._where}."
        )

    def _parts_path(self, kept: KeptPayload) -> str:
        try:
            with self._open(kept.sha256) as file:
                entry = jsonio.loads(file.read(_MAX_ENTRY_BYTES))
        except (KeyError, QuarkError):
            entry = None
        return str(entry.get("parts_path")) if isinstance(entry, Mapping) else ""

    def _places(self) -> Sequence[tuple[str, Files]]:
        if self._others is None:
            self._others = list(self._elsewhere())
        return [("", self._own), *self._others]


def _of_artifacts(place: Place, run_id: str) -> Iterator[tuple[str, Files]]:
    store = place.store
    run = store.records.get_run(run_id)
    ref = RunRef(run.id, run.project_name, run.workspace)
    for direction in (OUTPUT, INPUT):
        for version in reversed(versions_of(store, ref, direction)[-_MAX_VERSIONS:]):
            try:
                manifest = read_manifest(store, version)
            except (KeyError, QuarkError):
                continue
            yield version.name, VersionFiles(manifest)


class VersionFiles(Mapping[str, KeptPayload]):
    """The files of a version that the store has, by their paths."""

    def __init__(self, manifest: Manifest) -> None:
        self._entries = manifest.entries

    def __getitem__(self, path: str) -> KeptPayload:
        entry = self._entries[path]
        if entry.sha256 is None:
            raise KeyError(path)  # it lies elsewhere
        return KeptPayload(path, entry.sha256, entry.size_bytes or 0)

    def __iter__(self) -> Iterator[str]:
        return (path for path, entry in self._entries.items() if entry.sha256 is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)
