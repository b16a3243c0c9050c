"""Other people's libraries, each imported by the integration that is for it."""

from __future__ import annotations

import importlib
from types import ModuleType

from quark.compat.wandb.errors import Error
from quark.errors import MissingDependencyError


class MissingLibraryError(Error, MissingDependencyError):
    """An integration is asked for and its library is not there (also an ImportError)."""


def library(module: str, *, integration: str, install: str | None = None) -> ModuleType:
    """Import ``module`` for ``wandb.integration.<integration>``.

    Args:
        module: What to import, e.g. ``"xgboost.callback"``.
        integration: Who needs it, for the message.
        install: What pip calls it, if that is not the first part of ``module``.

    Raises:
        MissingLibraryError: It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        top = module.partition(".")[0]
        if error.name is None or not (module == error.name or module.startswith(f"{error.name}.")):
            raise  # it is installed, but something that it needs is not
        raise MissingLibraryError(
            f"wandb.integration.{integration} needs the package {top!r}, which is not installed. "
            f"Install it with: pip install {install or top}",
            name=error.name,
        ) from error
