"""A run in a process that did not open it: ``wandb._attach``, unpickled runs, ``mode="shared"``.

Such a process is a writer of its own in the same run. It does not end the run, and counts its rows
itself. Within one process a run is one object, however it is copied.
"""

from __future__ import annotations

import copyreg
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from quark.compat.wandb import current, term
from quark.compat.wandb.config import OWN_KEY
from quark.compat.wandb.disabled import NullSession
from quark.compat.wandb.errors import CommError, UsageError
from quark.compat.wandb.place import quark_settings
from quark.compat.wandb.reading import reading
from quark.compat.wandb.run import Run, RunDisabled
from quark.compat.wandb.settings import Settings, gathered
from quark.errors import RunNotFoundError, SchemaValidationError, SessionStoreError, SettingsError
from quark.records import RunStatus
from quark.session import RunRequest, TrainingSession
from quark.session.reading import load_context
from quark.settings import Settings as QuarkSettings

_PLAIN = (str, int, float, bool, tuple, list, dict)


def attach(
    attach_id: str | None = None, run_id: str | None = None, *, run: Run | None = None
) -> Run:
    """Log from this process into a run that is open in another one.

    Args:
        attach_id: What ``run._attach_id`` said there, or the run's id if it is kept where this
            process would keep its own.
        run_id: The same as ``attach_id``.
        run: The run itself; only what was unpickled or inherited can be passed on.

    Raises:
        UsageError: Not exactly one of the three is given, or no such run is open anywhere.
        CommError: The store does not answer.
    """
    given = attach_id or run_id
    if (given is None) == (run is None):
        raise UsageError("Give wandb.attach() either the id of a run or the run.")
    if run is not None:
        current.bind(run)
        return run
    return _attached(str(given), gathered(), ended_too=False)


def state_of(run: Run) -> dict[str, Any]:
    """Return what is pickled of a run."""
    settings = {name: value for name, value in run.settings if isinstance(value, _PLAIN)}
    return {
        "attach_id": run._attach_id,
        "project": run.project,
        "finished": run.over,
        "disabled": run.disabled,
        "settings": {name: value for name, value in settings.items() if name != "api_key"},
        "config": dict(run.config) if run.disabled else {},
    }


def unpickled(state: Mapping[str, Any]) -> Run:
    """Return the run that was pickled: itself in its own process, elsewhere attached to it.

    It never raises: a run that cannot be found any more comes back as a disabled one.
    """
    run_id = state["attach_id"].partition("/")[0]
    known = current.find(state["attach_id"])
    if known is not None:
        return known
    settings = Settings(**state["settings"])
    if not state["disabled"]:
        try:
            run = _attached(state["attach_id"], settings, ended_too=True)
        except (UsageError, CommError) as error:
            term.termwarn(f"an unpickled run keeps nothing: {error}")
        else:
            if state["finished"]:
                run.finish()
            return run
    return RunDisabled(NullSession(run_id, state["project"]), settings, config=state["config"])


def _attached(attach_id: str, settings: Settings, *, ended_too: bool) -> Run:
    run_id, where = _place(attach_id, settings)
    known = current.find(attach_id if "/" in attach_id else f"{run_id}{where.storage_path}")
    if known is not None and not known.over:
        current.bind(known)
        return known
    try:
        record = load_context(run_id, where).run
        if record.status != RunStatus.RUNNING and not ended_too:
            raise UsageError(
                f"Run {run_id!r} cannot be attached to: it is {record.status}. Go on with it by "
                "wandb.init(id=..., resume='must')."
            )
        request = RunRequest(
            project=record.project_name,
            settings=where,
            run_id=run_id,
            resume="must",
            shared=True,
            owner=False,
        )
        session = TrainingSession.open(request)
    except (RunNotFoundError, SchemaValidationError) as error:
        raise UsageError(f"No run to attach to: {error}") from error
    except SessionStoreError as error:
        raise CommError(str(error)) from error
    current.finish_open_runs_at_exit()
    settings.update({"run_id": run_id, "root_dir": settings.root_dir or where.storage_dir})
    run = going_on(session, settings)
    current.opened(run, bound=not ended_too or current.bound_run() is None)
    if record.status != RunStatus.RUNNING:
        run.finish()
    return run


def _place(attach_id: str, settings: Settings) -> tuple[str, QuarkSettings]:
    """Return the id and where the run is kept: an attach id is ``<id>/<storage directory>``."""
    run_id, slash, folder = attach_id.partition("/")
    where = quark_settings(settings)
    if not slash:
        return run_id, where
    try:
        return run_id, replace(where, storage_dir=os.path.join("/", folder))
    except SettingsError as error:
        raise UsageError(f"{attach_id!r} is no id to attach to.") from error


def going_on(
    session: TrainingSession,
    wanted: Settings,
    *,
    first_row: int | None = None,
    resumed: bool | None = None,
) -> Run:
    """Return a run as its earlier life or other processes left it.

    ``first_row`` is None for the row after the last one. ``resumed`` is None for a run that is, if
    it is not only joined.
    """
    from quark.compat.wandb.summary_reading import run_state  # numpy: only to go on with a run

    record = session.context.run
    wanted.update({"run_name": record.name, "run_notes": record.notes, "run_tags": record.tags})
    wanted.update({"run_group": record.group, "run_job_type": record.job_type})
    with reading(session.handle.settings, session.run_id) as store:
        state = run_state(store, record)
    return Run(
        session,
        wanted,
        config={key: value for key, value in record.config.items() if key != OWN_KEY},
        first_row=state.next_row if first_row is None else first_row,
        last_values=state.values,
        definitions=state.definitions,
        resumed=not session.joined or wanted.resume is not None if resumed is None else resumed,
    )


for _kind in (Run, RunDisabled):
    copyreg.pickle(_kind, lambda run: (unpickled, (state_of(run),)))
