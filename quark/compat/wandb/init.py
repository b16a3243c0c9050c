"""``init``: from W&B's arguments to an open run, and what becomes of open runs at exit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from quark.compat.wandb import console, current, term
from quark.compat.wandb.attaching import going_on
from quark.compat.wandb.config_sources import (
    DEFAULTS_FILE,
    join_config,
    plain_config,
    read_config,
    read_yaml,
)
from quark.compat.wandb.disabled import NullSession
from quark.compat.wandb.errors import CommError, InvalidSettingError, UsageError
from quark.compat.wandb.integration.patched import PATCHED
from quark.compat.wandb.naming import check_id, check_project, generate_id, generate_name
from quark.compat.wandb.place import in_a_writable_place, launch_metadata, quark_settings
from quark.compat.wandb.run import Run, RunDisabled
from quark.compat.wandb.run_place import FILES, lay_out
from quark.compat.wandb.settings import Settings, gathered
from quark.compat.wandb.sweeps.active import STOP_ORDERS
from quark.compat.wandb.sweeps.trial_values import take_part
from quark.compat.wandb.used import use
from quark.errors import (
    InvalidRunStateError,
    RunNotFoundError,
    SchemaValidationError,
    SessionStoreError,
)
from quark.session import RunRequest, TrainingSession
from quark.session.places import local_root
from quark.session.request import Resume, RunMoment
from quark.settings import Settings as QuarkSettings
from quark.telemetry import SAMPLER

DEFAULT_PROJECT = "uncategorized"

#: Taken from old scripts; W&B has removed them.
OLD_KEYWORDS = frozenset({"magic", "config_artifact", "telemetry", "allow_resume", "sync"})


def init(
    entity: str | None = None,
    project: str | None = None,
    dir: Any = None,
    id: str | None = None,
    name: str | None = None,
    notes: str | None = None,
    tags: Sequence[str] | None = None,
    config: Any = None,
    config_exclude_keys: Sequence[str] | None = None,
    config_include_keys: Sequence[str] | None = None,
    allow_val_change: bool | None = None,
    group: str | None = None,
    job_type: str | None = None,
    mode: str | None = None,
    force: bool | None = None,
    reinit: bool | str | None = None,
    resume: bool | str | None = None,
    resume_from: str | None = None,
    fork_from: str | None = None,
    save_code: bool | None = None,
    tensorboard: bool | None = None,
    sync_tensorboard: bool | None = None,
    monitor_gym: bool | None = None,
    settings: Settings | Mapping[str, Any] | None = None,
    anonymous: Any = None,
    **old: Any,
) -> Run:
    """Open a run and make it the one that ``wandb.log`` and its like mean.

    With a run open, that run is returned and the arguments are passed over, unless ``reinit`` says
    otherwise. docs/compat.md says what each argument does here.

    Raises:
        UsageError: A project name, an id, or what ``resume`` asks for makes no sense.
        InvalidSettingError: A value is not allowed; also a ValueError.
        TypeError: A keyword is not known, or ``config`` is no config.
        CommError: A service is asked for and does not answer.
    """
    unknown = sorted(old.keys() - OLD_KEYWORDS)
    if unknown:
        raise TypeError(f"init() has no argument {unknown[0]!r}; docs/compat.md lists all of them.")
    if anonymous is not None:
        term.warn_once("init(anonymous=)", "anonymous= has no effect, here as in W&B 0.31.")
    given = {"force": force, "monitor_gym": monitor_gym}
    for argument, value in given.items():
        if value is not None:
            use("init", argument)
    wanted = gathered(
        settings,
        entity=entity,
        project=project,
        root_dir=dir,
        run_id=id,
        run_name=name,
        run_notes=notes,
        run_tags=tags,
        run_group=group,
        run_job_type=job_type,
        mode=mode,
        reinit=reinit,
        resume=resume,
        save_code=save_code,
        sync_tensorboard=tensorboard if sync_tensorboard is None else sync_tensorboard,
        resume_from=resume_from,
        fork_from=fork_from,
    )
    _check_branches(wanted)
    open_run = _open_run(wanted.reinit or "default")
    if open_run is not None:
        return open_run
    fixed = take_part(wanted)
    values = _config_values(
        config, wanted.config_paths or (), config_include_keys, config_exclude_keys
    )
    join_config(fixed, values)
    check_project(wanted.project or DEFAULT_PROJECT)
    if wanted.run_id is not None:
        check_id(wanted.run_id)
    term.set_silent(bool(wanted.silent))
    where = quark_settings(wanted)
    if wanted.mode == "disabled" or where.mode == "disabled":
        run = _disabled_run(wanted, values)
    else:
        run = _stored_run(wanted, in_a_writable_place(where, wanted), values)
    if fixed:
        run.config.merge_locked(fixed)
    current.opened(run, bound=wanted.reinit != "create_new")
    if run.id in STOP_ORDERS:  # its trial was told to end while the run was being opened
        run._look_closer()
    if wanted.sync_tensorboard or PATCHED["tensorboard"]:
        from quark.compat.wandb.integration.tensorboard import start

        start(run)
    if monitor_gym:
        from quark.compat.wandb.integration.gym import monitor_if_installed

        monitor_if_installed()
    return run


def finish(exit_code: int | None = None, quiet: bool | None = None) -> None:
    """End the run that the module means, or the one opened last; nothing if none is open."""
    run = current.bound_run() or next(reversed(current.open_runs()), None)
    if run is not None:
        run.finish(exit_code, quiet)


def _check_branches(wanted: Settings) -> None:
    """Refuse ways to go on with a run that contradict one another."""
    ways = (wanted.resume, wanted.resume_from, wanted.fork_from)
    if sum(way is not None for way in ways) > 1:
        raise InvalidSettingError("Give only one of resume, resume_from and fork_from.")
    if wanted.fork_from is not None and wanted.fork_from.run == wanted.run_id:
        raise InvalidSettingError(
            f"A fork of run {wanted.run_id!r} cannot have its id; leave id= out, or use "
            "resume_from= to wind the run back."
        )
    if wanted.resume_from is not None and wanted.run_id not in (None, wanted.resume_from.run):
        raise InvalidSettingError(
            f"id={wanted.run_id!r} and resume_from= of run {wanted.resume_from.run!r} name two "
            "runs; leave id= out."
        )


def _branch_fields(wanted: Settings) -> dict[str, Any]:
    """Return what a branch of a run adds to the request for it."""
    if wanted.fork_from is not None:
        run_id, last_step = wanted.fork_from.run, wanted.fork_from.last_step
        return {"fork_from": RunMoment(run_id=run_id, last_step=last_step), "resume": "never"}
    if wanted.resume_from is not None:
        run_id, last_step = wanted.resume_from.run, wanted.resume_from.last_step
        return {"run_id": run_id, "rewind_to": last_step, "resume": "must"}
    return {}


def _open_run(reinit: str) -> Run | None:
    """Return the run to give back in place of a new one, after ending what is to be ended.

    A forked child that calls ``init`` wants a run of its own, not its parent's.
    """
    runs = [run for run in current.open_runs() if not run.inherited]
    if reinit == "finish_previous":
        for run in reversed(runs):
            run.finish()
        return None
    if reinit == "create_new" or not runs:
        return None
    return runs[-1]


def _config_values(
    config: Any,
    paths: Sequence[str],
    include: Sequence[str] | None,
    exclude: Sequence[str] | None,
) -> dict[str, Any]:
    """Return the config that a run starts with, plain."""
    if include and exclude:
        raise UsageError("Give config_include_keys or config_exclude_keys, not both.")
    given = {} if config is None else read_config(config)
    if include:
        given = {key: value for key, value in given.items() if key in include}
    given = {key: value for key, value in given.items() if key not in (exclude or ())}
    defaults = Path(DEFAULTS_FILE)
    values = read_yaml(defaults) if defaults.is_file() else {}
    for path in paths:
        values.update(read_yaml(Path(path)))
    values.update(given)
    return {str(key): plain_config(value) for key, value in values.items()}


def _disabled_run(wanted: Settings, values: Mapping[str, Any]) -> Run:
    run_id = wanted.run_id or generate_id()
    wanted.update({"run_name": wanted.run_name or f"dummy-{run_id}"})
    return RunDisabled(NullSession(run_id, wanted.project or "dummy"), wanted, config=values)


def _stored_run(wanted: Settings, where: QuarkSettings, values: Mapping[str, Any]) -> Run:
    project = wanted.project or DEFAULT_PROJECT
    run_id = wanted.run_id
    if run_id is None and wanted.resume == "auto":
        from quark.compat.wandb.branching import last_unfinished

        run_id = last_unfinished(where, project)
    resumes = wanted.resume in ("allow", "must", "auto")
    resume: Resume = wanted.resume if wanted.resume in ("never", "must") else "allow"
    try:
        request = RunRequest(
            project=project,
            settings=_sampled(where),
            run_id=run_id or generate_id(),
            resume=resume,
            reopen_completed=True,
            config=values,
            tags=wanted.run_tags or (),
            name=wanted.run_name or generate_name(local_root(where) / "runs"),
            notes=wanted.run_notes,
            group=wanted.run_group,
            job_type=wanted.run_job_type,
            shared=wanted.mode == "shared" or resumes,
            takes_over=wanted.mode != "shared" and resumes,
            owner=_ends_the_run(wanted),
            metadata=launch_metadata(wanted),
            read_git=not wanted.disable_git,
        )
        session = TrainingSession.open(replace(request, **_branch_fields(wanted)))
    except (RunNotFoundError, InvalidRunStateError, SchemaValidationError) as error:
        raise UsageError(f"No run was opened: {error}") from error
    except SessionStoreError as error:
        raise CommError(str(error)) from error
    current.finish_open_runs_at_exit()
    wanted.update({"root_dir": wanted.root_dir or where.storage_dir})
    lay_out(wanted, session.run_path, session.run_id, session.project_name)
    if wanted.save_code:
        from quark.compat.wandb.code_saving import save_program  # only who wants a copy

        save_program(session.run_path / FILES, wanted.program)
    if session.joined or session.context.run.resume_count or wanted.fork_from:
        run = _resumed_run(session, wanted, values)
    else:
        wanted.update({"run_name": session.context.run.name})
        run = Run(session, wanted, config=values)
    if where.wandb_mirror and not run.guest:
        from quark.compat.wandb.mirror.start import start_mirror  # who moves step by step

        run._mirror = start_mirror(session, mode=wanted.mode)
    session.handle.quiet = session.handle.quiet or bool(wanted.silent)
    console.follow(session, wanted)
    if wanted.save_code and wanted.code_dir is not None:
        run.log_code(wanted.code_dir)
    return run


def _sampled(where: QuarkSettings) -> QuarkSettings:
    """Return the settings of a run that samples the machine, as often as ``where`` says."""
    if not where.system_sample_seconds:
        return where
    return replace(where, extensions=(*where.extensions, SAMPLER))


def _resumed_run(session: TrainingSession, wanted: Settings, values: Mapping[str, Any]) -> Run:
    if session.joined and wanted.mode != "shared" and not session.handle.owner:
        term.termwarn(
            f"run {session.run_id} is still open in another process. Both log into it now; the "
            "other one ends it."
        )
    elif wanted.fork_from is not None:
        return _branched(session, wanted, values)
    elif (wanted.resume or wanted.resume_from) is None and not session.joined:
        term.termwarn(
            f"run {session.run_id} exists already and is gone on with. Pass resume='allow' if that "
            "is meant, or another id."
        )
    changes = {
        name: value
        for name, value in (
            ("name", wanted.run_name),
            ("notes", wanted.run_notes),
            ("group", wanted.run_group),
            ("job_type", wanted.run_job_type),
            ("tags", wanted.run_tags),
        )
        if value is not None
    }
    if changes:
        session.update_run(**changes)
    if wanted.resume_from is not None:
        return _branched(session, wanted, values)
    run = going_on(session, wanted, first_row=0 if wanted.mode == "shared" else None)
    run.config.update(values, allow_val_change=True)
    return run


def _branched(session: TrainingSession, wanted: Settings, values: Mapping[str, Any]) -> Run:
    """Return a run that was opened as a branch; its first row is the one after the moment."""
    moment = wanted.fork_from or wanted.resume_from
    first_row = max(0, moment.last_step + 1)
    run = going_on(session, wanted, first_row=first_row, resumed=wanted.fork_from is None)
    run.config.update(values, allow_val_change=True)
    return run


def _ends_the_run(wanted: Settings) -> bool | None:
    """Say whether this process ends a shared run; None: if it is the one that starts it."""
    if wanted.x_update_finish_state is False:
        return False
    primary: bool | None = wanted.x_primary
    return primary
