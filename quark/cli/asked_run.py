"""The argument RUN of a command, and the run that it means as far as this machine knows it."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from quark.cli.target import opened, with_settings

if TYPE_CHECKING:
    from pathlib import Path

    from quark.records import RunRecord
    from quark.settings import Settings
    from quark.storage.protocols import Store

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class AskedRun:
    """A run in a store, and where this machine keeps what it has of it."""

    store: Store
    settings: Settings
    run_id: str

    @property
    def journal_dir(self) -> Path:
        """Where processes of this machine keep what is not delivered."""
        from quark.session.places import local_root
        from quark.storage.layout import journal_path

        return journal_path(local_root(self.settings), self.run_id)

    @property
    def folder(self) -> Path | None:
        """The run's folder on this machine, if there is one."""
        from quark.session.places import local_root
        from quark.storage.layout import run_path

        found = self.store.run_dir(self.run_id) or run_path(local_root(self.settings), self.run_id)
        return found if found.is_dir() else None

    @property
    def is_written_here(self) -> bool:
        """Whether a process of this machine is there that ends the run."""
        if not self.journal_dir.is_dir():
            return False
        from quark.pipeline.recovery import has_living_owner

        return has_living_owner(self.journal_dir)

    def read(self) -> RunRecord:
        """Return the run as it is now; what a process that died left of it counts, too.

        Raises:
            RunNotFoundError: It is not there any more.
        """
        from quark.errors import SessionStoreError

        if self.settings.mode == "online" and self.journal_dir.is_dir():
            from quark.pipeline.recovery import deliver_leftovers

            with contextlib.suppress(SessionStoreError, OSError):  # who may only read sees the rest
                deliver_leftovers(self.store, self.journal_dir)
        return self.store.records.get_run(self.run_id)


def with_run(command: F) -> F:
    """Add RUN and the options that say which store; ``command`` gets ``asked``."""

    @click.argument("run_text", metavar="RUN")
    @with_settings
    @functools.wraps(command)
    def with_it(*args: Any, run_text: str, settings: Settings, **rest: Any) -> Any:
        from quark.cli.run_choice import chosen_run

        with opened(settings) as store:
            run_id = chosen_run(store, run_text).id
            return command(*args, asked=AskedRun(store, settings, run_id), **rest)

    return with_it  # type: ignore[return-value]
