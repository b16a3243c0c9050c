"""The ``WANDB_*`` variables. W&B reads them once per process, the shim at every ``init``."""

from __future__ import annotations

from typing import Any

from quark.settings import environment

PREFIX = "WANDB_"

#: Variables that are not simply the setting's name in capitals.
_SETTING_OF = {
    "NAME": "run_name",
    "NOTES": "run_notes",
    "TAGS": "run_tags",
    "JOB_TYPE": "run_job_type",
    "DIR": "root_dir",
}
_TRUE = frozenset({"1", "true", "yes", "on", "t", "y"})
_SWITCHES = frozenset({"quiet", "save_code", "disable_code", "disable_git", "silent", "symlink"})


def read_environment() -> dict[str, Any]:
    """Return the settings that the environment gives, by W&B's names for them.

    ``WANDB_DISABLED``, which W&B 0.31 ignores, still means ``mode="disabled"``.
    """
    found: dict[str, Any] = {}
    for variable, text in sorted(environment((PREFIX,)).items()):
        name = variable.removeprefix(PREFIX)
        if not text or name == "DISABLED":
            continue
        setting = _SETTING_OF.get(name, name.lower())
        found[setting] = _parsed(setting, text)
    if is_true(environment((PREFIX,)).get("WANDB_DISABLED", "")):
        found["mode"] = "disabled"
    return found


def is_true(text: str) -> bool:
    """Say whether a variable's text switches something on."""
    return text.strip().lower() in _TRUE


def _parsed(setting: str, text: str) -> Any:
    if setting == "run_tags":
        return tuple(tag.strip() for tag in text.split(",") if tag.strip())
    if setting in _SWITCHES:
        return is_true(text)
    return text
