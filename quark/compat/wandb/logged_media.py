"""Media in what is logged: found, taken over, and put into their row from the background.

``log`` must not encode, hash or write. So a row is kept at once without its media, and a second
part of the same row follows as soon as their files are stored.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from quark.clock import SYSTEM_CLOCK
from quark.compat.wandb.data_types.base import LOST_TYPE, BatchableMedia, Keeper, Media
from quark.compat.wandb.errors import RowLimitError
from quark.compat.wandb.values import FAULTS, SCALARS, plain, put
from quark.errors import QuarkError
from quark.pipeline.deferred import Deferred

if TYPE_CHECKING:
    from quark.session.handle import RunHandle

#: The way to a value through nested dicts.
Way = tuple[str, ...]

#: Takes values that were stored: as nested dicts, their row, and when they were logged.
Take = Callable[[dict[str, Any], int, int], None]

_PLAIN_TYPES = SCALARS | {type(None)}
_MAX_TYPES = 4096
_MAX_DEPTH = 20


class Storable(Protocol):
    """What a leaf of a row is, if it is kept in the background."""

    size_bytes: int

    def prepare(self) -> None:
        """Do of that what needs no place to keep it: encode it."""
        ...

    def stored(self, keeper: Keeper) -> Any:
        """Keep it and return the JSON that stands for it."""
        ...


class MediaList:
    """Several values under one key, media among them."""

    def __init__(self, items: Sequence[Any]) -> None:
        self._items = items
        parts = (item for item in items if isinstance(item, (Media, MediaList)))
        self.size_bytes: int = sum(part.size_bytes for part in parts)

    def prepare(self) -> None:
        for item in self._items:
            if isinstance(item, (Media, MediaList)):
                item.prepare()

    def stored(self, keeper: Keeper) -> Any:
        items = self._items
        kind = type(items[0])
        if issubclass(kind, BatchableMedia) and all(type(item) is kind for item in items):
            return kind.stored_list(items, keeper)
        return [
            item.stored(keeper.within(str(position)))
            if isinstance(item, (Media, MediaList))
            else item
            for position, item in enumerate(items)
        ]


_Convert = Callable[[Any, int], Storable | None]
_CONVERTERS: dict[type, _Convert | None] = dict.fromkeys(_PLAIN_TYPES)


def media_of(value: Any, depth: int = 0) -> Storable | None:
    """Return what is to be stored of a value, as it is now; None if it has no files.

    What cannot be converted counts as no media.

    Raises:
        RowLimitError: A table has more rows than the run's settings allow.
    """
    kind = type(value)
    try:
        convert = _CONVERTERS[kind]
    except KeyError:
        convert = _converter(kind)
        if len(_CONVERTERS) < _MAX_TYPES:
            _CONVERTERS[kind] = convert
    if convert is None or depth > _MAX_DEPTH:
        return None
    try:
        return convert(value, depth + 1)
    except RowLimitError:
        raise
    except (*FAULTS, QuarkError):
        return None


def is_never_media(kind: type) -> bool:
    """Say whether :func:`media_of` has found that no value of a class has files."""
    return kind in _CONVERTERS and _CONVERTERS[kind] is None


def _converter(kind: type) -> _Convert | None:
    if issubclass(kind, Media):
        return lambda value, depth: value.frozen()
    if issubclass(kind, (list, tuple)):
        return _list
    if kind is ModuleType:
        return _pyplot
    homes = {base.__module__.partition(".")[0] for base in kind.__mro__}
    for home, convert in _FOREIGN.items():
        if home in homes:
            return convert
    return None


def _list(value: Sequence[Any], depth: int) -> Storable | None:
    if _PLAIN_TYPES.issuperset(map(type, value)):
        return None
    found = [media_of(item, depth) for item in value]
    if all(media is None for media in found):
        return None
    return MediaList(
        [plain(item) if media is None else media for item, media in zip(value, found, strict=True)]
    )


def _pyplot(value: ModuleType, depth: int) -> Storable | None:
    return _matplotlib(value, depth) if value.__name__ == "matplotlib.pyplot" else None


def _matplotlib(value: Any, depth: int) -> Storable | None:
    from quark.compat.wandb.data_types import figures
    from quark.compat.wandb.data_types.plotly import Plotly

    return Plotly.make_plot_media(value) if figures.is_matplotlib(value) else None


def _plotly(value: Any, depth: int) -> Storable | None:
    from quark.compat.wandb.data_types import figures
    from quark.compat.wandb.data_types.plotly import Plotly

    return Plotly(value) if figures.is_plotly(value) else None


def _pil(value: Any, depth: int) -> Storable | None:
    from quark.compat.wandb.data_types.image import Image

    return Image(value) if hasattr(value, "getbands") else None


def _pandas(value: Any, depth: int) -> Storable | None:
    from quark.compat.wandb.data_types.table_frames import table_of

    table = table_of(value)
    return None if table is None else table.frozen()


#: By the package that a class, or one that it is made from, comes from.
_FOREIGN: dict[str, _Convert] = {
    "matplotlib": _matplotlib,
    "plotly": _plotly,
    "PIL": _pil,
    "pandas": _pandas,
}


class MediaRow(Deferred):
    """The part of a row that holds media. ``step`` is the row, or ``summary``.

    What cannot be kept leaves a value that says so, and the others are kept.
    """

    what = "media value"

    def __init__(
        self, handle: RunHandle, row: int, media: Mapping[Way, Storable], take: Take, *, step: Any
    ) -> None:
        super().__init__(sum(value.size_bytes for value in media.values()))
        self._handle = handle
        self._row = row
        self._step = step
        self._media = media
        self._take = take
        self._time_us = SYSTEM_CLOCK.time_us()

    def _prepare(self) -> None:
        for value in self._media.values():
            with contextlib.suppress(*FAULTS, QuarkError):  # told when it is stored
                value.prepare()

    def _journal(self) -> None:
        from quark.compat.wandb.run_keeper import RunKeeper

        media, self._media = self._media, {}
        keeper = RunKeeper(self._handle, self._step)
        nested: dict[str, Any] = {}
        fault: Exception | None = None
        for way, value in media.items():
            try:
                kept = value.stored(keeper.for_key(way[-1]))
            except (*FAULTS, QuarkError) as error:
                fault = fault or error
                kept = _lost(value, error)
            put(way, kept, nested)
        keeper.emit(self._time_us)
        self._take(nested, self._row, self._time_us)
        if fault is not None:
            raise fault  # said once, counted, and raised where the run is strict


def _lost(value: Storable, error: Exception) -> dict[str, Any]:
    kind = getattr(value, "_log_type", "") or type(value).__name__
    return {"_type": LOST_TYPE, "kind": kind, "reason": f"{type(error).__name__}: {error}"}
