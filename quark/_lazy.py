"""Names that are loaded when they are first used, so that an import costs next to nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any


def lazy_names(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` for ``package``, whose names live in ``homes``.

    A name is looked up in its module once and then kept in the package.
    """

    def load(name: str) -> Any:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(home), name)
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted(homes)

    return load, names


class LazyClasses(Mapping[str, Any]):
    """A mapping from a word to a class, which is imported when it is asked for."""

    def __init__(self, package: str, names: Mapping[str, str]) -> None:
        self._package = package
        self._names = dict(names)

    def __getitem__(self, word: str) -> Any:
        return getattr(sys.modules[self._package], self._names[word])

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
