"""Looking at a run without opening it for training."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from quark.errors import RunNotFoundError
from quark.persistence.open import open_store
from quark.records import ProjectRecord, RunContext, RunRecord
from quark.session.places import is_remote, local_root
from quark.settings import Settings
from quark.storage.layout import index_path, journal_path

if TYPE_CHECKING:
    from quark.storage.protocols import Store


def load_context(run_id: str, settings: Settings) -> RunContext:
    """Return the context of a run, with what dead writers left of it delivered first.

    Raises:
        RunNotFoundError: There is no such run.
        SessionStoreError: The store does not answer.
    """
    store = open_store(settings)
    try:
        deliver_tail(store, run_id, settings)
        return context_of(store.records.get_run(run_id), settings)
    finally:
        store.close()


def deliver_tail(store: Store, run_id: str, settings: Settings) -> None:
    """Put into the store what journals on this machine still hold of a run.

    Raises:
        SessionStoreError: The store cannot take it now.
    """
    journal_dir = journal_path(local_root(settings), run_id)
    if settings.mode == "online" and journal_dir.is_dir():
        from quark.pipeline.recovery import deliver_leftovers  # seldom needed

        deliver_leftovers(store, journal_dir, living_too=True)


@contextlib.contextmanager
def as_of_now(store: Store, run_id: str, settings: Settings) -> Iterator[Store]:
    """Give a store that has all of a run that this machine knows of.

    That is ``store`` itself with what dead and living writers left delivered. In the mode
    ``offline``, where nothing is delivered, it is a copy in memory.

    Raises:
        SessionStoreError: The store cannot take it now.
    """
    if settings.mode != "offline":
        deliver_tail(store, run_id, settings)
        yield store
        return
    from quark.pipeline.recovery import deliver_leftovers  # numpy; seldom needed
    from quark.session.past import copy_run

    copy = open_store(replace(settings, mode="disabled"))
    try:
        if not is_remote(settings):  # a service is not spoken to
            with contextlib.suppress(RunNotFoundError):
                copy_run(store, run_id, copy)
        journal_dir = journal_path(local_root(settings), run_id)
        deliver_leftovers(copy, journal_dir, living_too=True, remove=False, any_target=True)
        yield copy
    finally:
        copy.close()


def context_of(run: RunRecord, settings: Settings) -> RunContext:
    """Return a run's context as this machine sees it."""
    root = local_root(settings)
    project = ProjectRecord(
        id=run.project_id,
        name=run.project_name,
        workspace=run.workspace,
        root_path=str(root),
        created_at=run.created_at,
        updated_at=run.updated_at,
    )
    return RunContext(
        storage_dir=str(root.parent),
        store_root=str(root),
        db_path=str(index_path(root)),
        project=project,
        run=run,
    )
