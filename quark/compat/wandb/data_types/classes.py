"""``wandb.Classes``: what the numbers of boxes and masks stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import md5
from typing import TYPE_CHECKING, Any, Self

from quark.compat.wandb.data_types.base import ArtifactFiles, Keeper, Media, Source
from quark.compat.wandb.errors import MissingKeyError
from quark.compat.wandb.values import plain

if TYPE_CHECKING:
    from quark.compat.wandb.data_types.table_media_types import ClassesIdType


class Classes(Media):
    """Names of classes by their ids.

    Args:
        class_set: Dicts with ``id`` (a number or a text) and ``name``.

    Raises:
        KeyError: A dict lacks one of the two.

    >>> Classes([{"id": 1, "name": "car"}]).labels()
    {1: 'car'}
    """

    _log_type = "classes"

    def __init__(self, class_set: Sequence[Mapping[str, Any]]) -> None:
        for entry in class_set:
            if "id" not in entry or "name" not in entry:
                raise MissingKeyError(f"{entry!r} is no class: it needs an 'id' and a 'name'.")
        self._class_set: list[dict[str, Any]] = [plain(entry) for entry in class_set]

    def labels(self) -> dict[Any, str]:
        """Return the names by id."""
        return {entry["id"]: entry["name"] for entry in self._class_set}

    @classmethod
    def of(cls, *labels: Mapping[Any, str]) -> Self | None:
        """Return the classes of several dicts of names by id; None if those are all empty."""
        names = {key: name for each in labels for key, name in each.items()}
        return cls([{"id": key, "name": name} for key, name in names.items()]) if names else None

    def merged(self) -> Classes | None:
        """Return each class once, with its last name and no more; None if there are none."""
        return Classes.of(self.labels())

    def get_type(self) -> ClassesIdType:
        """Return the type of a column that holds ids of these classes, for ``Table(dtype=...)``."""
        from quark.compat.wandb.data_types.table_media_types import ClassesIdType

        return ClassesIdType(self._class_set)

    def of_image_in_artifact(self, keeper: ArtifactFiles) -> dict[str, Any]:
        """Keep the classes of an image as W&B does; return what stands for them there."""
        name = md5(str(self._class_set).encode(), usedforsecurity=False).hexdigest()
        path, digest = keeper.keep_json(
            self.stored(keeper), f"media/classes/{name}_cls.classes.json"
        )
        return {"type": "classes-file", "path": path, "digest": digest}

    def stored(self, keeper: Keeper) -> dict[str, Any]:
        return {"_type": self._log_type, "class_set": self._class_set}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any], source: Source) -> Self:
        return cls(fields["class_set"])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Classes) and self._class_set == other._class_set

    __hash__ = None  # type: ignore[assignment]  # as with W&B


def checked_labels(labels: Any) -> dict[Any, str]:
    """Return the names of classes as they were given.

    Raises:
        TypeError: They are not texts by number.
    """
    import numbers

    if not isinstance(labels, Mapping) or not all(
        isinstance(key, numbers.Number) and isinstance(name, str) for key, name in labels.items()
    ):
        raise TypeError(f"Class labels must be a dict of texts by number, not {labels!r}.")
    return {plain(key): str(name) for key, name in labels.items()}


def read_labels(labels: Mapping[str, str]) -> dict[Any, str]:
    """Return names that were kept as JSON by number again."""
    return {_number(key): name for key, name in labels.items()}


def default_labels(ids: Any) -> dict[Any, str]:
    """Return names for numbers that were given none."""
    return {number: f"class_{number}" for number in ids}


def _number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
