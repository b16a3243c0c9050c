"""``run.config``: hyperparameters, by attribute and by item.

A key that has a value keeps it: another value needs ``update(..., allow_val_change=True)``. Values
are plain; nested dicts are dicts, and changing one in place goes unchecked.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from quark import jsonio
from quark.compat.wandb.config_sources import join_config, plain_config, read_config
from quark.compat.wandb.errors import ConfigError
from quark.errors import SchemaValidationError

#: The key that W&B keeps for itself in a run's config: how charts are drawn. Scripts do not see it.
OWN_KEY = "_wandb"


class Config:
    """The config of a run. ``changed`` is told the keys that were set, once for each call."""

    __slots__ = ("_changed", "_kept", "_locked", "_values")

    _values: dict[str, Any]
    _locked: set[str]
    _kept: dict[str, bytes]
    _changed: Callable[[dict[str, Any]], None]

    def __init__(
        self,
        values: Mapping[str, Any] | None = None,
        changed: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        object.__setattr__(self, "_values", dict(values or {}))
        object.__setattr__(self, "_locked", set())
        object.__setattr__(self, "_changed", changed or _nothing)
        object.__setattr__(self, "_kept", {})
        self._remember(self._values)

    # -- reading ---------------------------------------------------------------------------

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in Config.__slots__:
            raise AttributeError(name)  # a copy that is not filled yet
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(f"The config has no key {name!r}.") from None

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._values))

    def __repr__(self) -> str:
        return repr(self._values)

    def __reduce__(self) -> tuple[type[Config], tuple[dict[str, Any]]]:
        """Have copies and checkpoints hold the values alone; changing them changes no run."""
        return Config, (self._values,)

    def __copy__(self) -> Config:
        return Config(self._values)

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, or ``default``."""
        return self._values.get(key, default)

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        """What ``vars(config)`` gives: transformers looks for the values in its ``_items``."""
        return {"_items": self._values}

    def keys(self) -> list[str]:
        return list(self._values)

    def items(self) -> list[tuple[str, Any]]:
        return list(self._values.items())

    def as_dict(self) -> dict[str, Any]:
        """Return the values; the dict is the caller's, what is nested in it is the config's."""
        return dict(self._values)

    # -- writing ---------------------------------------------------------------------------

    def __setitem__(self, key: str, value: Any) -> None:
        self._set({key: value}, allow_val_change=False)

    def __setattr__(self, name: str, value: Any) -> None:
        self._set({name: value}, allow_val_change=False)

    def update(self, d: Any, allow_val_change: bool | None = None) -> None:
        """Set the keys of ``d``, which is anything that ``init(config=)`` takes.

        Raises:
            ConfigError: A key has another value and ``allow_val_change`` is not set.
            TypeError: ``d`` is no config.
        """
        self._set(read_config(d), allow_val_change=bool(allow_val_change))

    def setdefaults(self, d: Any) -> None:
        """Set those keys of ``d`` that the config lacks."""
        missing = {key: item for key, item in read_config(d).items() if key not in self._values}
        self._set(missing, allow_val_change=False)

    def update_locked(self, d: Any, user: str | None = None, **_: object) -> None:
        """Set the keys of ``d`` for good: later updates of them are passed over."""
        values = read_config(d)
        self._set(values, allow_val_change=True)
        self._locked.update(map(str, values))

    def merge_locked(self, d: Any, user: str | None = None, **_: object) -> None:
        """Set the keys of ``d`` for good, as :meth:`update_locked`; a dict is merged into the one
        that is there."""
        values = read_config(d)
        joined = {key: copy.deepcopy(self._values.get(key)) for key in values}
        join_config(values, joined)
        self.update_locked(joined, user)

    def persist(self) -> None:
        """Keep the config as it is now, with what was changed in place."""
        stale = {
            key: item
            for key, item in self._values.items()
            if self._text(item) != self._kept.get(key)
        }
        if stale:
            self._remember(stale)
            self._changed(stale)

    def _set(self, values: Mapping[Any, Any], *, allow_val_change: bool) -> None:
        accepted: dict[str, Any] = {}
        for key, value in values.items():
            name = _checked_key(key)
            if name in self._locked:
                continue
            new = plain_config(value)
            if not allow_val_change and self._values.get(name, new) != new:
                raise ConfigError(
                    f"Config key {name!r} is {self._values[name]!r} and would become {new!r}. If "
                    "that is meant, use config.update({...}, allow_val_change=True)."
                )
            accepted[name] = new
        if accepted:
            self._changed(accepted)
            self._values.update(accepted)
            self._remember(accepted)

    def _remember(self, values: Mapping[str, Any]) -> None:
        for key, value in values.items():
            self._kept[key] = self._text(value)

    @staticmethod
    def _text(value: Any) -> bytes:
        try:
            return jsonio.dumps(value)
        except SchemaValidationError:
            return repr(value).encode()


def _checked_key(key: Any) -> str:
    if not isinstance(key, str):
        raise AttributeError(  # as W&B has it
            f"The config takes strings as keys, not {key!r} of type {type(key).__name__}."
        )
    return key.strip()


def _nothing(values: dict[str, Any]) -> None:
    """Nobody wants to know."""
