"""``run.summary``: the last value of every key, and what the script sets itself.

Nested dicts come back as :class:`SubSummary`, which writes through to the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Protocol

from quark.compat.wandb.awaited import split
from quark.compat.wandb.errors import MissingKeyError
from quark.compat.wandb.values import plain, put

if TYPE_CHECKING:
    from quark.compat.wandb.logged_media import Storable, Way

    #: Is given the media that were set in a summary, by the way to them.
    Later = Callable[[Mapping[Way, Storable]], None]


class Changed(Protocol):
    """Is told the way to what was set or removed in a summary."""

    def __call__(self, path: tuple[str, ...], *, removed: bool) -> None: ...


_OWN = frozenset({"_values", "_changed", "_later", "_clock_values", "_settle"})


class SubSummary(MutableMapping[str, Any]):
    """A dict inside the summary, by item and by attribute."""

    __slots__ = ("_changed", "_later", "_values")

    _values: dict[str, Any]
    _changed: Changed
    _later: Later

    def __init__(
        self, values: dict[str, Any], changed: Changed, later: Later = lambda media: None
    ) -> None:
        object.__setattr__(self, "_values", values)
        object.__setattr__(self, "_changed", changed)
        object.__setattr__(self, "_later", later)

    def __getitem__(self, key: str) -> Any:
        try:
            return self._wrapped(key, self._values[key])
        except KeyError:
            raise MissingKeyError(f"The summary has no key {key!r}.") from None

    def __setitem__(self, key: str, value: Any) -> None:
        self._put({key: value})

    def __delitem__(self, key: str) -> None:
        if self._values.pop(key, None) is not None:
            self._note((key,), removed=True)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in _OWN:
            raise AttributeError(name)  # a copy that is not filled yet
        return self[name]

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        del self[name]

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._values))

    def __len__(self) -> int:
        return len(self._values)

    def __bool__(self) -> bool:
        return True  # also while it is empty, as with W&B

    def __repr__(self) -> str:
        return repr(self._values)

    def keys(self) -> list[str]:  # type: ignore[override]
        return list(self)

    def get(self, key: str, default: Any = None) -> Any:
        return self[key] if key in self._values else default

    def update(self, values: Mapping[str, Any]) -> None:  # type: ignore[override]
        """Set several keys; a dict in ``values`` takes the place of what was there."""
        self._put(dict(values.items()))

    def _put(self, values: dict[str, Any]) -> None:
        for key, value in values.items():
            if not isinstance(key, str):
                raise TypeError(f"The summary takes strings as keys, not {key!r}.")
            parts = split({key: value})
            for way, tensor in parts.tensors.items():
                put(way, plain(tensor), parts.plain)
            if parts.media:
                self._later(parts.media)
                if key not in parts.plain:
                    continue
            kept = parts.plain.get(key)
            if kept is None:
                self._values.pop(key, None)
            else:
                self._values[key] = kept
            self._note((key,), removed=False)

    def _note(self, path: tuple[str, ...], *, removed: bool) -> None:
        self._changed(path, removed=removed)

    def _wrapped(self, key: str, value: Any) -> Any:
        if type(value) is dict:
            return SubSummary(
                value,
                lambda path, *, removed: self._note((key, *path), removed=removed),
                lambda media: self._later({(key, *way): found for way, found in media.items()}),
            )
        return value


class Summary(SubSummary):
    """The summary of a run, on top of the log's own last values.

    ``changed`` is told the way to what the script changed or removed; ``clock_values`` gives
    ``_step``, ``_runtime`` and ``_timestamp`` once a row was closed. Before anything is read,
    ``settle`` waits for values that are still on their way from a device.
    """

    __slots__ = ("_clock_values", "_settle")

    _clock_values: Callable[[], dict[str, Any]]
    _settle: Callable[[], None]

    def __init__(
        self,
        values: dict[str, Any],
        changed: Changed,
        clock_values: Callable[[], dict[str, Any]],
        settle: Callable[[], None] = lambda: None,
        later: Later = lambda media: None,
    ) -> None:
        super().__init__(values, changed, later)
        object.__setattr__(self, "_clock_values", clock_values)
        object.__setattr__(self, "_settle", settle)

    def __getitem__(self, key: str) -> Any:
        self._settle()
        if key.startswith("_"):
            found = self._clock_values().get(key)
            if found is not None:
                return found
        return super().__getitem__(key)

    def __iter__(self) -> Iterator[str]:
        self._settle()
        return iter(tuple({**self._values, **self._clock_values()}))

    def __len__(self) -> int:
        return len(tuple(iter(self)))

    def get(self, key: str, default: Any = None) -> Any:
        try:
            return self[key]
        except KeyError:
            return default
