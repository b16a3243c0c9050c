"""``install`` and ``uninstall``: from when on, and for whom, ``import wandb`` means the shim."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import quark.compat.wandb as shim
from quark import ui
from quark._import_finders import add_finder, has_finder, remove_finder, remove_from_path
from quark.compat.launching import FOLDER
from quark.compat.wandb.alias.finder import NAME, AliasFinder
from quark.compat.wandb.errors import UsageError
from quark.settings import forget_python_path, lead_python_path

_finder = AliasFinder()
_replaced: dict[str, ModuleType] = {}  # W&B's own modules, if they had been imported


def install(*, children: bool = True) -> None:
    """Let ``import wandb`` mean ``quark.compat.wandb`` from now on, in this process.

    Libraries that look whether W&B is there find it: in ``sys.modules``, by ``find_spec``, and by
    its distribution's metadata. It makes no difference whether W&B is installed. Modules of W&B
    that were imported before are put aside, with a warning, since what was imported from them
    stays W&B's. A second call does nothing.

    Args:
        children: Whether Python processes that are started from here on do the same; they find
            the alias by ``PYTHONPATH``. A process that is given an environment without it does not.

    Raises:
        UsageError: A run of W&B itself is open in this process.

    >>> import quark.compat.wandb
    >>> quark.compat.wandb.install(children=False)
    >>> import wandb
    >>> wandb is quark.compat.wandb
    True
    >>> quark.compat.wandb.uninstall()
    """
    if not installed():
        _put_aside()
        add_finder(_finder)
        sys.modules[NAME] = shim
        importlib.invalidate_caches()
    if children:
        lead_python_path(FOLDER)
        if FOLDER not in sys.path:
            # multiprocessing hands sys.path over to what it spawns. First stands the script's.
            sys.path.insert(1, FOLDER)


def uninstall() -> None:
    """Undo :func:`install`, here and for processes that are started from here on.

    What was imported stays what it is, also in other modules. In a process that was started with
    the alias, ``import wandb`` means W&B from now on, if it is installed.
    """
    if installed():
        remove_finder(_finder)
        for name in _names():
            del sys.modules[name]
        sys.modules.update(_replaced)
        _replaced.clear()
    remove_from_path(FOLDER)
    forget_python_path(FOLDER)
    importlib.invalidate_caches()


def installed() -> bool:
    """Say whether ``import wandb`` means the shim in this process."""
    return has_finder(_finder)


def _names() -> list[str]:
    return [name for name in sys.modules if name == NAME or name.startswith(f"{NAME}.")]


def _put_aside() -> None:
    """Take modules of W&B's own out of ``sys.modules``."""
    there = {name: sys.modules[name] for name in _names()}
    top = there.get(NAME)
    if getattr(top, "__file__", None) == str(Path(FOLDER, NAME, "__init__.py")):
        return  # no W&B, but what led here
    if getattr(top, "run", None) is not None:
        raise UsageError(
            "The package wandb was imported before, and a run of it is open. Finish the run with "
            "wandb.finish(), or call quark.compat.wandb.install() before the script imports wandb."
        )
    if top is not None:
        ui.say(
            "wandb was imported before quark.compat.wandb.install(). Imports from here on are "
            "Quark's; modules that hold the real one keep it.",
            tone="warning",
        )
    for name in there:
        del sys.modules[name]
    _replaced.update(there)
