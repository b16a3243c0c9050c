"""Which store a command looks at: the embedded one or a service, chosen as everywhere in Quark.

Strongest first: the options here, the environment, ``config.toml``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

import click

from quark.settings import Settings, set_environment_variable

if TYPE_CHECKING:
    from pathlib import Path

    from quark.storage.protocols import Store

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Place:
    """What the options of a command say of where runs are kept."""

    storage_dir: str | None = None
    url: str | None = None
    workspace: str | None = None
    target: str | None = None

    def settings(self) -> Settings:
        """Return the settings that hold with these options.

        Raises:
            UsageError: Two options name two places.
            SettingsError: A value breaks its rule.
        """
        return Settings.load(**self._flags(), target=self.target)

    def settings_of_options(self) -> Settings:
        """Return what the options say by themselves, for one who cannot read the rest.

        Raises:
            UsageError, SettingsError: As for :meth:`settings`.
        """
        return Settings(**{name: value for name, value in self._flags().items() if value})

    def impose(self) -> None:
        """Let all that this process does, and starts, be there, if the options say a place.

        Raises:
            UsageError, SettingsError: As for :meth:`settings`.
        """
        if not self.words:
            return
        settings = self.settings()
        folder = settings.storage_path.absolute()
        url = settings.persistence_url or f"file:{_absolute(str(folder))}"
        for name, value in {
            "QUARK_TARGET": None,
            "QUARK_PERSISTENCE_URL": url,
            "QUARK_STORAGE_DIR": str(folder),
            "QUARK_WORKSPACE": settings.workspace,
            "QUARK_USER_KEY": settings.user_key,
        }.items():
            set_environment_variable(name, value)

    @property
    def words(self) -> list[str]:
        """The options that were given, as they are typed."""
        given = {field.name.replace("_", "-"): getattr(self, field.name) for field in fields(self)}
        return [word for name, value in given.items() if value for word in (f"--{name}", value)]

    def _flags(self) -> dict[str, Any]:
        if self.target is not None and (self.storage_dir is not None or self.url is not None):
            other = "--url" if self.storage_dir is None else "--storage-dir"
            raise click.UsageError(f"--target and {other} name two places; leave one of them out.")
        url = self.url
        if self.storage_dir is not None and url is None:
            # Who names a folder means it, also where the environment names a service.
            url = f"file:{_absolute(self.storage_dir)}"
        return {
            "storage_dir": self.storage_dir,
            "persistence_url": url,
            "workspace": self.workspace,
        }


def with_place(command: F) -> F:
    """Add ``--storage-dir``, ``--url``, ``--workspace`` and ``--target``; ``command`` gets
    ``place``."""

    @click.option("--storage-dir", metavar="DIR", help="The folder that holds .quark.")
    @click.option("--url", metavar="URL", help="A service, as in QUARK_PERSISTENCE_URL.")
    @click.option("--workspace", metavar="NAME", help="The workspace of the service.")
    @click.option("--target", metavar="NAME", help="A place of config.toml: see quark target.")
    @functools.wraps(command)
    def with_it(
        *args: Any,
        storage_dir: str | None,
        url: str | None,
        workspace: str | None,
        target: str | None,
        **rest: Any,
    ) -> Any:
        return command(*args, place=Place(storage_dir, url, workspace, target), **rest)

    return with_it  # type: ignore[return-value]


def with_settings(command: F) -> F:
    """Add the options of :func:`with_place`; ``command`` gets ``settings``."""

    @with_place
    @functools.wraps(command)
    def with_them(*args: Any, place: Place, **rest: Any) -> Any:
        return command(*args, settings=place.settings(), **rest)

    return with_them  # type: ignore[return-value]


def with_store(command: F) -> F:
    """Add the options of :func:`with_place`; ``command`` gets ``store``, which is closed after
    it. An embedded store that is not there is an error, not made."""

    @with_settings
    @functools.wraps(command)
    def with_it(*args: Any, settings: Settings, **rest: Any) -> Any:
        with opened(settings) as store:
            return command(*args, store=store, **rest)

    return with_it  # type: ignore[return-value]


@contextmanager
def opened(settings: Settings) -> Iterator[Store]:
    """Open the store of some settings for as long as a command needs it.

    Raises:
        SessionStoreError: There is none.
    """
    from quark.persistence.open import is_service_url, open_store

    root = None if is_service_url(settings.persistence_url) else existing_root(settings)
    store = open_store(settings)
    try:
        if root is not None:
            _tell_of_lost_list(store, root)
        yield store
    finally:
        store.close()


def existing_root(settings: Settings) -> Path:
    """Return the root of the embedded store of some settings.

    Raises:
        SessionStoreError: There is none.
    """
    from quark.errors import SessionStoreError
    from quark.persistence.open import embedded_storage_dir
    from quark.storage.layout import store_root

    folder = embedded_storage_dir(settings)
    root = store_root(folder)
    if not root.is_dir():
        raise SessionStoreError(
            f"{folder} holds no runs: there is no .quark in it. Go to the folder that you train "
            "in, or name it with --storage-dir or QUARK_STORAGE_DIR; --url or "
            "QUARK_PERSISTENCE_URL names a service."
        )
    return root


def _tell_of_lost_list(store: Store, root: Path) -> None:
    """Say that there are runs where none is listed: its index.db was lost."""
    from quark.storage.model import RunQuery

    if store.records.list_runs(RunQuery(limit=1)):
        return
    count = sum(1 for _ in root.glob("runs/*/run.db"))
    if count:
        click.echo(
            f"The list of runs in {root} is empty, but {count} of them are there: "
            "`quark reindex` lists them again.",
            err=True,
        )


def _absolute(folder: str) -> str:
    from pathlib import Path
    from urllib.parse import quote

    return quote(str(Path(folder).expanduser().absolute()))
