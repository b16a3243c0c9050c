"""Finds ``wandb`` and what is below it: always the shim's own modules, never second copies.

Only what W&B's package has as a module is found. The shim's own files have names that W&B's
functions have (``init``, ``log``), so ``import wandb.log`` must not reach them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import quark.compat.wandb as shim
from quark.compat.launching import FOLDER
from quark.compat.wandb.errors import DOCUMENT
from quark.compat.wandb.namespaces import CONTENTS, ROOT

if TYPE_CHECKING:
    from importlib.metadata import Distribution, DistributionFinder

NAME = "wandb"

#: Modules of the shim that W&B has under the same name, with all that is below them.
SHARED = frozenset({"data_types", "env", "errors", "integration", "plot"})


class AliasLoader(Loader):
    """Gives an import the module that is there already, and leaves it as it was."""

    def __init__(self, target: str) -> None:
        self.target = target
        self._spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = import_module(self.target)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # the import has put its own there
        below = f"{self.target.removeprefix(ROOT)[1:]}."
        if not hasattr(module, "__path__") and any(path.startswith(below) for path in CONTENTS):
            module.__path__ = []  # a file here, where W&B has a package


class AliasFinder(MetaPathFinder):
    """What stands in ``sys.meta_path`` while the alias is installed."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Return where ``fullname`` is, None if it is none of W&B's.

        Raises:
            ModuleNotFoundError: It would be below ``wandb``, and the shim does not have it.
        """
        top, _, below = fullname.partition(".")
        if top != NAME:
            return None
        place = _place(below)
        found = _found(place) if place else None
        if place is None or found is None:
            raise ModuleNotFoundError(
                f"No module named {fullname!r}: 'wandb' is quark.compat.wandb here, which does "
                f"not have it. {DOCUMENT} lists what it has.",
                name=fullname,
            )
        is_package = found.submodule_search_locations is not None
        return ModuleSpec(fullname, AliasLoader(place), origin=found.origin, is_package=is_package)

    def find_distributions(
        self, context: DistributionFinder.Context | None = None
    ) -> Iterator[Distribution]:
        """Yield the metadata of ``wandb`` to those who ask for it, or for everything."""
        from importlib.metadata import PathDistribution

        asked = getattr(context, "name", None)
        on_path = FOLDER in getattr(context, "path", sys.path)
        if asked is None and on_path:
            return  # the folder is searched in its turn
        if asked is None or asked.lower() == NAME:
            for folder in Path(FOLDER).glob(f"{NAME}-*.dist-info"):
                yield PathDistribution(folder)


def _place(path: str) -> str | None:
    """Return which of Quark's modules W&B's ``wandb.<path>`` is; ``path`` is empty for itself."""
    if not path:
        return ROOT
    if path in CONTENTS:
        return f"{ROOT}.{path}"
    top, _, below = path.partition(".")
    lazily = shim._LAZY.get(top)
    if lazily and ":" not in lazily:
        return f"{ROOT}.{lazily}.{below}".rstrip(".")
    return f"{ROOT}.{path}" if top in SHARED else None


def _found(place: str) -> ModuleSpec | None:
    try:
        return find_spec(place)
    except ModuleNotFoundError:  # what it would be in is no package
        return None
