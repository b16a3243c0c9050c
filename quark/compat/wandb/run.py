"""A run as W&B scripts see it, on top of a :class:`~quark.session.TrainingSession`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from quark import ui
from quark.compat.wandb import current
from quark.compat.wandb.alert import AlertLevel, alert_fields, may_say
from quark.compat.wandb.artifacts.run_methods import RunArtifacts
from quark.compat.wandb.disabled import NullSession
from quark.compat.wandb.integration.event_rows import FOLLOWING
from quark.compat.wandb.run_place import FILES
from quark.compat.wandb.run_saving import RunSaving
from quark.compat.wandb.sweeps.active import STOP_ORDERS
from quark.compat.wandb.used import compat_report, counted_methods
from quark.compat.wandb.values import plain
from quark.errors import SchemaValidationError
from quark.records import EventRecord, MetricDefinitionRecord
from quark.session import TrainingSession

if TYPE_CHECKING:
    from datetime import timedelta

    from quark.compat.wandb.definitions import Metric


@counted_methods("Run", leave=frozenset({"log"}))
class Run(RunSaving, RunArtifacts):
    """One run, from ``init`` to ``finish``. Owns its session: ending the run ends it."""

    __slots__ = ()

    # -- logging -----------------------------------------------------------------------------

    def define_metric(
        self,
        name: str,
        step_metric: str | Metric | None = None,
        step_sync: bool | None = None,
        hidden: bool | None = None,
        summary: str | None = None,
        overwrite: bool | None = None,
        goal: str | None = None,
    ) -> Metric:
        """Say how a metric is counted and what the summary holds of it.

        Raises:
            Error: An argument is not what W&B takes.
            UsageError: The run is finished.
        """
        from quark.compat.wandb.definitions import Definitions, parse_metric

        self._check_open("define_metric")
        metric = parse_metric(name, step_metric, step_sync, hidden, summary, goal)
        with self._lock:
            if self._definitions is None:
                self._definitions = Definitions(self._earlier)
            self._definitions.define(metric, self._last, overwrite=bool(overwrite))
            row = self._row
        self._session.emit(
            MetricDefinitionRecord,
            name=metric.name,
            step_metric=metric.step_metric,
            step_sync=bool(metric.step_sync),
            hidden=bool(metric.hidden),
            summary=metric.summary or (),
            goal=metric.goal,
            overwrite=bool(overwrite),
            step=row,
        )
        return metric

    def watch(
        self,
        models: Any,
        criterion: Any = None,
        log: str | None = "gradients",
        log_freq: int = 1000,
        idx: int | None = None,
        log_graph: bool = False,
    ) -> None:
        """Follow the gradients and parameters of models, and what their layers put out.

        Args:
            models: A ``torch.nn.Module``, or several in a list or tuple.
            criterion: The loss. The name of its class is kept, if it is a module.
            log: ``"gradients"``, ``"parameters"``, ``"all"``, or None for neither.
            log_freq: Every how many passes something is taken.
            idx: The number of the first of the models; without it they are counted on.
            log_graph: Whether to keep the models' graphs.

        Raises:
            TypeError: One of ``models`` is no module.
            ValueError: ``log`` or ``log_freq`` is not what it may be.
        """
        if self._finished:
            return  # as with W&B, the one call that a finished run does not refuse
        if self._watching is None:
            from quark.compat.wandb.watching import Watching  # torch: only for those who watch

            self._watching = Watching(self)
        self._watching.watch(models, criterion, log, log_freq, idx, log_graph)

    def unwatch(self, models: Any = None) -> None:
        """Follow models no longer; without an argument, none at all."""
        if self._watching is None:
            from quark.compat.wandb.watching import Watching

            self._watching = Watching(self)
        self._watching.unwatch(models)

    def alert(
        self,
        title: str,
        text: str,
        level: str | AlertLevel | None = None,
        wait_duration: float | timedelta | None = None,
    ) -> None:
        """Keep an alert as an event of the run and say it on the terminal.

        Args:
            title: One line.
            text: What happened.
            level: How bad it is.
            wait_duration: For how long the same title is not said again, in seconds or as a
                timedelta; by default a minute. Every alert is kept.

        Raises:
            ValueError: ``level`` is not INFO, WARN or ERROR.
        """
        self._check_open("alert")
        fields = alert_fields(title, text, level)
        self._session.emit(EventRecord, event_type="alert", **fields)
        if not (self.disabled or self._settings.silent) and may_say(self.id, title, wait_duration):
            ui.say(f"{title}: {text}", tone="warning")

    def write_logs(self, text: str) -> None:
        """Keep ``text`` among the run's console lines without printing it."""
        if not self._finished and isinstance(self._session, TrainingSession):
            self._session.handle.write_console(text)

    def pin_config_keys(self, keys: Sequence[str]) -> None:
        """Accept what W&B shows first on a page; there is no such page here."""
        self._check_open("pin_config_keys")

    def _label(self, *_: Any, **__: Any) -> None:
        """Accept the label that libraries put on a run."""

    # -- ending ------------------------------------------------------------------------------

    def finish(self, exit_code: int | None = None, quiet: bool | None = None) -> None:
        """End the run: ``completed`` if ``exit_code`` is 0 or not given, else ``failed``.

        A second call does nothing. Where another process ends the run (in a forked child, after
        ``wandb.attach``) only this one's part is closed.
        """
        self.end(exit_code or 0, quiet=bool(quiet))

    def end(
        self, exit_code: int, *, error: BaseException | None = None, quiet: bool = False
    ) -> None:
        """End the run; ``error`` is what ended it, if anything did."""
        if self._finished:
            return
        guest = self.guest
        quiet = quiet or bool(self._settings.silent or self._settings.quiet) or guest
        told = self._ending_is_told(quiet)
        if self._watching is not None:
            self._watching.close()
        self._finish_saving()
        if self in FOLLOWING:
            from quark.compat.wandb.integration import tensorboard

            tensorboard.end(self)
        if not self.inherited and not self._session.ended:
            self._config.persist()
            self._note_uses()
            if not guest or self._outlives_owner():
                self._save_summary()
                self._describe()
        self._finished = True
        self._short_way = False
        current.closed(self)
        if self._mirror is not None:
            self._mirror.end()
        if self._session.ended:
            return
        self._end_session(exit_code, error)
        if not (quiet or self.disabled or told()):
            ui.say(
                f"run {self._name} ({self.id}) of project {self._project}: "
                f"{self._session.status}. It is kept in {self._session.run_path}."
            )

    def _describe(self) -> None:
        """Put the config, the summary and the metadata among the run's files, as W&B does."""
        if isinstance(self._session, NullSession):
            return
        from quark.compat.wandb.described_files import write_described_files

        path, record = self._session.run_path, self._session.context.run
        summary = {key: plain(value) for key, value in self._last.items()}
        try:
            write_described_files(
                path, path / FILES, self._config.as_dict(), summary, record.created_at
            )
        except (OSError, SchemaValidationError) as error:  # copies: the run itself is stored
            self._session.handle.faults.record("a run's files could not be described", error)
        from quark.compat.wandb.sent_files import send_files

        send_files(self._session.handle)

    def _note_uses(self) -> None:
        """Have the report say what was used so far that is not quite W&B's."""
        report = compat_report()
        text = report.summary()
        if text:
            note = {"label": "wandb", "text": text, "details": [*report.lines()]}
            self._session.emit(EventRecord, event_type="report_note", payload=note)

    def _end_session(self, exit_code: int, error: BaseException | None) -> None:
        if exit_code:
            from quark.compat.wandb.preempting import PREEMPTED, is_marked

            if is_marked(self._session):
                self._session.end_run("interrupted", exit_code=exit_code, reason=PREEMPTED)
                return
        if error is not None and not self.inherited:
            self._session.end_after(error, exit_code=exit_code)
        else:
            self._session.end_run("failed" if exit_code else "completed", exit_code=exit_code)

    def _ending_is_told(self, quiet: bool) -> Callable[[], bool]:
        """Have the report kept to itself if ``quiet``; return what says whether it was printed."""
        if not isinstance(self._session, TrainingSession):
            return lambda: False
        handle = self._session.handle
        handle.quiet = handle.quiet or quiet
        return lambda: handle.reported

    def _write_last_values(self) -> None:
        """Write what is only known at the end; also called when a signal ends the process."""
        if not self.inherited and not self._session.ended:
            self._save_in_a_hurry()
            if self in FOLLOWING:
                FOLLOWING[self].close_all(self)
            self._config.persist()
            if not self.guest:
                self._save_summary()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end(0 if error is None else 1, error=error)

    # -- inside ------------------------------------------------------------------------------

    def _draw(self, charts: Mapping[tuple[str, ...], Any]) -> None:
        from quark.compat.wandb.plot.charts import joined

        if isinstance(self._session, TrainingSession):
            self._session.update_config(joined(charts, self._session.context.run.config))

    def _look_closer(self) -> None:
        """Have every call of ``log`` looked at, as it may have to raise."""
        self._short_way = False

    def _log_anything(self, data: Any, step: Any, commit: bool | None) -> None:
        if STOP_ORDERS and self.id in STOP_ORDERS:
            raise STOP_ORDERS[self.id]
        if self._short_way:  # so no writers are followed
            super()._log_anything(data, step, commit)
        elif (rows := FOLLOWING.get(self)) is not None:
            rows.log(self, data, step, commit)
        elif not self.disabled:
            super()._log_anything(data, step, commit)
        elif isinstance(data, Mapping):
            self._summary.update({str(key): value for key, value in data.items()})


class RunDisabled(Run):
    """A run that keeps nothing: what ``mode="disabled"`` gives."""

    __slots__ = ()
