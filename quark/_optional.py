"""Packages that Quark can use but does not need.

They are imported when something needs them, not when Quark is imported, so that a training script
pays for what it uses. Who lacks one is told the pip line.
"""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType

from quark.errors import MissingDependencyError

DISTRIBUTION = "quark-observe"

#: Which extra brings a package. The key is the name that is imported; extras are in pyproject.toml.
EXTRA_OF = {
    "torch": "hooks",
    "starlette": "ui",
    "fastapi": "service",
    "msgspec": "service",
    "uvicorn": "ui",
    "sqlalchemy": "service",
    "psycopg": "service",
    "prometheus_client": "service",
    "obstore": "service",
    "accelerate": "integrations",
    "keras": "integrations",
    "lightning": "integrations",
    "optuna": "sweeps",
    "transformers": "integrations",
    "codecarbon": "carbon",
    "PIL": "media",
    "matplotlib": "media",
    "moviepy": "media",
    "plotly": "media",
    "soundfile": "media",
    "yaml": "sweeps",
    "pandas": "pandas",
    "pyarrow": "parquet",
}


def require(module: str, *, purpose: str) -> ModuleType:
    """Import ``module``, which is one of :data:`EXTRA_OF` or a part of one.

    Args:
        module: What to import, e.g. ``"torch"`` or ``"lightning.pytorch"``.
        purpose: Who needs it, for the message, e.g. ``"HookEngine"``.

    Raises:
        MissingDependencyError: The package is not installed. A package that is installed but
            fails to import raises its own error.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not _is_part(module, of=error.name):
            raise  # the package is here, but something it needs is not: not ours to explain
        extra = EXTRA_OF[module.partition(".")[0]]
        raise MissingDependencyError(
            f"{purpose} needs the package {error.name!r}, which is not installed. "
            f'Install it with: pip install "{DISTRIBUTION}[{extra}]"',
            name=error.name,
        ) from error


def available(module: str) -> bool:
    """Say whether a top-level package could be imported, without importing it."""
    return importlib.util.find_spec(module) is not None


def _is_part(module: str, *, of: str) -> bool:
    return module == of or module.startswith(of + ".")
