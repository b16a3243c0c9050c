"""What all data types have in common: how a value is kept, and how it comes back.

The constructor checks everything and takes a copy of what the script could still change; so a bad
value is refused there, and ``log`` has nothing to do but to hand the value over. What takes long
(encoding, hashing, writing) happens in :meth:`Media.stored`, on the thread of the payloads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, NamedTuple, Protocol, Self

#: The ``_type`` of what stands for a value that could not be kept.
LOST_TYPE = "lost-media"


class KeptFile(NamedTuple):
    """A file of a value: its path inside what it belongs to (a run's files, or an artifact), with
    slashes; the SHA-256 of its content in hex; and its size."""

    path: str
    sha256: str
    size_bytes: int


class Keeper(Protocol):
    """Where the files of a value go: a run's row, or an artifact."""

    def keep(self, content: bytes | Path, *, folder: str, extension: str) -> KeptFile:
        """Keep a file.

        Args:
            content: The bytes, or the path of a file, which is copied.
            folder: Where W&B puts it, e.g. ``media/images``. The file's name is chosen here.
            extension: Of the file's name, with the dot, e.g. ``.png`` or ``.table.json``.
        """
        ...

    def within(self, part: str) -> Keeper:
        """Return the keeper of a part of a value, e.g. of one image of several."""
        ...


class ArtifactFiles(Keeper, Protocol):
    """Where the files of a value go that is put into an artifact."""

    @property
    def as_wandb(self) -> bool:
        """Whether files are written as W&B writes them; else they may be those of a run."""
        ...

    def within(self, part: str) -> ArtifactFiles:
        """Return the keeper of a part of a value."""
        ...

    def keep_given(self, content: bytes | Path, given: str, *, folder: str) -> KeptFile:
        """Keep a file that the script named; it is called as W&B calls it.

        Args:
            given: The path that the script gave. If the script has added that file to the artifact
                already, it is not added again.
        """
        ...

    def keep_reference(self, url: str, *, folder: str) -> KeptFile:
        """Keep a URL in the place of the file that is there."""
        ...

    def keep_json(self, fields: Any, path: str) -> tuple[str, str]:
        """Keep the JSON of another value, unless there is one at ``path``; return the path and the
        digest of what is there."""
        ...


class Source(Protocol):
    """Where the files of a value are read from: a run's files, or an artifact."""

    def open(self, path: str) -> BinaryIO:
        """Open a file by its path inside of what it belongs to.

        Raises:
            KeyError: There is no such file.
        """
        ...


class WBValue:
    """A value that has a type of its own where it is kept: ``{"_type": ..., ...}``."""

    #: The ``_type`` under which values of this class are kept, and others that mean the same.
    _log_type: ClassVar[str] = ""
    _other_log_types: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def from_json(cls, fields: Mapping[str, Any], source: Source) -> Self:
        """Return the value that was kept as ``fields``."""
        raise NotImplementedError(f"{cls.__name__} cannot be read back.")


class Media(WBValue):
    """A value with files."""

    #: What the value takes in memory while it waits to be stored.
    size_bytes: int = 1

    def frozen(self) -> Media:
        """Return what is to be stored: this value, or a copy if the script may change it later."""
        return self

    def prepare(self) -> None:
        """Make what the files are going to hold, ahead of :meth:`stored`. Called on any thread, but
        never while that is."""

    def stored(self, keeper: Keeper) -> dict[str, Any]:
        """Keep the value's files and return the JSON that stands for it, with ``_type``.

        Raises:
            OSError: A file cannot be read.
        """
        raise NotImplementedError

    def in_artifact(self, keeper: ArtifactFiles) -> Any:
        """Keep the value's files in an artifact and return the JSON that is written there for it.

        Both are what W&B makes of the value, so that the digest of the artifact is the same.
        """
        return self.stored(keeper)


class BatchableMedia(Media):
    """Media of which several, in a list, are kept as one value of a ``_type`` of its own."""

    _caption: str | None = None

    @classmethod
    def stored_list(cls, values: Sequence[Self], keeper: Keeper) -> dict[str, Any] | list[Any]:
        """Keep several values of this class; return the JSON that stands for all of them."""
        return cls._listed(values, stored_each(values, keeper))

    @classmethod
    def _listed(
        cls, values: Sequence[Self], kept: list[dict[str, Any]]
    ) -> dict[str, Any] | list[Any]:
        """Return the JSON for values that are kept already."""
        return kept


def stored_each(values: Sequence[Media], keeper: Keeper) -> list[dict[str, Any]]:
    """Keep several values one by one."""
    return [value.stored(keeper.within(str(position))) for position, value in enumerate(values)]


def captions_of(values: Sequence[BatchableMedia]) -> list[str | None] | bool:
    """Return the captions of several values; False if the first has none, as W&B has it."""
    captions = [value._caption for value in values]
    return captions if captions and captions[0] is not None else False
