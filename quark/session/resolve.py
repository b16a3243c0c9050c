"""From what a writer or reader was given to the run it means."""

from __future__ import annotations

from quark.errors import SchemaValidationError
from quark.records import RunContext
from quark.session import registry
from quark.session.handle import RunHandle
from quark.session.training import TrainingSession
from quark.settings import Settings

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
    if not isinstance(target, RunContext):
        raise SchemaValidationError(
            f"{target!r} of type {type(target).__name__} is not a run; pass the TrainingSession "
            "that start_run() or resume_run() returned, or its RunContext."
        )
    session = registry.find(target.run_id, target.store_root)
    if session is not None:
        return session.handle, False
    return _attach(target), True


def _attach(context: RunContext) -> RunHandle:
    return RunHandle(
        run_id=context.run_id,
        project=context.project_name,
        workspace=context.run.workspace,
        settings=Settings.load(storage_dir=context.storage_dir),
        owner=False,
        strict=context.run.strict_mode,
    )
