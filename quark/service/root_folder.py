"""The root folder of a service: whether it can be used, by whom it is, and on which engines.

Several processes of one host may share a root. Two hosts may not, as SQLite's locks do not reach
from one to the other on every network file system; so each process keeps a file there and touches
it now and then. Their ages are told by the file system alone: clocks of hosts differ.
"""

from __future__ import annotations

import contextlib
import os
import platform
import tempfile
from pathlib import Path
from typing import Any

from quark import jsonio
from quark.errors import SchemaMigrationError, SchemaValidationError, SettingsError
from quark.service.config import ServiceConfig

#: How often a process says that it is alive, and after how long it is taken for dead.
BEAT_SECONDS = 15.0
DEAD_AFTER_SECONDS = 60.0

_FOLDER = "service"
_FORMAT = 1
_ENGINES = {"db": "db_url", "points": "points_url", "blobs": "blobs_url"}


class RootClaim:
    """Says for one process that it uses a root. Remove it with :meth:`release`."""

    def __init__(self, root: Path) -> None:
        self._path = root / _FOLDER / "processes" / f"{host_name()}-{os.getpid()}.json"

    def beat(self) -> None:
        """Make the file, or let it look young again."""
        with contextlib.suppress(OSError):  # a full disk: readiness tells that
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_bytes(jsonio.dumps({"host": host_name(), "pid": os.getpid()}))

    def release(self) -> None:
        """Remove the file."""
        with contextlib.suppress(OSError):
            self._path.unlink()


def host_name() -> str:
    """Return what tells this host from others, as a part of a file's name."""
    return "".join(c if c.isalnum() or c in ".-" else "_" for c in platform.node()) or "unknown"


def prepare_root(config: ServiceConfig) -> None:
    """Make the root if it is not there, and see that this service may use it.

    Raises:
        SettingsError: It cannot be written, another host uses it, or it was used with other
            engines; or it is new, and may not be.
        SchemaMigrationError: A newer Quark has written it.
    """
    folder = config.root / _FOLDER
    if not config.new_root and is_new(config):
        raise SettingsError(
            f"No service was on the root {config.root.absolute()} before, and new_root is off. "
            "Look whether the path is right and its disk is mounted; to begin a new store there, "
            "leave --no-new-root (QUARK_SERVE_NEW_ROOT) out once."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"?")
            probe.flush()
            now = os.fstat(probe.fileno()).st_mtime
        _check_hosts(config.root, now)
        _check_engines(config, folder / "service.json")
    except OSError as error:
        raise SettingsError(
            f"The root {config.root} cannot be used: {error.strerror}. Name a folder in which the "
            "service may write."
        ) from error


def is_new(config: ServiceConfig) -> bool:
    """Say whether neither a service nor ``quark admin`` has used the root before. One in which
    nothing is to be kept is never new."""
    if config.db_url is not None and config.blobs_url is not None:
        return False
    marks = (Path(_FOLDER, "service.json"), Path(".quark", "documents.db"), Path("workspaces"))
    return not any((config.root / mark).exists() for mark in marks)


def remember_engines(config: ServiceConfig) -> None:
    """Note which engines a root is used with, when they could be opened."""
    path = config.root / _FOLDER / "service.json"
    if not path.exists():
        engines = {name: engine_of(getattr(config, field)) for name, field in _ENGINES.items()}
        path.write_bytes(jsonio.dumps({"format": _FORMAT, "engines": engines}))


def known_engine(config: ServiceConfig, name: str) -> str | None:
    """Return which engine a root was last served with for ``db``, ``points`` or ``blobs``; None if
    it never was, or does not say.
    """
    try:
        known = jsonio.loads((config.root / _FOLDER / "service.json").read_bytes())
        return str(known["engines"][name])
    except (OSError, SchemaValidationError, KeyError, TypeError):
        return None


def _check_hosts(root: Path, now: float) -> None:
    for path in sorted((root / _FOLDER / "processes").glob("*.json")):
        host, _, pid = path.stem.rpartition("-")
        try:
            age_seconds = now - path.stat().st_mtime
        except FileNotFoundError:
            continue
        if age_seconds > DEAD_AFTER_SECONDS:
            path.unlink(missing_ok=True)
        elif host != host_name():
            raise SettingsError(
                f"The root {root} is used by process {pid} on host {host!r}, which was alive "
                f"{max(0, age_seconds):.0f} s ago; one root serves one host. Stop that service; if "
                f"its host is gone, wait {DEAD_AFTER_SECONDS:.0f} s, or remove {path}."
            )


def _check_engines(config: ServiceConfig, path: Path) -> None:
    engines = {name: engine_of(getattr(config, field)) for name, field in _ENGINES.items()}
    try:
        known: dict[str, Any] = jsonio.loads(path.read_bytes())
    except FileNotFoundError:
        return
    except SchemaValidationError as error:
        raise SettingsError(
            f"{path} is damaged: {error} Remove it to have it made anew."
        ) from error
    if known["format"] > _FORMAT:
        raise SchemaMigrationError(
            f"{config.root} was written by a newer Quark (format {known['format']}; this one knows "
            f"{_FORMAT}). Install a newer Quark."
        )
    for name, engine in engines.items():
        before = known["engines"][name]
        if before != engine:
            raise SettingsError(
                f"The root {config.root} was used with {name} in {before}, and now {name} is in "
                f"{engine}: what is there would not be seen. Start the service as before; or, if "
                f"it was moved there, remove {path}."
            )


def engine_of(url: str | None) -> str:
    """Return the engine that a URL names; no URL stands for files."""
    return "files" if url is None else url.partition("://")[0]
