"""An agent: takes trials of a sweep one after the other and runs each to its end.

What a trial raises ends that trial and no more. Agents know nothing of each other; the store gives
each trial to one of them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from quark import ui
from quark.clock import SYSTEM_CLOCK, Clock
from quark.errors import SettingsError
from quark.records import RunStatus
from quark.sweeps.hyperband import best_at, brackets
from quark.sweeps.lease import Lease
from quark.sweeps.run_metric import metric_history, read_run
from quark.sweeps.running import RunningTrial, TrialWatch
from quark.sweeps.sweep import Sweep
from quark.sweeps.trial import COMPLETED, FAILED, INTERRUPTED, STOPPED, Trial

#: Runs one trial and returns its exit code, or raises.
Execute = Callable[[RunningTrial], int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConfig:
    """How an agent works, and when it gives up. The numbers are W&B's; None means never.

    ``early_failures`` is how many trials may fail within the first ``early_seconds``,
    ``initial_failures`` how many while none has succeeded, ``consecutive_failures`` in a row.
    """

    poll_seconds: float = 5.0
    early_failures: int | None = 3
    early_seconds: float = 60.0
    initial_failures: int | None = 5
    consecutive_failures: int | None = None

    def __post_init__(self) -> None:
        if self.poll_seconds <= 0:
            raise SettingsError(f"poll_seconds is {self.poll_seconds!r}, but must be above 0.")
        for name in ("early_failures", "initial_failures", "consecutive_failures"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise SettingsError(f"{name} is {value!r}, but must be None, or 1 or more.")


class Ending(NamedTuple):
    """How a trial ended."""

    state: str
    exit_code: int | None
    reason: str | None


class Agent:
    """Runs trials of ``sweep`` on the calling thread. Owns its lease, not the sweep."""

    def __init__(
        self,
        sweep: Sweep,
        execute: Execute,
        *,
        config: AgentConfig | None = None,
        lease: Lease | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._sweep = sweep
        self._execute = execute
        self._config = config or AgentConfig()
        self._clock = clock
        self._lease = lease or Lease(sweep.root)
        self._pause = threading.Event()
        self._endings: list[str] = []

    def run(self, count: int | None = None) -> list[Trial]:
        """Run trials until there is none left, ``count`` have been run, or too many have failed.

        Returns the trials that it has run, as they ended.

        Raises:
            KeyboardInterrupt: Somebody pressed Ctrl-C; the trial is marked ``interrupted``.
            MissingDependencyError: The sweep's method needs a package that is not installed.
        """
        started = self._clock.monotonic()
        done: list[Trial] = []
        waiting = False
        try:
            while count is None or len(done) < count:
                claimed = self._sweep.claim(self._lease)
                if claimed == "done":
                    break
                if claimed == "wait":
                    if not waiting:
                        ui.say(f"sweep {self._sweep.id}: waiting for a trial.")
                    waiting = True
                    self._pause.wait(self._config.poll_seconds)
                    continue
                waiting = False
                done.append(self._run_trial(claimed))
                if self._gives_up(done, self._clock.monotonic() - started):
                    break
        finally:
            self._lease.release()
        return done

    def _run_trial(self, trial: Trial) -> Trial:
        running = RunningTrial(self._sweep, trial)
        watch = TrialWatch(running, poll_seconds=self._config.poll_seconds)
        watch.start()
        ending = Ending(FAILED, None, None)
        try:
            ending = self._ending(running)
        except KeyboardInterrupt:
            ending = Ending(INTERRUPTED, 255, "KeyboardInterrupt")
            raise
        except BaseException as error:
            ending = Ending(FAILED, 1, type(error).__name__)
            raise
        finally:
            watch.close()
            ended = self._settle(running, ending)
        return ended

    def _ending(self, running: RunningTrial) -> Ending:
        try:
            code = self._execute(running) or 0
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else int(error.code is not None)
        except Exception as error:
            if running.should_stop:
                return Ending(STOPPED, 1, running.stop_reason)
            reason = f"{type(error).__name__}: {error}"
            ui.say(f"trial {running.number} of sweep {self._sweep.id} failed: {reason}")
            return Ending(FAILED, 1, reason[:2000])
        if code == 0:
            return Ending(COMPLETED, 0, None)
        if running.should_stop:
            return Ending(STOPPED, code, running.stop_reason)
        ui.say(f"trial {running.number} of sweep {self._sweep.id} failed with exit code {code}.")
        return Ending(FAILED, code, None)

    def _settle(self, running: RunningTrial, ending: Ending) -> Trial:
        """Keep how the trial ended and what its run says of the metric."""
        sweep, trial = self._sweep, running.trial
        run = read_run(sweep.store, trial.run_id, sweep.settings)
        if run is not None and run.status == RunStatus.FAILED and ending.state == COMPLETED:
            ending = Ending(FAILED, run.exit_code, run.end_reason)
        metric, rule = sweep.config.metric, sweep.config.early_termination
        history = metric_history(sweep.store, run, metric.name) if metric and run else []
        marks = best_at(history, brackets(rule), metric) if metric and rule else ()
        return sweep.settle(
            trial.number,
            ending.state,
            exit_code=ending.exit_code,
            reason=ending.reason,
            metric=metric.best(history) if metric else None,
            brackets=marks,
        )

    def _gives_up(self, done: list[Trial], seconds: float) -> bool:
        config = self._config
        failed = sum(trial.state == FAILED for trial in done)
        if not failed or done[-1].state != FAILED:
            return False
        in_a_row = 0
        for trial in reversed(done):
            if trial.state != FAILED:
                break
            in_a_row += 1
        if config.consecutive_failures is not None and in_a_row >= config.consecutive_failures:
            why = f"{in_a_row} trials failed in a row"
        elif (
            config.early_failures is not None
            and seconds < config.early_seconds
            and failed >= config.early_failures
        ):
            why = f"{failed} trials failed within the first {config.early_seconds:g} seconds"
        elif (
            config.initial_failures is not None
            and failed == len(done)
            and failed >= config.initial_failures
        ):
            why = f"the first {failed} trials failed"
        else:
            return False
        ui.say(f"sweep {self._sweep.id}: this agent gives up, as {why}.", tone="error")
        return True
