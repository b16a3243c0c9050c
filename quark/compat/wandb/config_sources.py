"""What ``init(config=)`` and ``config.update`` take, and how its values become plain."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import importlib
import math
import os
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quark.compat.wandb.errors import ConfigError
from quark.compat.wandb.values import FAULTS, LIST_LIMIT, SCALARS, as_text, dotted_name, plain
from quark.errors import MissingDependencyError

DEFAULTS_FILE = "config-defaults.yaml"
_NOT_CONFIG = ("wandb_version", "_wandb")
_MAX_DEPTH = 60


def read_config(source: Any) -> dict[str, Any]:
    """Return the top level of a config as a dict of the caller's values.

    Args:
        source: A mapping (OmegaConf's DictConfig too), an ``argparse.Namespace``, absl's FLAGS,
            anything with a ``__dict__``, or the path of a YAML file.

    Raises:
        TypeError: It is none of these.
        ConfigError: The file is not there or is no mapping.
        MissingDependencyError: The file needs PyYAML, which is not installed.
    """
    if isinstance(source, (str, os.PathLike)):
        return read_yaml(Path(source))
    if hasattr(source, "flag_values_dict"):  # absl
        return dict(source.flag_values_dict())
    if _is_omegaconf(source):
        omegaconf = importlib.import_module("omegaconf")
        return dict(omegaconf.OmegaConf.to_container(source, resolve=True))
    if isinstance(source, Mapping):
        return dict(source)
    if dataclasses.is_dataclass(source) and not isinstance(source, type):
        return {field.name: getattr(source, field.name) for field in dataclasses.fields(source)}
    if hasattr(source, "keys") and hasattr(source, "__getitem__"):
        return {key: source[key] for key in source.keys()}  # noqa: SIM118
    if hasattr(source, "__dict__") and not isinstance(source, type):
        return dict(vars(source))
    raise TypeError(
        f"A config is a dict, a Namespace, a dataclass, anything with a __dict__, or the path of a "
        f"YAML file, not a {type(source).__name__}."
    )


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the values of a YAML file, written as ``key: value`` or ``key: {value: ...}``.

    Raises:
        ConfigError: It is not there, or is no mapping.
        MissingDependencyError: PyYAML is not installed.
    """
    try:
        text = path.read_text()
    except OSError as error:
        raise ConfigError(f"Config file {path} cannot be read: {error.strerror}.") from error
    try:
        yaml = importlib.import_module("yaml")
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"Reading the config file {path} needs the package 'yaml', which is not installed. "
            "Install it with: pip install pyyaml",
            name="yaml",
        ) from error
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"Config file {path} is not valid YAML: {error}") from error
    if found is not None and not isinstance(found, dict):
        raise ConfigError(f"Config file {path} holds a {type(found).__name__}, not a mapping.")
    return {
        str(key): value["value"] if isinstance(value, dict) and "value" in value else value
        for key, value in (found or {}).items()
        if key not in _NOT_CONFIG
    }


def join_config(values: Mapping[str, Any], into: dict[str, Any]) -> None:
    """Put ``values`` into a config; a dict is joined with the dict that is there."""
    for key, value in values.items():
        there = into.get(key)
        if isinstance(value, dict) and isinstance(there, dict):
            join_config(value, there)
        else:
            into[key] = value


def plain_config(value: Any, depth: int = 0) -> Any:
    """Return the plain form of a config value.

    It differs from what ``log`` makes of it: an enum is its name, NaN is None, what has no plain
    form (large arrays, devices, modules) is its text without a warning.
    """
    kind = type(value)
    if kind is float and math.isnan(value):
        return None
    if kind in SCALARS or value is None:
        return value
    if depth > _MAX_DEPTH:
        return as_text(value)
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, Mapping) or _is_omegaconf(value) or _is_namespace(value):
        items = read_config(value).items()
        return {
            key if isinstance(key, (str, int)) else str(key): plain_config(item, depth + 1)
            for key, item in items
        }
    if isinstance(value, (list, tuple, set, frozenset, range)):
        return [plain_config(item, depth + 1) for item in value]
    if isinstance(value, datetime.timedelta):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {key: plain_config(item, depth + 1) for key, item in read_config(value).items()}
    if isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType)):
        return dotted_name(value)
    return _foreign(value)


def _foreign(value: Any) -> Any:
    try:
        if hasattr(value, "tolist") and hasattr(value, "shape"):
            large = math.prod(value.shape) > LIST_LIMIT
            return str(value) if large else plain_config(plain(value))
        if isinstance(value, _WITH_PLAIN_FORM) or hasattr(value, "item"):
            return plain_config(plain(value))
        return str(value)
    except FAULTS:
        return as_text(value)


_WITH_PLAIN_FORM = (int, float, str, bytes, bytearray, os.PathLike, datetime.date, datetime.time)


def _is_namespace(value: Any) -> bool:
    return type(value).__module__ == "argparse"


def _is_omegaconf(value: Any) -> bool:
    return type(value).__module__.startswith("omegaconf.")
