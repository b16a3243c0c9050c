"""Calls back when a module is imported, without importing it.

A patch of somebody's library should cost nothing where the library is not used.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

from quark._import_finders import add_finder, remove_finder


class WhenImported:
    """Calls ``loaded`` with each of ``modules``: at once if it is there, else after its import."""

    def __init__(self, modules: Iterable[str], loaded: Callable[[ModuleType], None]) -> None:
        self._modules = frozenset(modules)
        self._loaded = loaded

    def start(self) -> None:
        """Look from now on."""
        add_finder(self)
        for name in sorted(self._modules & sys.modules.keys()):
            self._loaded(sys.modules[name])

    def stop(self) -> None:
        """Look no longer."""
        remove_finder(self)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return how to import one of the modules; the import system calls this."""
        if name not in self._modules:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self._loaded)
        return spec


class _Loader(Loader):
    """Does what the module's own loader does, and then calls back."""

    def __init__(self, own: Loader, loaded: Callable[[ModuleType], None]) -> None:
        self._own = own
        self._loaded = loaded

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._own.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._own.exec_module(module)
        if module.__spec__ is not None:
            module.__spec__.loader = self._own
        self._loaded(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)
