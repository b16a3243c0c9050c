"""Do something right after a module has been imported, on the thread that imports it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from quark._import_finders import add_finder, remove_finder

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class AfterImport:
    """Calls ``then`` once, when ``module`` has been imported for the first time.

    It finds nothing itself: it asks the finders behind it and has their loader call it back. What
    ``then`` raises comes out of the import statement.
    """

    def __init__(self, module: str, then: Callable[[], None]) -> None:
        self._module = module
        self._then = then

    def install(self) -> None:
        """Begin to wait."""
        add_finder(self)

    def remove(self) -> None:
        """Wait no longer; a second call does nothing."""
        remove_finder(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return what the other finders find; None for any other module."""
        if fullname != self._module:
            return None
        found = (
            finder.find_spec(fullname, path, target)
            for finder in tuple(sys.meta_path)
            if finder is not self
        )
        spec = next((one for one in found if one is not None), None)
        if spec is not None and spec.loader is not None:
            self._follow(spec.loader)
        return spec

    def _follow(self, loader: object) -> None:
        execute = getattr(loader, "exec_module", None)
        if execute is None or not hasattr(loader, "__dict__"):
            return

        def exec_module(module: ModuleType) -> None:
            del loader.exec_module  # type: ignore[attr-defined]  # the class has its own
            execute(module)
            self.remove()
            self._then()

        loader.exec_module = exec_module  # type: ignore[attr-defined]
