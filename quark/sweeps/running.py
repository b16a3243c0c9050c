"""A trial while it runs: what its function gets, and the look at how far it is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from quark.errors import SessionStoreError, TrainingStoppedError
from quark.pipeline.faults import FaultLog
from quark.pipeline.worker import BackgroundWorker
from quark.sweeps.hyperband import best_at, brackets, falls_behind
from quark.sweeps.run_metric import metric_history, read_run

if TYPE_CHECKING:
    from quark.sweeps.sweep import Sweep
    from quark.sweeps.trial import Trial

_CLOSE_SECONDS = 10.0


class RunningTrial:
    """A trial that this process runs. Its function logs into a run with the id :attr:`run_id`."""

    def __init__(self, sweep: Sweep, trial: Trial) -> None:
        self.sweep = sweep
        self.trial = trial
        self.stop_reason: str | None = None
        self._listeners: list[Callable[[str], None]] = []
        self.stopping = threading.Event()

    @property
    def number(self) -> int:
        return self.trial.number

    @property
    def run_id(self) -> str:
        return self.trial.run_id

    @property
    def values(self) -> Mapping[str, Any]:
        """The values of the parameters; nested ones are nested dicts."""
        return self.trial.values

    @property
    def should_stop(self) -> bool:
        """Whether the trial is to be ended before its end."""
        return self.stopping.is_set()

    def check(self) -> None:
        """Raise if the trial is to be ended before its end; else do nothing.

        Raises:
            TrainingStoppedError: It is.
        """
        if self.stop_reason is not None:
            raise stop_error(self.trial, self.stop_reason)

    def on_stop(self, listener: Callable[[str], None]) -> None:
        """Have ``listener`` called with the reason, on another thread, when the trial is to end."""
        self._listeners.append(listener)

    def stop(self, reason: str) -> None:
        """Say that the trial is to end. Only the first reason counts."""
        if self.stop_reason is None:
            self.stop_reason = reason
            self.stopping.set()
            for listener in self._listeners:
                listener(reason)


class TrialWatch:
    """Looks, while a trial runs, how far it is and whether it shall end. Owns its worker."""

    def __init__(self, running: RunningTrial, *, poll_seconds: float) -> None:
        self._running = running
        rule = running.sweep.config.early_termination
        self._rule = rule if rule is not None and rule.kind == "hyperband" else None
        self._bounds = brackets(self._rule) if self._rule else ()
        self._value_count = 0
        self._worker = BackgroundWorker(
            self.look, name="quark-sweep", interval_seconds=poll_seconds, faults=FaultLog()
        )

    def start(self) -> None:
        self._worker.start()

    def close(self) -> None:
        """Stop looking. A second call does nothing."""
        self._worker.close(_CLOSE_SECONDS)

    def look(self) -> None:
        """Look once. A store that does not answer is asked again the next time."""
        running = self._running
        if running.should_stop:
            return
        try:
            ordered = running.sweep.trial(running.number).stop
            if ordered is None and self._rule is not None:
                ordered = self._judge()
        except SessionStoreError:
            return
        if ordered is not None:
            running.stop(ordered)

    def _judge(self) -> str | None:
        """Write down how far the trial is, and return why it is to end, if it is."""
        sweep, metric, rule = self._running.sweep, self._running.sweep.config.metric, self._rule
        assert metric is not None
        assert rule is not None
        run = read_run(sweep.store, self._running.run_id, sweep.settings)
        if run is None:
            return None
        history = metric_history(sweep.store, run, metric.name)
        if len(history) == self._value_count:
            return None
        self._value_count = len(history)
        own = best_at(history, self._bounds, metric)
        if not own:
            return None
        latest = metric.best(history)
        sweep.note_progress(self._running.number, latest, own)
        others = [
            trial.brackets for trial in sweep.trials() if trial.number != self._running.number
        ]
        if not falls_behind(own, latest, others, rule, metric):
            return None
        reason = f"hyperband: not among the best after {self._bounds[len(own) - 1]} values of"
        sweep.order_stop(self._running.number, f"{reason} {metric.name}")
        return f"{reason} {metric.name}"


def stop_error(trial: Trial, reason: str) -> TrainingStoppedError:
    """Return what is raised in a training whose trial is to end."""
    return TrainingStoppedError(
        f"Trial {trial.number} of sweep {trial.sweep_id} is ended early: {reason}. Let this error "
        "pass through the training's function; the agent goes on with the next trial.",
        end_reason=f"stopped by sweep {trial.sweep_id}: {reason}",
    )
