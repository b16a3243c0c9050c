"""What the shim raises. The names and the family are W&B's, so that ``except`` clauses work.

:class:`UnsupportedSymbolError` is also an ``AttributeError``, so that ``hasattr`` says no to what
is not built yet.
"""

from __future__ import annotations

from quark.compat.wandb.use_counts import refused
from quark.errors import QuarkError, SettingsError

DOCUMENT = "docs/compat.md"


class Error(QuarkError):
    """The root of W&B's own errors."""


class RowLimitError(Error, ValueError):
    """A table has more rows than the run's settings allow. The one thing ``log`` raises for."""


class CommError(Error):
    """The store could not be asked, or has no answer."""


class AuthenticationError(CommError):
    """A key was refused."""


class UsageError(Error):
    """A call does not make sense as it stands."""


class UnsupportedError(UsageError):
    """Something that W&B itself does not support."""


class WandbCoreNotAvailableError(Error):
    """Never raised here; for ``except`` clauses that name it."""


class InvalidSettingError(UsageError, SettingsError):
    """A setting or an argument of ``init`` has a value that is not allowed (a ``ValueError``)."""


class ConfigError(Error):
    """A key of the config would change its value without leave, or a config file is no good."""


class MissingKeyError(QuarkError, KeyError, AttributeError):
    """The summary has no such key."""

    def __str__(self) -> str:
        return str(self.args[0])


class UnsupportedSymbolError(QuarkError, NotImplementedError, AttributeError):
    """W&B has this name, and the shim knows it but does not support it."""


def unsupported(symbol: str, reason: str = "") -> UnsupportedSymbolError:
    """Return the error for a symbol that is known and not supported, e.g. ``"wandb.proto"``."""
    refused(symbol)
    why = f" {reason}" if reason else ""
    return UnsupportedSymbolError(
        f"{symbol} is not supported by quark.compat.wandb.{why} {DOCUMENT} lists what is; guard "
        "the call with hasattr() or leave it out."
    )
