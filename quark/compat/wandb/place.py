"""Where the shim's runs are kept."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from typing import Any

from quark.compat.wandb.environment import process_settings
from quark.compat.wandb.errors import InvalidSettingError
from quark.compat.wandb.settings import Settings
from quark.compat.wandb.term import warn_once
from quark.errors import SessionStoreError, SettingsError
from quark.persistence.open import with_own_workspace
from quark.settings import Settings as QuarkSettings


def quark_settings(wanted: Settings) -> QuarkSettings:
    """Return Quark's settings for a run.

    The storage directory is ``QUARK_STORAGE_DIR`` (or the configuration file's), else ``dir=`` or
    ``WANDB_DIR``, else the working directory. A W&B entity is a workspace. The embedded store is
    on this machine, so ``offline`` delivers to it too; only a service is not spoken to then.

    Raises:
        InvalidSettingError: The entity cannot be a workspace, or what is to be the interval of
            samples is none.
    """
    base = QuarkSettings.load()
    changes: dict[str, Any] = {}
    if base.storage_dir is None and wanted.root_dir is not None:
        changes["storage_dir"] = os.fspath(wanted.root_dir)
    if wanted.entity:
        changes["workspace"] = wanted.entity
    if wanted.quark_mirror is not None:
        changes["wandb_mirror"] = bool(wanted.quark_mirror)
    changes.update(_sampling(wanted))
    if wanted.mode == "offline" and (base.persistence_url or "").startswith("http"):
        changes["mode"] = "offline"
    try:
        where = replace(base, **changes)
        with contextlib.suppress(SessionStoreError):  # who reads or writes is told so
            where = with_own_workspace(where)
        return where
    except SettingsError as error:
        raise InvalidSettingError(str(error)) from error


def in_a_writable_place(where: QuarkSettings, wanted: Settings) -> QuarkSettings:
    """Return ``where``, moved to the folder for temporary files if the one that the script named,
    or the working folder, cannot be written. A site's own ``QUARK_STORAGE_DIR`` stays."""
    asked = wanted.root_dir
    if where.storage_dir is not None and (asked is None or where.storage_dir != os.fspath(asked)):
        return where
    folder = where.storage_path
    try:
        os.makedirs(folder, exist_ok=True)
        if os.access(folder, os.W_OK | os.X_OK):
            return where
        reason = "it is not writable"
    except OSError as error:
        reason = str(error.strerror)
    import tempfile  # only where something is wrong

    instead = tempfile.gettempdir()
    warn_once(
        "init(dir=)",
        f"nothing can be kept in {folder} ({reason}), so runs are kept in {instead}. Pass a "
        "folder that can be written as dir=, or set WANDB_DIR.",
    )
    wanted.update({"root_dir": instead})
    return replace(where, storage_dir=instead)


def _sampling(wanted: Settings) -> dict[str, Any]:
    """Return how often the machine is sampled, where the script or a variable says so."""
    if wanted.x_disable_stats or getattr(wanted, "_disable_stats", None):
        return {"system_sample_seconds": 0.0}
    seconds = wanted.x_stats_sampling_interval
    return {} if seconds is None else {"system_sample_seconds": seconds}


def launch_metadata(wanted: Settings) -> dict[str, Any]:
    """Return what settings and variables say of the launch and the repository.

    It takes the place of what is found out in ``run_metadata.json``.
    """
    arguments = process_settings().get("args")
    launcher = {
        "program": wanted.program,
        "argv": None if arguments is None else arguments.split(),
        "host": wanted.host,
        "username": wanted.username,
        "notebook": wanted.notebook_name,
        "label": wanted.x_label,
    }
    found = {
        "git_sha": wanted.git_commit,
        "git_remote_url": wanted.git_remote_url,
        "launcher": {name: value for name, value in launcher.items() if value is not None},
    }
    return {name: value for name, value in found.items() if value}
