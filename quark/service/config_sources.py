"""Where a service's configuration comes from: flags, the environment, a file, in this order.

A URL with a password in it need not be in any of these: ``db_file`` and its like name a file that
holds it, such as what systemd's ``LoadCredential`` gives.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields
from pathlib import Path
from typing import Any

from quark.errors import SettingsError
from quark.service.config import ServiceConfig
from quark.service.limits import GuardLimits
from quark.settings import environment

PREFIX = "QUARK_SERVE_"
_CONFIG_VARIABLE = f"{PREFIX}CONFIG"

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True, slots=True)
class Option:
    """One thing that a service can be told. ``type`` is the field's annotation."""

    name: str
    field: str
    type: str
    default: Any
    doc: str
    of_guards: bool

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper()

    @property
    def is_url(self) -> bool:
        """Whether it may hold a password, and so may come from a file."""
        return self.field.endswith("_url")


def _option(item: Field[Any], *, of_guards: bool) -> Option:
    return Option(
        name=item.name.removesuffix("_url"),
        field=item.name,
        type=str(item.type),
        default=None if item.default is MISSING else item.default,
        doc=item.metadata["doc"],
        of_guards=of_guards,
    )


OPTIONS = (
    *(_option(item, of_guards=False) for item in fields(ServiceConfig) if item.name != "guards"),
    *(_option(item, of_guards=True) for item in fields(GuardLimits)),
)
_BY_NAME = {option.name: option for option in OPTIONS}
_FILES = {f"{option.name}_file": option for option in OPTIONS if option.is_url}


def load_config(flags: Mapping[str, Any], config_file: Path | None = None) -> ServiceConfig:
    """Gather the configuration of a service.

    Args:
        flags: Options by name, with ``db_file`` and its like; None and () mean not given.
        config_file: A TOML file of options by name; the variable ``QUARK_SERVE_CONFIG`` if None.

    Raises:
        SettingsError: A value is not allowed, a name is not known, or a file cannot be read.
    """
    variables = {
        name: text for name, text in environment((PREFIX,)).items() if text and name.isupper()
    }
    named = variables.pop(_CONFIG_VARIABLE, None)
    path = config_file or (Path(named) if named else None)
    values: dict[Option, Any] = {}
    if path is not None:
        values |= _read(_from_file(path), str(path))
    values |= _read(
        {name.removeprefix(PREFIX).lower(): text for name, text in variables.items()},
        "The environment",
    )
    given = {name: value for name, value in flags.items() if value not in (None, ())}
    values |= _read(given, "The command line")
    return _config(values)


def _config(values: Mapping[Option, Any]) -> ServiceConfig:
    own = {option.field: value for option, value in values.items() if not option.of_guards}
    guards = {option.field: value for option, value in values.items() if option.of_guards}
    if "root" not in own:
        raise SettingsError(
            f"root is not set. Say with --root DIR or {PREFIX}ROOT in which folder the service "
            "keeps things."
        )
    return ServiceConfig(guards=GuardLimits(**guards), **own)


def _read(given: Mapping[str, Any], source: str) -> dict[Option, Any]:
    values: dict[Option, Any] = {}
    for name, value in given.items():
        option = _BY_NAME.get(name) or _FILES.get(name)
        if option is None:
            raise SettingsError(
                f"{source} sets {name!r}, which is nothing that a service can be told. Known are "
                f"{', '.join(sorted([*_BY_NAME, *_FILES]))}."
            )
        if option in values:
            raise SettingsError(
                f"{source} sets both {option.name} and {option.name}_file; leave one out."
            )
        values[option] = _secret(value) if name in _FILES else _parsed(option, value, source)
    return values


def _from_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise SettingsError(f"The configuration {path} cannot be read: {error}.") from error


def _secret(path: object) -> str:
    try:
        return Path(str(path)).read_text().strip()
    except (OSError, ValueError) as error:
        raise SettingsError(f"The file {path} with a URL cannot be read: {error}.") from error


def _parsed(option: Option, value: Any, source: str) -> Any:
    kind = option.type.removesuffix(" | None")
    found: Any = None
    if kind == "tuple[str, ...]":
        parts = value.split(",") if isinstance(value, str) else value
        if isinstance(parts, list | tuple) and all(isinstance(part, str) for part in parts):
            found = tuple(part.strip() for part in parts if part.strip())
    elif kind == "bool":
        found = value if isinstance(value, bool) else _truth(value)
    elif kind in ("int", "float"):
        found = _number(value, float if kind == "float" else int)
    elif isinstance(value, str | Path):
        found = Path(value) if kind == "Path" else str(value)
    if found is None:
        shown = "[redacted]" if option.is_url else repr(value)
        raise SettingsError(f"{source} sets {option.name} to {shown}, which is no {kind}.")
    return found


def _truth(value: object) -> bool | None:
    word = str(value).strip().lower()
    return True if word in _TRUE else False if word in _FALSE else None


def _number(value: Any, kind: type[int] | type[float]) -> float | None:
    if isinstance(value, bool) or (kind is int and isinstance(value, float)):
        return None
    try:
        return kind(value)
    except (TypeError, ValueError):
        return None
