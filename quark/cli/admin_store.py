"""Which service a ``quark admin`` command is about: told as ``quark serve`` is told.

Flags come first, then ``QUARK_SERVE_…`` in the environment, then a file (``--config``). A URL with
a password belongs into one of the last two, or into a file of its own (``--db-file``): the
arguments of a process can be seen by every user of the machine.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from quark.errors import SettingsError

if TYPE_CHECKING:
    from quark.service.config import ServiceConfig

F = TypeVar("F", bound=Callable[..., Any])

_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)
_ENGINES = {
    "db": "postgresql://… if the service keeps records there.",
    "points": "clickhouse://… if points are there.",
    "blobs": "s3://… if payloads are there.",
}


def on_a_service(*engines: str, make: bool = False) -> Callable[[F], F]:
    """Add the options that say which service, and give the command its ``config``.

    Args:
        engines: Of ``db``, ``points`` and ``blobs`` those that it has to do with.
        make: Whether the command may begin a service where there is none.
    """
    options = [
        click.option("--root", type=_FOLDER, help="The service's folder."),
        click.option(
            "--config",
            "config_file",
            type=_FILE,
            help="The TOML file that the service is started with.",
        ),
    ]
    for name in engines:
        options += [
            click.option(f"--{name}", help=_ENGINES[name]),
            click.option(
                f"--{name}-file", type=_FILE, help=f"A file that holds what --{name} would say."
            ),
        ]
    names = ("root", *engines, *(f"{name}_file" for name in engines))

    def decorate(command: F) -> F:
        @wraps(command)
        def told(*args: Any, config_file: Path | None, **given: Any) -> Any:
            from quark.service.config_sources import load_config

            flags = {name: given.pop(name) for name in names}
            config = load_config(flags, config_file)
            check_engines(config, engines)
            if not make:
                check_is_there(config, payloads="blobs" in engines)
            return command(*args, config=config, **given)

        for option in reversed(options):
            option(told)
        return told  # type: ignore[return-value]

    return decorate


def check_engines(config: ServiceConfig, names: tuple[str, ...]) -> None:
    """Refuse to look for a service's things where they are not.

    Raises:
        SettingsError: The root was served with another engine.
    """
    from quark.service.root_folder import engine_of, known_engine

    for name in names:
        url, before = getattr(config, f"{name}_url"), known_engine(config, name)
        if before is None or before == engine_of(url):
            continue
        way_out = (
            f"leave --{name} and QUARK_SERVE_{name.upper()} out"
            if before == "files"
            else f"give --{name} {before}://…, or set QUARK_SERVE_{name.upper()} to it"
        )
        raise SettingsError(
            f"The service of {config.root} has its {name} in {before}, and this would look for it "
            f"in {engine_of(url)}; {way_out}."
        )


def check_is_there(config: ServiceConfig, *, payloads: bool) -> None:
    """Refuse a folder that no service was ever on, instead of making an empty one.

    Raises:
        SettingsError: There is none, and what the command is about would be in it.
    """
    from quark.service.root_folder import is_new

    is_elsewhere = config.db_url is not None and not (payloads and config.blobs_url is None)
    if is_new(config) and not is_elsewhere:
        raise no_service(config.root)


def was_served(config: ServiceConfig) -> bool:
    """Say whether a service was started on the root, or its records are in a database."""
    from quark.service.root_folder import known_engine

    return config.db_url is not None or known_engine(config, "db") is not None


def no_service(root: Path) -> SettingsError:
    """Return the error that says that there is no service in a folder."""
    return SettingsError(
        f"There is no service in {root.absolute()}. Look whether --root (or QUARK_SERVE_ROOT) is "
        "the folder that the service was started with, and whether its disk is mounted; "
        f"'quark admin bootstrap --root {root}' begins a new one."
    )
