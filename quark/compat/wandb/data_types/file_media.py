"""Values that are one file, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from quark.compat.wandb.data_types.base import (
    ArtifactFiles,
    BatchableMedia,
    Keeper,
    KeptFile,
    Source,
)
from quark.compat.wandb.data_types.contents import Content
from quark.compat.wandb.data_types.references import Reference

#: Extensions that consist of two.
_DOUBLE = (
    *(".mask.png", ".boxes2D.json", ".pts.json", ".plotly.json", ".graph.json", ".bokeh.json"),
    *(".table.json", ".joined-table.json"),
)


class FileMedia(BatchableMedia):
    """A value whose content is one file."""

    #: Where W&B puts files of this kind.
    _folder: ClassVar[str] = "media"

    def __init__(self, content: Content, extension: str, caption: str | None = None) -> None:
        self._content = content
        self._extension = extension
        self._caption = caption
        self.size_bytes = content.size_bytes

    @classmethod
    def get_media_subdir(cls) -> str:
        """Return where files of this kind lie below the run's files."""
        return cls._folder

    def prepare(self) -> None:
        self._content.prepare()

    def stored(self, keeper: Keeper) -> dict[str, Any]:
        kept = keeper.keep(self._content.get(), folder=self._folder, extension=self._extension)
        self._content.check()
        fields: dict[str, Any] = {} if self._caption is None else {"caption": self._caption}
        fields |= {"_type": self._log_type, "sha256": kept.sha256, "size": kept.size_bytes}
        return {**fields, "path": kept.path, **self._details(keeper)}

    def _details(self, keeper: Keeper) -> dict[str, Any]:
        """Return what is said of the file beside its name, size and caption."""
        return {}

    def in_artifact(self, keeper: ArtifactFiles) -> Any:
        kept = self._kept_in_artifact(keeper)
        fields: dict[str, Any] = {} if self._caption is None else {"caption": self._caption}
        fields |= {"_type": self._log_type, "sha256": kept.sha256, "path": kept.path}
        return {**fields, **self._details_in_artifact(keeper)}

    def _kept_in_artifact(self, keeper: ArtifactFiles) -> KeptFile:
        content = self._content
        if isinstance(content, Reference):
            return keeper.keep_reference(content.url, folder=self._folder)
        found = content.get()
        content.check()
        if content.given is not None:
            return keeper.keep_given(found, content.given, folder=self._folder)
        if keeper.as_wandb and isinstance(found, bytes):
            found = self._as_wandb(found)
        return keeper.keep(found, folder=self._folder, extension=self._extension)

    def _as_wandb(self, content: bytes) -> bytes:
        """Return content that was made here as W&B would have made it."""
        return content

    def _details_in_artifact(self, keeper: ArtifactFiles) -> dict[str, Any]:
        """Return what is said of the file in an artifact beside its name and caption."""
        return self._details(keeper)

    def read_bytes(self) -> bytes:
        """Return the content of the file; it is made now if it was not made yet."""
        return self._content.read()

    @classmethod
    def from_json(cls, fields: Mapping[str, Any], source: Source) -> Self:
        value = cls.__new__(cls)
        path = str(fields["path"])
        FileMedia.__init__(value, read_file(source, path), extension_of(path), caption_of(fields))
        value._take_details(fields, source)
        return value

    def _take_details(self, fields: Mapping[str, Any], source: Source) -> None:
        """Take what :meth:`_details` gave."""

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, FileMedia)
            and type(self) is type(other)
            and self._caption == other._caption
            and self.read_bytes() == other.read_bytes()
        )

    __hash__ = None  # type: ignore[assignment]  # as with W&B: two may become equal


def read_file(source: Source, path: str) -> Content:
    """Return the content of a file that was kept, or what stands for one that is elsewhere."""
    url = getattr(source, "reference", lambda _: None)(path)
    if url is not None:
        return Reference(url)
    with source.open(path) as file:
        return Content.of(file.read())


def extension_of(path: str) -> str:
    """Return what a file's name ends in, e.g. ``.png`` or ``.pts.json``."""
    name = path.rpartition("/")[2]
    double = next((ending for ending in _DOUBLE if name.endswith(ending)), None)
    if double is not None:
        return double
    return f".{name.rpartition('.')[2]}" if "." in name else ""


def caption_of(fields: Mapping[str, Any]) -> str | None:
    """Return the caption that was kept."""
    caption = fields.get("caption")
    return None if caption is None else str(caption)
