"""``wandb.env``: the names of W&B's variables, and what they say now."""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping

from quark.compat.wandb.environment import is_true
from quark.settings import environment, set_environment_variable

API_KEY = "WANDB_API_KEY"
ARGS = "WANDB_ARGS"
ARTIFACT_DIR = "WANDB_ARTIFACT_DIR"
BASE_URL = "WANDB_BASE_URL"
CACHE_DIR = "WANDB_CACHE_DIR"
CONFIG_DIR = "WANDB_CONFIG_DIR"
CONFIG_PATHS = "WANDB_CONFIG_PATHS"
DATA_DIR = "WANDB_DATA_DIR"
DIR = "WANDB_DIR"
DISABLE_CODE = "WANDB_DISABLE_CODE"
DISABLE_GIT = "WANDB_DISABLE_GIT"
ENTITY = "WANDB_ENTITY"
GIT_COMMIT = "WANDB_GIT_COMMIT"
GIT_REMOTE_URL = "WANDB_GIT_REMOTE_URL"
HOST = "WANDB_HOST"
IGNORE = "WANDB_IGNORE_GLOBS"
INIT_TIMEOUT = "WANDB_INIT_TIMEOUT"
JOB_TYPE = "WANDB_JOB_TYPE"
MODE = "WANDB_MODE"
NAME = "WANDB_NAME"
NOTEBOOK_NAME = "WANDB_NOTEBOOK_NAME"
NOTES = "WANDB_NOTES"
PROGRAM = "WANDB_PROGRAM"
PROJECT = "WANDB_PROJECT"
QUIET = "WANDB_QUIET"
RESUME = "WANDB_RESUME"
RUN_GROUP = "WANDB_RUN_GROUP"
RUN_ID = "WANDB_RUN_ID"
SAVE_CODE = "WANDB_SAVE_CODE"
SERVICE = "WANDB_SERVICE"
SILENT = "WANDB_SILENT"
SWEEP_ID = "WANDB_SWEEP_ID"
SWEEP_PARAM_PATH = "WANDB_SWEEP_PARAM_PATH"
TAGS = "WANDB_TAGS"
USERNAME = "WANDB_USERNAME"

_Variables = Mapping[str, str] | None


def get_project(default: str | None = None, env: _Variables = None) -> str | None:
    return _get(PROJECT, default, env)


def get_entity(default: str | None = None, env: _Variables = None) -> str | None:
    return _get(ENTITY, default, env)


def get_run(default: str | None = None, env: _Variables = None) -> str | None:
    return _get(RUN_ID, default, env)


def get_username(default: str | None = None, env: _Variables = None) -> str | None:
    return _get(USERNAME, default, env)


def get_base_url(default: str | None = None, env: _Variables = None) -> str | None:
    return _get(BASE_URL, default, env)


def get_dir(default: str | None = None, env: _Variables = None) -> str | None:
    return _get(DIR, default, env)


def get_cache_dir(env: _Variables = None) -> str:
    """Return the folder for what can be fetched or made again."""
    return _get(CACHE_DIR, None, env) or os.path.expanduser(os.path.join("~", ".cache", "wandb"))


def get_tags(default: str = "", env: _Variables = None) -> list[str]:
    return [tag for tag in (_get(TAGS, default, env) or "").split(",") if tag]


def is_offline(env: _Variables = None) -> bool:
    return _get(MODE, None, env) == "offline"


def is_quiet() -> bool:
    return is_true(_get(QUIET, "", None) or "")


def is_silent() -> bool:
    return is_true(_get(SILENT, "", None) or "")


def should_save_code() -> bool:
    disabled = is_true(_get(DISABLE_CODE, "", None) or "")
    return is_true(_get(SAVE_CODE, "", None) or "") and not disabled


def disable_git(env: _Variables = None) -> bool:
    return is_true(_get(DISABLE_GIT, "", env) or "")


def set_project(value: str, env: MutableMapping[str, str] | None = None) -> None:
    """Name the project for what reads the environment later: other processes, or ``init`` if the
    environment was not read yet."""
    _set(PROJECT, value, env)


def set_entity(value: str, env: MutableMapping[str, str] | None = None) -> None:
    """Name the entity; the same as :func:`set_project` otherwise."""
    _set(ENTITY, value, env)


def _get(name: str, default: str | None, env: _Variables) -> str | None:
    variables: Mapping[str, str] = environment((name,)) if env is None else env
    return variables.get(name, default)


def _set(name: str, value: str, env: MutableMapping[str, str] | None) -> None:
    if env is None:
        set_environment_variable(name, value)
    else:
        env[name] = value
