"""A run's life: started or resumed, tagged, logged to, ended."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from quark import records
from quark.clock import SYSTEM_CLOCK, format_timestamp
from quark.errors import InvalidRunStateError, SchemaValidationError, SessionStoreError
from quark.naming import check_tag
from quark.pipeline.diagnostics import Diagnostics
from quark.session import registry
from quark.session.events import check_event, log_payload, severity_of
from quark.session.handle import RunHandle
from quark.session.request import RunRequest
from quark.settings import Settings

if TYPE_CHECKING:
    from quark.records import (
        ConfigUpdateRecord,
        EventRecord,
        Record,
        RunContext,
        RunUpdateRecord,
        SummaryUpdateRecord,
    )
    from quark.session.opening import OpenedRun
    from quark.storage.protocols import Store

R = TypeVar("R", bound="Record")


class TrainingSession:
    """One run while it is open in this process.

    Made by :meth:`start_run`, :meth:`resume_run` or :meth:`open`; ended by :meth:`end_run` or by
    leaving the ``with`` block: ``completed`` on success, ``failed`` on an exception,
    ``interrupted`` on Ctrl-C or ``sys.exit``.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> with TrainingSession.start_run(project="demo", storage_dir=folder) as session:
    ...     _ = session.add_log("warm-up done")
    >>> session.status
    'completed'
    """

    def __init__(self, opened: OpenedRun) -> None:
        self.handle: RunHandle = opened.handle
        self.log_row = opened.handle.log_row  # bound here: the hot path pays for no further call
        self._context = opened.context
        self._extensions = opened.extensions
        self.joined = opened.joined
        self._pid, self.opened_us = os.getpid(), SYSTEM_CLOCK.time_us()
        self._ended = False
        opened.follow(self)
        registry.add(self)
        self._extensions.on_start(self)

    # -- opening -----------------------------------------------------------------------------

    @classmethod
    def start_run(
        cls,
        *,
        project: str,
        config: Mapping[str, Any] | None = None,
        tags: Iterable[str] | None = None,
        parent_run_id: str | None = None,
        storage_dir: str | Path | None = None,
        strict_mode: bool = False,
    ) -> Self:
        """Start a new run.

        Args:
            project: What the run is grouped under; made if it is new.
            config: Hyperparameters: anything that JSON can hold.
            tags: Words to find the run by.
            parent_run_id: The run that this one descends from.
            storage_dir: Where the store is; else ``QUARK_STORAGE_DIR``, else the working directory.
            strict_mode: Let faults of the instrumentation stop the training.

        Raises:
            SchemaValidationError: An argument breaks a rule.
            RunNotFoundError: There is no run ``parent_run_id``.
            SessionStoreError: A service is asked for and does not answer.
        """
        return cls.open(
            RunRequest(
                project=project,
                settings=Settings.load(storage_dir=_as_text(storage_dir)),
                config=config or {},
                tags=tuple(tags or ()),
                parent_run_id=parent_run_id,
                strict_mode=strict_mode,
            )
        )

    @classmethod
    def resume_run(cls, *, run_id: str, storage_dir: str | Path | None = None) -> Self:
        """Go on with a run that was interrupted or failed. Changes its lifecycle state.

        Raises:
            RunNotFoundError: There is no such run.
            InvalidRunStateError: The run is completed, or still running.
            SessionStoreError: The store does not answer.
        """
        return cls.open(
            RunRequest(
                project="",
                settings=Settings.load(storage_dir=_as_text(storage_dir)),
                run_id=run_id,
                resume="must",
            )
        )

    @classmethod
    def open(cls, request: RunRequest) -> Self:
        """Start or go on with the run that ``request`` describes."""
        from quark.session.opening import open_run  # half of what a session is made of

        return cls(open_run(request))

    # -- what it is --------------------------------------------------------------------------

    @property
    def context(self) -> RunContext:
        """The run as this process knows it."""
        return self._context

    @property
    def run_id(self) -> str:
        return self._context.run_id

    @property
    def run_path(self) -> Path:
        """The run's folder on this machine."""
        return self.handle.run_dir

    @property
    def project_id(self) -> str:
        return self._context.project_id

    @property
    def project_name(self) -> str:
        return self._context.project_name

    @property
    def status(self) -> str:
        return self._context.status

    @property
    def strict_mode(self) -> bool:
        return self._context.run.strict_mode

    @property
    def ended(self) -> bool:
        """Whether :meth:`end_run` was called."""
        return self._ended

    def to_dict(self) -> dict[str, Any]:
        """Return project, run and where they are kept as plain dicts."""
        return self._context.to_dict()

    def diagnostics(self) -> Diagnostics:
        """Return what the pipeline accepted, delivered and lost so far."""
        return self.handle.diagnostics()

    def reading(self) -> AbstractContextManager[Store]:
        """Give the store with everything logged so far in it; also after the end of the run."""
        return self.handle.reading()

    # -- changing it -------------------------------------------------------------------------

    def emit(self, kind: type[R], *, timestamp: str | None = None, **fields: Any) -> R:
        """Keep a record of ``kind``; returns it.

        Raises:
            InvalidRunStateError: The run has ended.
        """
        self._check_open()
        return self.handle.emit(kind, timestamp=timestamp, **fields)

    def flush(self, timeout_seconds: float | None = None) -> int:
        """Have the store take everything logged so far; return how many records it has not."""
        return self.handle.flush(timeout_seconds)

    def reload(self) -> RunContext:
        """Read the run again from the store.

        Raises:
            RunNotFoundError: The run is not there any more.
            SessionStoreError: The store does not answer.
        """
        with self.handle.reading() as store:
            run = store.records.get_run(self.run_id)
        self._context = replace(self._context, run=run)
        return self._context

    def add_tag(self, tag: str) -> RunContext:
        """Add a tag to the run; adding one that it has changes nothing.

        Raises:
            SchemaValidationError: ``tag`` is not a valid tag.
            SessionStoreError: The store does not take it (in strict mode).
        """
        check_tag(tag)
        self._change(self.emit(records.RunUpdateRecord, add_tags=(tag,)))
        if self.flush() and self.strict_mode:
            raise SessionStoreError(f"Tag {tag!r} of run {self.run_id!r} is not stored yet.")
        return self._context

    def update_run(self, **changes: Any) -> RunContext:
        """Change fields of the run such as ``name``, ``notes``, ``group`` or ``tags``."""
        self._change(self.emit(records.RunUpdateRecord, changes=changes))
        return self._context

    def update_config(self, values: Mapping[str, Any], removed: Iterable[str] = ()) -> None:
        """Set and remove top-level keys of the run's configuration. Secrets are redacted."""
        from quark.redact import redact_mapping  # 30 expressions: not at import

        self._change(
            self.emit(
                records.ConfigUpdateRecord, values=redact_mapping(values), removed=tuple(removed)
            )
        )

    def update_summary(
        self, values: Mapping[str, Any], removed: Iterable[str] = (), **place: Any
    ) -> None:
        """Set and remove top-level keys of the run's summary; ``place``: its ``step``, ``path``."""
        update = {"values": values, "removed": tuple(removed), **place}
        self._change(self.emit(records.SummaryUpdateRecord, **update))

    def _change(self, update: RunUpdateRecord | ConfigUpdateRecord | SummaryUpdateRecord) -> None:
        self._context = replace(self._context, run=records.fold_run(self._context.run, update))

    def add_log(
        self,
        message: str,
        *,
        identifier: str | None = "Info",
        step: int | None = None,
        epoch: int | None = None,
        status: str | None = None,
        payload: Mapping[str, Any] | None = None,
        timestamp: str | None = None,
        event_type: str = "user_log",
    ) -> EventRecord:
        """Write a message to the run's log at once.

        Args:
            message: Free text.
            identifier: ``Info``, ``Warning`` or ``Error``.
            payload: More to keep with it; not the keys ``message`` and ``identifier``.

        Raises:
            SchemaValidationError: An argument breaks a rule.
            InvalidRunStateError: The run has ended.
        """
        body = log_payload(message, identifier, payload)
        check_event(event_type, step, epoch)
        return self.emit(
            records.EventRecord,
            timestamp=timestamp,
            event_type=event_type,
            severity=severity_of(identifier),
            step=step,
            epoch=epoch,
            status=status,
            payload=body,
        )

    # -- ending ------------------------------------------------------------------------------

    def end_run(
        self,
        status: str = "completed",
        *,
        exit_code: int | None = None,
        reason: str | None = None,
    ) -> RunContext:
        """End the run; everything logged is delivered first, by a deadline.

        In a forked child, and in a process that joined a run which another one ends, this closes
        the process's part only.

        Args:
            status: ``completed``, ``failed`` or ``interrupted``.
            exit_code: The exit code of the process, where one is known.
            reason: Why it ended, where there is more to say.

        Raises:
            InvalidRunStateError: The run has ended before.
            SchemaValidationError: ``status`` is not one of the three.
        """
        if status not in records.TERMINAL_STATUSES:
            raise SchemaValidationError(
                f"Status {status!r} does not end a run; use 'completed', 'failed' or 'interrupted'."
            )
        if self._pid != os.getpid() or not self.handle.owner:
            self._let_go(merge=False)
            return self._context
        self._check_open()
        records.check_run_transition(self.run_id, self.status, status)
        self.handle.begin_end()
        try:
            if self._extensions:
                self.flush()
                self._extensions.on_end(self, status)
        finally:  # a strict run ends, too, and raises what it met
            self._emit_end(status, exit_code, reason)
            self._let_go(merge=True)
        return self._context

    def _emit_end(self, status: str, exit_code: int | None, reason: str | None) -> None:
        ended_at = format_timestamp(SYSTEM_CLOCK.time_us())
        self.emit(
            records.EventRecord, event_type="run_ended", severity="info", status=status, payload={}
        )
        end = {"status": str(status), "ended_at": ended_at}
        self.update_run(**end, exit_code=exit_code, end_reason=reason)

    def end_after(self, error: BaseException, *, exit_code: int | None = None) -> RunContext:
        """End the run because of ``error``, which is kept as a run log.

        ``KeyboardInterrupt``, ``SystemExit`` and who asked for it interrupt it; all else fails it.
        """
        if getattr(error, "interrupts", isinstance(error, (KeyboardInterrupt, SystemExit))):
            event_type, identifier, status = (
                "runtime_interruption",
                records.LogIdentifier.WARNING,
                records.RunStatus.INTERRUPTED,
            )
        else:
            event_type, identifier, status = (
                "runtime_error",
                records.LogIdentifier.ERROR,
                records.RunStatus.FAILED,
            )
        from traceback import format_exception  # only a run that fails needs these

        from quark.redact import redact_text

        self.add_log(
            redact_text(str(error)) or type(error).__name__,
            identifier=identifier,
            event_type=event_type,
            payload={
                "exception_type": type(error).__qualname__,
                "traceback": redact_text("".join(format_exception(error))[-20_000:]),
            },
        )
        return self.end_run(status, exit_code=exit_code, reason=getattr(error, "end_reason", None))

    def _let_go(self, *, merge: bool) -> None:
        self._ended = True
        registry.remove(self)
        self.handle.close(merge=merge)

    def _check_open(self) -> None:
        if self._ended:
            raise InvalidRunStateError(
                f"Run {self.run_id!r} has ended as {self.status!r}; resume it with "
                "TrainingSession.resume_run(...) or start a new one."
            )

    def mark_forked(self) -> None:
        """In a forked child: begin anew with the first record that is logged."""
        self.handle.mark_forked()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._ended:
            return
        if error is None:
            self.end_run(records.RunStatus.COMPLETED)
        else:
            self.end_after(error)

    def __repr__(self) -> str:
        return f"TrainingSession(run_id={self.run_id!r}, status={self.status!r})"


def _as_text(path: str | Path | None) -> str | None:
    return None if path is None else str(path)
