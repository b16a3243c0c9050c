"""The ``WANDB_*`` variables: any setting as ``WANDB_<NAME>``, and W&B's own words for some.

They are read once, when the module is used first (importing it is no use), and again after
``teardown``: a script that sets ``WANDB_RUN_ID`` for its children does not get it itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from quark.settings import environment

PREFIX = "WANDB_"

#: Variables that are not simply the setting's name in capitals, without the prefix.
SETTING_OF = {
    "APP_URL": "app_url_override",
    "DIR": "root_dir",
    "FILE_PUSHER_TIMEOUT": "x_file_transfer_timeout_seconds",
    "HTTP_TIMEOUT": "x_graphql_timeout_seconds",
    "JOB_TYPE": "run_job_type",
    "NAME": "run_name",
    "NOTES": "run_notes",
    "TAGS": "run_tags",
    "USER_EMAIL": "email",
}
_TRUE = frozenset({"1", "true", "yes", "on", "t", "y"})
_SWITCH_NAMES = """
allow_media_symlink allow_offline_artifacts allow_val_change console_multipart disable_code
disable_git disable_git_fork_point disable_job_creation finish_timeout_raises force
insecure_disable_ssl label_disable launch quiet relogin sagemaker_disable save_code show_colors
show_emoji show_errors show_info show_warnings silent stop_on_fatal_error strict symlink
sync_tensorboard table_raise_on_max_row_limit_exceeded use_dot_wandb x_cli_only_mode
x_disable_machine_info x_disable_meta x_disable_stats x_disable_viewer x_file_stream_no_gzip
x_flow_control_custom x_flow_control_disabled x_primary x_save_requirements
x_server_side_derived_summary x_skip_transaction_log x_stats_no_cgroup x_stats_self_usage
x_stats_track_process_tree x_sync x_update_finish_state
"""
_SWITCHES = frozenset(_SWITCH_NAMES.split())
_LISTS = frozenset({"config_paths", "ignore_globs", "run_tags", "x_stats_disk_paths"})
_NUMBER_WORDS = ("_seconds", "_bytes", "_timeout", "_interval", "_max", "_count")

_kept: dict[str, Any] | None = None


def process_settings() -> dict[str, Any]:
    """Return the settings that the environment gave when this was called first."""
    global _kept
    if _kept is None:
        _kept = read_environment()
    return dict(_kept)


def forget() -> None:
    """Let the next use read the environment anew."""
    global _kept
    _kept = None


def read_environment() -> dict[str, Any]:
    """Return the settings that the environment gives now, by W&B's names for them.

    ``WANDB_DISABLED``, which W&B 0.31 ignores, still means ``mode="disabled"``.
    """
    variables = {
        variable.removeprefix(PREFIX): text
        for variable, text in sorted(environment((PREFIX,)).items())
        if text
    }
    found = {setting_of(name): text for name, text in variables.items() if name != "DISABLED"}
    values = {setting: _parsed(setting, text) for setting, text in found.items()}
    if values.get("disable_code"):
        values["save_code"] = False
    if is_true(variables.get("DISABLED", "")):
        values["mode"] = "disabled"
    return values


def setting_of(name: str) -> str:
    """Return the setting that a variable means; ``name`` is without the prefix.

    >>> setting_of("NAME"), setting_of("ENTITY"), setting_of("_DISABLE_STATS")
    ('run_name', 'entity', 'x_disable_stats')
    """
    if name.startswith("_"):
        return f"x{name.lower()}"
    return SETTING_OF.get(name, name.lower())


def is_true(text: str) -> bool:
    """Say whether a variable's text switches something on."""
    return text.strip().lower() in _TRUE


def _parsed(setting: str, text: str) -> Any:
    if setting in _LISTS:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if setting in _SWITCHES:
        return is_true(text)
    if setting.endswith(_NUMBER_WORDS):
        for number in _NUMBERS:
            try:
                return number(text)
            except ValueError:
                continue
    return text


_NUMBERS: tuple[Callable[[str], float], ...] = (int, float)


def variables_of(settings: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of the variables that set ``settings``."""
    special = {setting: name for name, setting in SETTING_OF.items()}
    return frozenset(PREFIX + special.get(name, name.upper()) for name in settings)
