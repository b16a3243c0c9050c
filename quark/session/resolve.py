"""From what a writer or reader was given to the run it means."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from quark.errors import SchemaValidationError
from quark.records import RunContext
from quark.session import registry
from quark.session.handle import RunHandle
from quark.session.training import TrainingSession
from quark.settings import Settings

if TYPE_CHECKING:
    from quark.storage.protocols import Store

Target = TrainingSession | RunContext


def resolve(target: Target) -> tuple[RunHandle, bool]:
    """Return the handle of the run that ``target`` means, and whether the caller must close it.

    The context of a run that is open in this process means that session; any other context opens
    the run anew for reading and writing, without touching its lifecycle.

    Raises:
        SchemaValidationError: ``target`` is neither a session nor a context.
        RunNotFoundError: The store does not have the run.
    """
    if isinstance(target, TrainingSession):
        return target.handle, False
    check_target(target)
    session = registry.find(target.run_id, target.store_root)
    if session is not None:
        return session.handle, False
    return _attach(target), True


def check_target(target: Target) -> None:
    """Check that ``target`` means a run.

    Raises:
        SchemaValidationError: It is neither a session nor a context.
    """
    if not isinstance(target, (TrainingSession, RunContext)):
        raise SchemaValidationError(
            f"{target!r} of type {type(target).__name__} is not a run; pass the TrainingSession "
            "that start_run() or resume_run() returned, or its RunContext."
        )


@contextmanager
def reading(target: Target) -> Iterator[tuple[Store, str]]:
    """Give the store with everything of the run in it, and the run's id.

    Raises:
        SchemaValidationError: ``target`` is neither a session nor a context.
        SessionStoreError: The store does not answer.
    """
    handle, owns = resolve(target)
    try:
        with handle.reading() as store:
            yield store, handle.run_id
    finally:
        if owns:
            handle.close()


@contextmanager
def open_for_writing(target: Target) -> Iterator[RunHandle]:
    """Give a handle that takes records for the run, also when it has ended; its lifecycle stays.

    Everything is delivered when this is left.

    Raises:
        SchemaValidationError: ``target`` is neither a session nor a context.
    """
    handle, owns = resolve(target)
    if handle.closed and isinstance(target, TrainingSession):
        handle, owns = _attach(target.context), True
    try:
        yield handle
        handle.flush()
    finally:
        if owns:
            handle.close()


def _attach(context: RunContext) -> RunHandle:
    return RunHandle(
        run_id=context.run_id,
        project=context.project_name,
        workspace=context.run.workspace,
        settings=Settings.load(storage_dir=context.storage_dir),
        owner=False,
        strict=context.run.strict_mode,
    )
