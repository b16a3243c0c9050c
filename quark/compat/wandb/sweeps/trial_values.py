"""The values that a sweep gives to a run: their file, and what ``init`` makes of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quark import jsonio
from quark.compat.wandb import term
from quark.compat.wandb.config_sources import plain_config, read_yaml
from quark.compat.wandb.environment import process_settings
from quark.compat.wandb.errors import ConfigError
from quark.compat.wandb.settings import Settings
from quark.compat.wandb.sweeps.active import active_trial
from quark.errors import SchemaValidationError

_FIXED = ("project", "entity", "run_id")
_VERSION = "wandb_version"


def take_part(wanted: Settings) -> dict[str, Any]:
    """Let a run that belongs to a sweep have the sweep's id, project and values.

    What the script says of these is passed over, with a warning. Return the values, which win over
    the script's config and are locked; empty if there is no sweep.

    Raises:
        ConfigError: The file that ``WANDB_SWEEP_PARAM_PATH`` names is not there or no good.
        TrainingStoppedError: The trial is to end before it has begun.
    """
    trial = active_trial()
    if trial is None:
        given = process_settings()
        if given.get("sweep_id"):
            _fix(wanted, given)
        path = wanted.sweep_param_path
        return {} if not path else read_values(Path(path))
    if trial.running is not None:
        trial.running.check()
    fixed = {"project": trial.project, "entity": trial.entity, "run_id": trial.run_id}
    _fix(wanted, {**fixed, "entity": trial.entity})
    wanted.sweep_id = trial.sweep_id
    return {name: plain_config(value) for name, value in trial.values.items()}


def write_values(path: Path, values: Mapping[str, Any]) -> None:
    """Write the values of a trial as W&B does: YAML, which this JSON is too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    body = {_VERSION: 1, **{name: {"value": value} for name, value in values.items()}}
    path.write_text(_text(jsonio.to_plain(body)) + "\n")


def read_values(path: Path) -> dict[str, Any]:
    """Return the values in a file that an agent wrote, W&B's too.

    Raises:
        ConfigError: It is not there, or holds something else.
        MissingDependencyError: It is not one of ours, and PyYAML is not installed.
    """
    try:
        found = jsonio.loads(path.read_bytes())
    except SchemaValidationError:
        return {name: plain_config(value) for name, value in read_yaml(path).items()}
    except OSError as error:
        raise ConfigError(f"Sweep values {path} cannot be read: {error.strerror}.") from error
    if not isinstance(found, dict):
        raise ConfigError(f"Sweep values {path} hold a {type(found).__name__}, not a mapping.")
    return {
        name: given["value"] if isinstance(given, dict) and "value" in given else given
        for name, given in found.items()
        if name != _VERSION
    }


def _fix(wanted: Settings, fixed: Mapping[str, Any]) -> None:
    for name in _FIXED:
        given, own = getattr(wanted, name), fixed.get(name)
        if given is not None and given != own:
            term.warn_once(
                f"sweep {name} {given}", f"Ignoring {name} {given!r} when running a sweep."
            )
        setattr(wanted, name, own)


def _text(value: Any) -> str:
    """Return JSON in which YAML 1.1 finds the same numbers: it wants a point before an exponent."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_text(key)}: {_text(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, float) and math.isfinite(value):
        digits, exponent, power = repr(value).partition("e")
        if not exponent:
            return digits
        sign = "" if power.startswith("-") else "+"
        return f"{digits if '.' in digits else digits + '.0'}e{sign}{power.lstrip('+')}"
    return jsonio.dumps(value).decode()
