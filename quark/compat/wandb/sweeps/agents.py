"""``wandb.agent``: runs trials of a sweep, as calls of a function or as programs."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from quark import jsonio
from quark.compat.launching import FOLDER
from quark.compat.wandb import current, environment, term
from quark.compat.wandb.errors import InvalidSettingError, UsageError
from quark.compat.wandb.sweeps.active import STOP_ORDERS, ActiveTrial, alone, entered
from quark.compat.wandb.sweeps.place import find_sweep, sweep_settings
from quark.compat.wandb.sweeps.trial_values import write_values
from quark.settings import (
    Settings as QuarkSettings,
    environment as variables,
    environment_snapshot,
    set_environment_variable,
)
from quark.sweeps import Agent, AgentConfig, RunningTrial, Sweep
from quark.sweeps.command import asks_for, filled_command
from quark.sweeps.lease import Lease
from quark.sweeps.program import KILL_DELAY_SECONDS, run_program
from quark.sweeps.running import stop_error

POLL_SECONDS = 5.0

_running = 0


def is_running() -> bool:
    """Say whether an agent is at work in this process."""
    return _running > 0


def agent(
    sweep_id: str,
    function: Callable[[], object] | None = None,
    entity: str | None = None,
    project: str | None = None,
    count: int | None = None,
    forward_signals: bool = False,
    term_timeout: int | None = None,
    max_consecutive_failed_runs: int | None = None,
) -> None:
    """Run trials of a sweep until there is none left, or ``count`` of them.

    A trial that fails ends alone; an agent gives up as W&B's do, after three failures in its first
    minute or five at its start. A trial that is to end early ends by a ``TrainingStoppedError`` out
    of its next ``log``, on the thread that logs (W&B raises into a thread that may be anywhere); a
    program gets SIGTERM, and SIGKILL after ``WANDB_AGENT_KILL_DELAY`` seconds.

    Args:
        sweep_id: ``id``, ``project/id`` or ``entity/project/id``.
        function: What is called for each trial, on this thread; its ``wandb.init()`` opens the
            trial's run, with the sweep's values in the config. Without it the sweep's program is
            started for each trial.
        forward_signals: Whether SIGTERM, SIGHUP and SIGQUIT end the trial's program too.
        term_timeout: How long a program may take to end after a signal, in seconds.
        max_consecutive_failed_runs: After how many failures in a row the agent gives up.

    Raises:
        SweepNotFoundError: There is no such sweep; a CommError and a ValueError.
        UsageError: There is neither a function nor a program.
    """
    global _running
    _check_limit(max_consecutive_failed_runs)
    where = sweep_settings()
    with find_sweep(sweep_id, entity, project, where) as sweep:
        if (
            function is None
            and not sweep.config.program
            and asks_for(sweep.config.command, "program")
        ):
            raise UsageError(
                f"Sweep {sweep_id!r} has no program. Pass wandb.agent() a function, or make the "
                "sweep with 'program' in its configuration."
            )
        lease = Lease(sweep.root)
        if function is not None:
            execute: Callable[[RunningTrial], int | None] = _Function(sweep, function).run
        else:
            execute = _Program(sweep, lease, _kill_delay_seconds(term_timeout)).run
        worker = Agent(sweep, execute, config=_config(max_consecutive_failed_runs), lease=lease)
        _running += 1
        try:
            with _forwarding(forward_signals and function is None):
                worker.run(count)
        except KeyboardInterrupt:
            term.termlog("Ctrl + C detected. Stopping sweep.")
        finally:
            _running -= 1
            environment.forget()


def pyagent(
    sweep_id: str,
    function: Callable[[], object],
    entity: str | None = None,
    project: str | None = None,
    count: int | None = None,
    max_consecutive_failed_runs: int | None = None,
) -> None:
    """Run trials as calls of ``function``, as :func:`agent`.

    Raises:
        TypeError: It cannot be called.
    """
    if not callable(function):
        raise TypeError(f"function must be callable, and {function!r} is not.")
    agent(
        sweep_id,
        function,
        entity,
        project,
        count,
        max_consecutive_failed_runs=max_consecutive_failed_runs,
    )


class _Function:
    """Runs trials as calls of a function in this process."""

    def __init__(self, sweep: Sweep, function: Callable[[], object]) -> None:
        self._sweep = sweep
        self._function = function

    def run(self, running: RunningTrial) -> int:
        trial = ActiveTrial(
            sweep_id=self._sweep.id,
            run_id=running.run_id,
            project=self._sweep.project,
            entity=_entity(self._sweep),
            values=running.values,
            running=running,
        )
        running.on_stop(lambda reason: _order_stop(running, reason))
        path = _values_path(self._sweep, running)
        write_values(path, running.values)
        with entered(trial), _set(_trial_variables(self._sweep, running, path)):
            if alone():  # as W&B does; several agents in one process leave each other's runs alone
                for run in reversed(current.open_runs()):
                    run.finish()
            environment.forget()
            _announce(running)
            try:
                self._function()
            except BaseException as error:
                if (
                    not isinstance(error, KeyboardInterrupt | SystemExit)
                    and not running.should_stop
                ):
                    term.termerror("".join(traceback.format_exception(error)).rstrip())
                _finish(running, error)
                raise
            _finish(running, None)
        return 0


class _Program:
    """Runs trials as programs."""

    def __init__(self, sweep: Sweep, lease: Lease, kill_delay_seconds: float) -> None:
        self._sweep = sweep
        self._lease = lease
        self._kill_delay_seconds = kill_delay_seconds

    def run(self, running: RunningTrial) -> int:
        config = self._sweep.config
        path = _values_path(self._sweep, running)
        write_values(path, running.values)
        json_path = path.with_suffix(".json")
        if asks_for(config.command, "args_json_file"):
            json_path.write_bytes(jsonio.dumps(dict(running.values)))
        around = environment_snapshot()
        places = [FOLDER, *filter(None, [around.get("PYTHONPATH")])]
        around["PYTHONPATH"] = os.pathsep.join(places)  # its ``import wandb`` is the shim
        words = filled_command(
            config.command,
            running.values,
            interpreter=(sys.executable,),
            program=config.program,
            variables=around,
            json_file=str(json_path),
        )
        _announce(running)
        return run_program(
            running,
            words,
            {**around, **_trial_variables(self._sweep, running, path)},
            self._lease,
            kill_delay_seconds=self._kill_delay_seconds,
        )


def _finish(running: RunningTrial, error: BaseException | None) -> None:
    """End what the function left open."""
    for run in reversed(current.open_runs()):
        if not run.inherited and (run.id == running.run_id or alone()):
            run.end(0 if error is None else 1, error=error)


def _order_stop(running: RunningTrial, reason: str) -> None:
    """Have the next ``log`` of the trial's run raise, on the thread that logs."""
    STOP_ORDERS[running.run_id] = stop_error(running.trial, reason)
    for run in current.open_runs():
        if run.id == running.run_id:
            run._look_closer()


def _announce(running: RunningTrial) -> None:
    lines = [f"Agent Starting Run: {running.run_id} with config:"]
    lines += [f"\t{name}: {value}" for name, value in running.values.items()]
    term.termlog("\n".join(lines))


def _trial_variables(sweep: Sweep, running: RunningTrial, path: Path) -> dict[str, str]:
    """Return what a process that belongs to the trial finds in its environment."""
    found = {
        "WANDB_SWEEP_ID": sweep.id,
        "WANDB_SWEEP_PARAM_PATH": str(path),
        "WANDB_RUN_ID": running.run_id,
        "WANDB_PROJECT": sweep.project,
        "QUARK_STORAGE_DIR": str(sweep.root.parent),
    }
    entity = _entity(sweep)
    return found if entity is None else {**found, "WANDB_ENTITY": entity}


def _entity(sweep: Sweep) -> str | None:
    return None if sweep.workspace == QuarkSettings.load().workspace else sweep.workspace


def _values_path(sweep: Sweep, running: RunningTrial) -> Path:
    folder = Path(variables(("WANDB_DIR",)).get("WANDB_DIR") or os.getcwd()).absolute()
    return folder / "wandb" / f"sweep-{sweep.id}" / f"config-{running.run_id}.yaml"


@contextlib.contextmanager
def _set(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables of the environment, and put back what was there."""
    before = environment_snapshot()
    for name, value in values.items():
        set_environment_variable(name, value)
    try:
        yield
    finally:
        for name in values:
            set_environment_variable(name, before.get(name))


@contextlib.contextmanager
def _forwarding(wanted: bool) -> Iterator[None]:
    """Have the signals that end a process end the trial's program first, as Ctrl-C does."""
    if not wanted or threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
    before = [(number, signal.signal(number, _interrupt)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _interrupt(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


def _config(max_consecutive_failed_runs: int | None) -> AgentConfig:
    given = variables(("WANDB_AGENT_",))
    flapping_counts = given.get("WANDB_AGENT_DISABLE_FLAPPING") != "true"
    initial = _number(given, "WANDB_AGENT_MAX_INITIAL_FAILURES", 5)
    return AgentConfig(
        poll_seconds=POLL_SECONDS,
        early_failures=3 if flapping_counts else None,
        initial_failures=max(1, initial),
        consecutive_failures=max_consecutive_failed_runs,
    )


def _kill_delay_seconds(term_timeout: int | None) -> float:
    if term_timeout is not None:
        return float(term_timeout)
    return float(
        _number(variables(("WANDB_AGENT_",)), "WANDB_AGENT_KILL_DELAY", int(KILL_DELAY_SECONDS))
    )


def _number(given: Mapping[str, str], name: str, default: int) -> int:
    text = given.get(name, "")
    if text and not text.isdigit():
        raise InvalidSettingError(f"{name} is {text!r}, but must be a whole number of 0 or more.")
    return int(text) if text else default


def _check_limit(limit: Any) -> None:
    if limit is None:
        return
    if isinstance(limit, bool) or not isinstance(limit, int):
        raise TypeError(
            f"max_consecutive_failed_runs is {limit!r}, but must be a whole number or None."
        )
    if limit < 1:
        raise ValueError(f"max_consecutive_failed_runs is {limit}, but must be at least 1.")
