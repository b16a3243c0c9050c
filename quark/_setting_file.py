"""``config.toml``: settings, and targets, which are places to keep runs in that have a name.

A target speaks for all of :data:`PLACE` at once, or not at all: a key of one service must not go
to another, and no half of a place may come from elsewhere. So what the file says flatly of the
place does not hold beside a target, and nothing of the target does beside a place that the
environment or an argument names.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

from quark.errors import SettingsError

#: What a target may set.
PLACE: Final = ("persistence_url", "user_key", "workspace", "storage_dir")
TARGETS: Final = "targets"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

Values = Mapping[str, Any]


class ConfigFile(NamedTuple):
    """What a file says: settings as TOML has them, and targets by name."""

    settings: dict[str, Any]
    targets: dict[str, dict[str, str]]


def a_target(name: str) -> str:
    """Take what can name a table of TOML without quotes."""
    fine = _NAME.fullmatch(name) is not None
    return "" if fine else "be up to 64 letters, digits, '_' and '-', a letter or digit first"


def read_config(path: str, known: Collection[str]) -> ConfigFile:
    """Read the file; one that is not there says nothing.

    Args:
        path: The file.
        known: The settings that there are.

    Raises:
        SettingsError: It cannot be read, is no TOML, or names what is no setting.
    """
    try:
        with open(path, "rb") as file:
            content = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return ConfigFile({}, {})
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read: {error.strerror}. Repair or remove it."
        ) from error
    return parse_config(content, path, known)


def parse_config(content: bytes, path: str, known: Collection[str]) -> ConfigFile:
    """Return what the bytes of a file say; ``path`` is for messages. As :func:`read_config`."""
    import tomllib  # only those who have a file pay for it

    try:
        values = tomllib.loads(content.decode())
    except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError are both
        raise SettingsError(f"{path} is not valid TOML: {error}. Repair or remove it.") from error
    targets = _targets(values.pop(TARGETS, {}), path)
    unknown = sorted(values.keys() - set(known))
    if unknown:
        raise SettingsError(
            f"{path} sets {unknown[0]!r}, which is not a setting. Settings are "
            f"{', '.join(known)}; places with a name are tables [{TARGETS}.NAME]."
        )
    return ConfigFile(values, targets)


def _targets(tables: Any, path: str) -> dict[str, dict[str, str]]:
    if not isinstance(tables, dict):
        raise SettingsError(f"{path} sets 'targets', which must be tables [{TARGETS}.NAME].")
    for name, table in tables.items():
        rule = a_target(name)
        if rule:
            raise SettingsError(f"{path} has a target {name!r}, but its name must {rule}.")
        if not isinstance(table, dict):
            raise SettingsError(f"{path} sets {name!r} in {TARGETS}, which must be a table.")
        for key, value in table.items():
            if key not in PLACE:
                raise SettingsError(
                    f"{path} sets {key!r} in [{TARGETS}.{name}], which is not a setting of a "
                    f"target. Those are {', '.join(PLACE)}."
                )
            if not isinstance(value, str):  # not shown: it may be meant as a key
                raise SettingsError(f"{path}: {key} in [{TARGETS}.{name}] must be a string.")
    return tables


def with_target(
    file: ConfigFile, environment: Values, arguments: Values, *, path: str
) -> dict[str, Any]:
    """Return the values that hold, by their strength: the target stands where it was named, above
    the file's own settings and below those who named it and what is stronger still.

    Raises:
        SettingsError: There is no target of the name.
    """
    name = next(
        (
            source["target"]
            for source in (arguments, environment, file.settings)
            if "target" in source
        ),
        None,
    )
    plain = {**file.settings, **environment, **arguments}
    if not isinstance(name, str):  # there is none, or it breaks its rule
        return plain
    target = file.targets.get(name)
    if target is None:
        there = ", ".join(file.targets) or "none"
        raise SettingsError(
            f"Setting target is {name!r}, but {path} has no [{TARGETS}.{name}]; its targets: "
            f"{there}. Make one with `quark init --target NAME`."
        )
    weaker, stronger = file.settings, {**environment, **arguments}
    if "target" in arguments:
        weaker, stronger = {**file.settings, **environment}, dict(arguments)
    if _is_elsewhere(stronger, target):
        plain.pop("target")
        return plain
    kept = {key: value for key, value in weaker.items() if key not in PLACE}
    if "user_key" in environment and not _is_elsewhere(environment, target):
        kept["user_key"] = environment["user_key"]  # for targets whose key is in no file
    return {**kept, **target, **stronger, "target": name}


def _is_elsewhere(values: Values, target: Mapping[str, str]) -> bool:
    """Say whether values name a store other than the target's."""
    url = values.get("persistence_url")
    return url is not None and _service(url) != _service(target.get("persistence_url", ""))


def _service(url: str) -> str:
    return url.partition("?")[0].rstrip("/")


def quoted(text: str) -> str:
    """Return a TOML string.

    >>> quoted('C:\\\\data "1"')
    '"C:\\\\\\\\data \\\\"1\\\\""'
    """
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return "\\" + letter
    return letter if letter.isprintable() else f"\\U{ord(letter):08x}"
