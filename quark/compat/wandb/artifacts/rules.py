"""What names, types, metadata, aliases, tags and paths of artifacts may be; W&B's rules."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import math
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple

from quark import jsonio
from quark.catalog.model import version_index
from quark.compat.wandb.term import warn_once
from quark.compat.wandb.values import LIST_LIMIT, dotted_name
from quark.errors import SchemaValidationError

MAX_NAME_LENGTH = 128
MAX_METADATA_KEYS = 100

_NAME = re.compile(r"[a-zA-Z0-9_\-.]+")
_TAG = re.compile(r"[-\w]+( +[-\w]+)*")
#: Types of W&B's own, and how the names of their artifacts begin.
_RESERVED = {"job": "", "run_table": "run-", "code": "source-"}


class ArtifactPath(NamedTuple):
    """``entity/project/name:alias`` in its parts; what was not given is an empty text."""

    entity: str
    project: str
    name: str
    alias: str

    @classmethod
    def parse(cls, path: str) -> ArtifactPath:
        """Read ``name``, ``project/name`` or ``entity/project/name``, each with ``:alias`` or not.

        Raises:
            ValueError: ``path`` is none of these.

        >>> ArtifactPath.parse("vision/digits:v3")
        ArtifactPath(entity='', project='vision', name='digits', alias='v3')
        """
        place, _, alias = path.removeprefix("wandb-artifact://").partition(":")
        parts = place.split("/")
        if len(parts) > 3 or not parts[-1]:
            raise ValueError(
                f"{path!r} is not the path of an artifact: 'entity/project/name:alias', "
                "'project/name:alias' or 'name:alias'."
            )
        entity, project, name = (["", "", *parts])[-3:]
        return cls(entity, project, name, alias)


def check_name(name: str) -> str:
    """Return the name of an artifact.

    Raises:
        ValueError: It is too long, or holds other characters than it may.
    """
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME_LENGTH:
        raise ValueError(
            f"The artifact name {name[:150]!r} is not valid: it may hold letters, digits, '-', "
            f"'_' and '.', 1 to {MAX_NAME_LENGTH} of them."
        )
    return name


def check_type(type: str, name: str) -> str:
    """Return the type of an artifact.

    Raises:
        ValueError: It is W&B's own.
    """
    prefix = _RESERVED.get(type)
    if type.startswith("wandb-") or (prefix is not None and name.startswith(prefix)):
        raise ValueError(f"The artifact type {type!r} is W&B's own; use another word.")
    return type


def safe_name(name: str) -> str:
    """Return ``name`` with an underscore in the place of what artifact names may not hold.

    >>> safe_name("run-1-a b/c")
    'run-1-a_b_c'
    """
    cleaned = re.sub(r"[^a-zA-Z0-9_\-.]", "_", name)
    return cleaned if len(cleaned) <= MAX_NAME_LENGTH else f"{cleaned[:63]}..{cleaned[-63:]}"


def check_aliases(aliases: Iterable[str] | str | None) -> list[str]:
    """Return aliases, each once.

    Raises:
        ValueError: One holds a ``/`` or a ``:``.
    """
    found = [aliases] if isinstance(aliases, str) else list(aliases or ())
    if any(character in alias for alias in found for character in "/:"):
        raise ValueError(f"Aliases must not hold '/' or ':'; these were given: {found}.")
    return list(dict.fromkeys(found))


def usable_aliases(aliases: Iterable[str]) -> tuple[str, ...]:
    """Leave out what libraries pass and cannot be an alias: empty ones, and names of versions."""
    found = [alias for alias in aliases if alias]
    for alias in found:
        if version_index(alias) is not None:
            warn_once(
                f"alias {alias}",
                f"the alias {alias!r} is left out: it is the name of a version, which every "
                "version has by itself.",
            )
    return tuple(alias for alias in found if version_index(alias) is None)


def check_tags(tags: Iterable[str] | str | None) -> list[str]:
    """Return tags, each once.

    Raises:
        ValueError: One is no words of letters, digits, ``-`` and ``_``.
    """
    found = list(dict.fromkeys([tags] if isinstance(tags, str) else tags or ()))
    for tag in found:
        if not _TAG.fullmatch(tag):
            raise ValueError(
                f"The tag {tag!r} is not valid: it may hold words of letters, digits, '-' and '_'."
            )
    return found


def check_metadata(metadata: Mapping[str, Any] | str | None) -> dict[str, Any]:
    """Return metadata as it is kept: plain, with None for NaN.

    Raises:
        TypeError: It is no dict, or holds something that JSON cannot say.
        ValueError: It holds an infinity, or has more than 100 keys.
    """
    if isinstance(metadata, str) and metadata:
        metadata = jsonio.python_loads(metadata)
    if not metadata and (metadata is None or isinstance(metadata, str)):
        return {}
    if not isinstance(metadata, Mapping):
        raise TypeError(f"The metadata of an artifact is a dict, not a {type(metadata).__name__}.")
    found: dict[str, Any] = _plain(metadata)
    if len(found) > MAX_METADATA_KEYS:
        raise ValueError(
            f"The metadata has {len(found)} keys, but may have {MAX_METADATA_KEYS}; put what is "
            "more into a file of the artifact."
        )
    return found


def logical_path(path: str | os.PathLike[str]) -> str:
    """Return a path as artifacts write it: with slashes, without ``.`` and doubled slashes."""
    return str(PurePosixPath(os.fspath(path)))


def check_path(path: str | os.PathLike[str]) -> str:
    """Return the path of a file in an artifact.

    Raises:
        ValueError: It is absolute, or leads out of the artifact.
    """
    found = logical_path(path)
    posix, windows = PurePosixPath(found), PureWindowsPath(found)
    if found == "." or posix.anchor or windows.anchor or ".." in (*posix.parts, *windows.parts):
        raise ValueError(
            f"The path {os.fspath(path)!r} in an artifact is not valid: it must be relative, and "
            "must not lead out of the artifact."
        )
    return found


def _plain(value: Any, depth: int = 0) -> Any:
    if depth > 100:
        raise TypeError("The metadata of an artifact nests deeper than 100 levels; flatten it.")
    if value is None or isinstance(value, (str, bool)):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return _number(float(value))
    if isinstance(value, Mapping):
        return {_key(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: _plain(getattr(value, field.name), depth + 1)
            for field in dataclasses.fields(value)
        }
    return _foreign(value, depth)


def _foreign(value: Any, depth: int) -> Any:
    if hasattr(value, "tolist") and hasattr(value, "shape"):  # arrays, tensors and their scalars
        count = math.prod(value.shape)
        if count == 1:
            return _plain(value.item(), depth + 1)
        return _plain(value.tolist(), depth + 1) if count <= LIST_LIMIT else str(value)
    if callable(value) and hasattr(value, "__qualname__"):
        return dotted_name(value)
    if type(value).__module__ == "builtins":
        raise TypeError(
            f"A {type(value).__name__} in the metadata of an artifact cannot be written as JSON; "
            "use numbers, strings, booleans, None, lists and dicts."
        )
    return str(value)


def _number(number: float) -> float | None:
    if math.isinf(number):
        raise ValueError("The metadata of an artifact cannot hold an infinity; use None or a text.")
    return None if math.isnan(number) else number


def _key(key: Any) -> str:
    if isinstance(key, str):
        return str(key)
    if key is None or isinstance(key, (bool, int, float)):
        try:
            return jsonio.python_dumps(key)
        except SchemaValidationError as error:
            raise TypeError(str(error)) from error
    item = getattr(key, "item", None)
    if callable(item):  # a numpy scalar
        return _key(item())
    raise TypeError(f"The key {key!r} in the metadata of an artifact is no string.")
