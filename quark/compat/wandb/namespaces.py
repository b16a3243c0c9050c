"""``wandb.util``, ``wandb.sdk``, ``wandb.env`` and ``wandb.api``: the few names that scripts and
libraries use of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


def make(name: str) -> Any:
    """Return one of the four namespaces."""
    return {"util": _util, "sdk": _sdk, "env": _env, "api": _api}[name]()


def _util() -> SimpleNamespace:
    from quark.compat.wandb.naming import generate_id

    return SimpleNamespace(generate_id=generate_id)


def _sdk() -> SimpleNamespace:
    from quark.compat.wandb.config import Config
    from quark.compat.wandb.errors import ConfigError
    from quark.compat.wandb.naming import generate_id
    from quark.compat.wandb.run import Run
    from quark.compat.wandb.settings import Settings
    from quark.compat.wandb.summary import Summary

    return SimpleNamespace(
        wandb_run=SimpleNamespace(Run=Run),
        wandb_config=SimpleNamespace(Config=Config),
        wandb_summary=SimpleNamespace(Summary=Summary),
        wandb_settings=SimpleNamespace(Settings=Settings),
        lib=SimpleNamespace(
            RunDisabled=Run,
            config_util=SimpleNamespace(ConfigError=ConfigError),
            runid=SimpleNamespace(generate_id=generate_id),
        ),
    )


def _api() -> SimpleNamespace:
    return SimpleNamespace(api_key=None, default_entity=None)


def _env() -> SimpleNamespace:
    from quark.compat.wandb.environment import read_environment

    return SimpleNamespace(
        get_project=lambda default=None: read_environment().get("project", default),
        get_entity=lambda default=None: read_environment().get("entity", default),
        is_offline=lambda: read_environment().get("mode") in ("offline", "dryrun"),
    )
