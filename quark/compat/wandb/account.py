"""What W&B's account functions are without an account: they never ask, and never fail."""

from __future__ import annotations

from typing import Any

from quark.compat.wandb import current
from quark.compat.wandb.environment import forget, process_settings
from quark.compat.wandb.used import use

#: What ``wandb.api`` says of the account that there is not.
api_key = None
default_entity = None


class Setup:
    """What :func:`setup` returns; nothing runs behind it."""

    def __init__(self, settings: Any = None) -> None:
        self.settings = settings


def login(
    key: str | None = None,
    relogin: bool | None = None,
    host: str | None = None,
    force: bool | None = None,
    timeout: int | None = None,
    verify: bool = True,
    referrer: str | None = None,
    prompt: bool = True,
    anonymous: Any = None,
    **_: Any,
) -> bool:
    """There is nothing to log in to: False, without a question. The key is not kept."""
    use("module", "login")
    process_settings()
    return False


def setup(settings: Any = None) -> Setup:
    """Accept what W&B prepares ahead of ``init``. The environment is read."""
    process_settings()
    return Setup(settings)


def teardown(exit_code: int | None = None) -> None:
    """End every run that is open; the environment is read anew at the next use."""
    for run in reversed(current.open_runs()):
        run.finish(exit_code)
    forget()


def require(requirement: Any = None, experiment: Any = None) -> None:
    """Accept every feature that W&B had to be asked for."""
    use("module", "require")


def ensure_configured() -> None:
    """There is nothing to configure."""
