"""Opening a run: a new one, or one that is gone on with."""

from __future__ import annotations

import contextlib
import fcntl
import os
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quark import ids, jsonio, ui
from quark.clock import SYSTEM_CLOCK, format_timestamp
from quark.errors import InvalidRunStateError, RunNotFoundError, SessionStoreError
from quark.naming import check_project_name, check_tag
from quark.persistence.open import open_store, with_own_workspace
from quark.pipeline.faults import FaultLog
from quark.records import (
    ENVELOPE,
    EventRecord,
    RunContext,
    RunRecord,
    RunStatus,
    RunUpdateRecord,
    check_run_transition,
    fold_run,
)
from quark.redact import redact_mapping
from quark.session.branch_events import FORKED, REWOUND, unfinished_branch
from quark.session.chores import add_chores
from quark.session.extension import ExtensionHost, load_extensions
from quark.session.git import read_git_head, training_repository
from quark.session.handle import RunHandle
from quark.session.ownership import JOINED, is_owner, is_taken_over
from quark.session.places import is_remote, local_root
from quark.session.reading import as_of_now, context_of, deliver_tail
from quark.session.request import RunRequest
from quark.session.run_folder import write_run_folder
from quark.storage.layout import opening_lock_path, relative_run_path

if TYPE_CHECKING:
    from quark.session.training import TrainingSession
    from quark.storage.batch import Batch
    from quark.storage.protocols import Store


@dataclass(slots=True)
class OpenedRun:
    """What a session is made from."""

    handle: RunHandle
    context: RunContext
    extensions: ExtensionHost
    joined: bool
    _follower: _Follower

    def follow(self, session: TrainingSession) -> None:
        """From now on the extensions see ``session``'s batches."""
        self._follower.session = weakref.ref(session)


@dataclass(slots=True)
class _Follower:
    extensions: ExtensionHost
    session: Callable[[], TrainingSession | None] = field(default=lambda: None)

    def on_batch(self, batch: Batch) -> None:
        session = self.session()
        if session is not None:
            self.extensions.on_batch(session, batch)


def open_run(request: RunRequest) -> OpenedRun:
    """Start the run that is asked for, or go on with it.

    Raises:
        RunNotFoundError: The run to go on with, or the parent, does not exist.
        InvalidRunStateError: The run may not be gone on with, or exists and must not.
        SchemaValidationError: An argument breaks a rule.
        SessionStoreError: A service is asked for and does not answer.
    """
    for tag in request.tags:
        check_tag(tag)
    request = replace(request, settings=with_own_workspace(request.settings))
    with _one_at_a_time(request):
        store = open_store(request.settings)
        try:
            if request.rewind_to is not None:
                _rewind(store, request)
            existing = _existing_run(store, request)
            joined = existing is not None and _is_joined(existing, request)
            if existing is None:
                run = _forked(store, request, _new_run(store, request))
            else:
                _check_no_fork(request)
                run = existing if joined else _resumed(existing, request)
            owner = is_owner(store, request, joined=joined)
        except BaseException:
            store.close()
            raise
        request = replace(request, owner=owner)
        return _begin(store, request, run, resumed=existing is not None, joined=joined)


@contextlib.contextmanager
def _one_at_a_time(request: RunRequest) -> Iterator[None]:
    """Let of several processes that open a shared run at once one start it, and the rest join; and
    let nobody else open a run that is being made as a branch."""
    descriptor = -1
    alone = request.shared or request.fork_from is not None or request.rewind_to is not None
    if alone and request.settings.mode != "disabled":
        root = local_root(request.settings)
        with contextlib.suppress(OSError):  # where nothing can be written, there is nobody to meet
            root.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            descriptor = os.open(opening_lock_path(root), flags, 0o644)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _is_joined(existing: RunRecord, request: RunRequest) -> bool:
    """Say whether the run is written into as it is, without a change of its lifecycle."""
    if not request.shared or is_taken_over(existing, request):
        return False
    return existing.status == RunStatus.RUNNING or request.owner is False


def _existing_run(store: Store, request: RunRequest) -> RunRecord | None:
    """Return the run that the request names, with what dead writers left of it delivered."""
    if request.run_id is None:
        return None
    try:
        with as_of_now(store, request.run_id, request.settings) as complete:
            existing = complete.records.get_run(request.run_id)
    except RunNotFoundError:
        if request.resume == "must":
            raise
        return None
    if request.settings.mode != "offline":
        begun = unfinished_branch(store, existing.id)
        if begun is not None:
            return _finished_branch(store, existing, begun, request)
    if request.resume == "never":
        raise InvalidRunStateError(
            f"Run {request.run_id!r} exists already; choose another run id, or resume it."
        )
    return existing


def _resumed(existing: RunRecord, request: RunRequest) -> RunRecord:
    reopened = request.reopen_completed and existing.status == RunStatus.COMPLETED
    if is_taken_over(existing, request):
        ui.say(
            f"run {existing.id} has not ended as far as the service knows. It is gone on with and "
            "ended here; what another process may still log is kept as well."
        )
    elif not reopened:
        check_run_transition(existing.id, existing.status, RunStatus.RUNNING)
    return existing


def _finished_branch(
    store: Store, run: RunRecord, begun: EventRecord, request: RunRequest
) -> RunRecord | None:
    """Return a run whose process died while it made it as a branch, as it was to be; None if it is
    now to be made."""
    if begun.event_type == REWOUND and request.resume != "never":
        from quark.session.branching import rewind_run  # seldom needed

        rewind_run(store, run.id, last_step=begun.payload["step"])
        return store.records.get_run(run.id)
    if begun.event_type == FORKED and request.fork_from is not None:
        store.records.delete_run(run.id)  # nothing but copies is in it
        return None
    raise InvalidRunStateError(
        f"Run {run.id!r} is not whole: the process that made it of run "
        f"{begun.payload['run_id']!r} died meanwhile. Fork or wind back that run again."
    )


def _check_no_fork(request: RunRequest) -> None:
    if request.fork_from is not None:
        raise InvalidRunStateError(
            f"Run {request.run_id!r} exists already, so it cannot be made as a fork of "
            f"{request.fork_from.run_id!r}. Choose another id."
        )


def _forked(store: Store, request: RunRequest, run: RunRecord) -> RunRecord:
    """Return the new run with the rows of the one that it is forked from, if any."""
    moment = request.fork_from
    if moment is None:
        return run
    from quark.session.branching import fork_run  # seldom needed

    _check_delivers(request)
    deliver_tail(store, moment.run_id, request.settings)
    return fork_run(store, moment.run_id, run, last_step=moment.last_step)


def _rewind(store: Store, request: RunRequest) -> None:
    from quark.session.branching import rewind_run  # seldom needed

    assert request.run_id is not None
    assert request.rewind_to is not None
    _check_delivers(request)
    deliver_tail(store, request.run_id, request.settings)
    rewind_run(store, request.run_id, last_step=request.rewind_to)


def _check_delivers(request: RunRequest) -> None:
    if request.settings.mode == "offline":
        raise SessionStoreError(
            "A run cannot be forked or wound back with QUARK_MODE=offline, since nothing is put "
            "into the store then. Unset it, or deliver with 'quark sync' and go on from there."
        )


def _new_run(store: Store, request: RunRequest) -> RunRecord:
    check_project_name(request.project)
    settings = request.settings
    run_id = request.run_id or ids.new_run_id()
    now = format_timestamp(SYSTEM_CLOCK.time_us())
    root_run_id = run_id
    offline = settings.mode == "offline"
    if request.parent_run_id is not None:
        root_run_id = request.parent_run_id
    if request.parent_run_id is not None and not (offline and is_remote(settings)):
        parent = store.records.get_run(request.parent_run_id)
        root_run_id = parent.lineage_root_run_id or parent.id
    repository = _repository(request)
    head = read_git_head(repository) if repository else None
    return RunRecord(
        id=run_id,
        run_id=run_id,
        timestamp=now,
        project_id=ids.project_id(settings.workspace, request.project),
        project_name=request.project,
        workspace=settings.workspace,
        status=RunStatus.RUNNING.value,
        parent_run_id=request.parent_run_id,
        lineage_root_run_id=root_run_id,
        run_path=relative_run_path(run_id),
        git_commit=request.metadata.get("git_sha") or (head.sha if head else None),
        strict_mode=request.strict_mode,
        tags=tuple(dict.fromkeys(request.tags)),
        name=request.name,
        notes=request.notes,
        group=request.group,
        job_type=request.job_type,
        created_at=now,
        updated_at=now,
        config=jsonio.to_plain(redact_mapping(request.config)),
    )


def _begin(
    store: Store, request: RunRequest, run: RunRecord, *, resumed: bool, joined: bool
) -> OpenedRun:
    settings = request.settings
    follower = _Follower(ExtensionHost((), FaultLog()))
    handle = RunHandle(
        run_id=run.id,
        project=run.project_name,
        workspace=run.workspace,
        settings=settings,
        owner=bool(request.owner),
        strict=request.strict_mode or run.strict_mode,
        store=store,
        on_batch=follower.on_batch,
    )
    try:
        if request.owner:
            names = settings.session_extensions
            follower.extensions = ExtensionHost(load_extensions(names), handle.faults)
        run = _announce(handle, run, resumed=resumed, joined=joined)
        handle.request_flush()  # the store works on it while the folder is written
        failures = () if joined else _write_run_folder(handle, request, run)
        _wait_for_answer(handle, run)
        for failure in failures:
            handle.faults.record("the run folder is incomplete", SessionStoreError(failure))
    except BaseException:
        handle.close()
        raise
    if settings.mode != "disabled":
        add_chores(handle, None if joined else _repository(request))
    return OpenedRun(handle, context_of(run, settings), follower.extensions, joined, follower)


def _repository(request: RunRequest) -> Path | None:
    captured = request.settings.capture_environment and request.read_git
    return training_repository() if captured else None


def _write_run_folder(handle: RunHandle, request: RunRequest, run: RunRecord) -> tuple[str, ...]:
    if request.settings.mode == "disabled":
        return ()
    return write_run_folder(
        handle.run_dir,
        config=run.config,
        created_at=run.created_at,
        config_path=request.config_path,
        base_config_path=request.base_config_path,
        capture_environment=request.settings.capture_environment,
        read_git=request.read_git,
        known=request.metadata,
    )


def _announce(handle: RunHandle, run: RunRecord, *, resumed: bool, joined: bool) -> RunRecord:
    """Write the run's first records; return the run as they leave it."""
    if joined:
        meta = handle.journal.meta
        payload: dict[str, Any] = {"host": meta.host, "pid": meta.pid, "rank": meta.rank}
        payload["owner"] = handle.owner
        handle.emit(EventRecord, event_type=JOINED, severity="info", payload=payload)
        return run
    if not resumed:
        body = {f.name: getattr(run, f.name) for f in fields(run) if f.name not in ENVELOPE}
        handle.emit(RunRecord, timestamp=run.timestamp, **body)
        handle.emit(
            EventRecord,
            event_type="run_started",
            severity="info",
            status=run.status,
            payload={"rank": handle.journal.meta.rank, "owner": handle.owner},
        )
        return run
    changes: dict[str, Any] = {
        "status": RunStatus.RUNNING.value,
        "resume_count": run.resume_count + 1,
        "ended_at": None,
        "end_reason": None,
        "exit_code": None,
    }
    update = handle.emit(RunUpdateRecord, changes=changes)
    payload = {
        "resume_count": run.resume_count + 1,
        "previous_status": run.status,
        "rank": handle.journal.meta.rank,
        "owner": handle.owner,
    }
    handle.emit(
        EventRecord, event_type="run_resumed", severity="info", status="running", payload=payload
    )
    return fold_run(run, update)


def _wait_for_answer(handle: RunHandle, run: RunRecord) -> None:
    """Have the store know the run before training starts.

    A local disk that cannot be written does not stop the training, unless the run is strict; a
    service that does not answer does.
    """
    settings = handle.settings
    if settings.mode == "offline":
        return
    if not handle.flush(settings.persistence_timeout_seconds):
        return
    error = handle.last_error
    reason = error or handle.journal.degraded or "no answer in time"
    if settings.persistence_url is not None or run.strict_mode:
        raise SessionStoreError(
            f"Run {run.id!r} could not be started in {handle.store_target}: {reason}."
        ) from error
    ui.say(f"run {run.id} is not in the store yet ({reason}). Training goes on.")
