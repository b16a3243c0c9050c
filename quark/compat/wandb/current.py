"""The run that the module's functions mean, and the runs that are open in this process.

``wandb.log`` *is* the open run's method: the names in the module are bound anew when a run opens or
ends, so that a call costs no layer. The module hands its namespace over once, with :func:`attach`.
"""

from __future__ import annotations

import atexit
import os
import weakref
from typing import TYPE_CHECKING, Any, NoReturn

from quark.compat.wandb.errors import Error, UsageError
from quark.session.registry import EXIT

if TYPE_CHECKING:
    from quark.compat.wandb.run import Run

#: Functions of the module that are methods of the open run.
RUN_METHODS = (
    "log",
    "define_metric",
    "watch",
    "unwatch",
    "save",
    "alert",
    "mark_preempting",
    "pin_config_keys",
    "log_artifact",
    "use_artifact",
    "log_model",
    "use_model",
    "link_model",
)

_namespace: dict[str, Any] = {}
_open: dict[int, Run] = {}  # in order of their start
_seen: weakref.WeakSet[Run] = weakref.WeakSet()


class BeforeInit:
    """Stands for ``config`` and ``summary`` while no run is open. Any use raises :class:`Error`."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        object.__setattr__(self, "_name", name)

    def __getattr__(self, key: str) -> Any:
        if key.startswith("__"):  # asked by inspection, copying and the like, not by a script
            raise AttributeError(key)
        self._refuse(f".{key}")

    def __setattr__(self, key: str, value: Any) -> None:
        self._refuse(f".{key}")

    def __getitem__(self, key: Any) -> Any:
        self._refuse(f"[{key!r}]")

    def __setitem__(self, key: Any, value: Any) -> None:
        self._refuse(f"[{key!r}]")

    def __contains__(self, key: Any) -> bool:
        self._refuse("")

    def __iter__(self) -> Any:
        self._refuse("")

    def __repr__(self) -> str:
        return f"<wandb.{object.__getattribute__(self, '_name')} before wandb.init()>"

    def _refuse(self, access: str) -> NoReturn:
        name = object.__getattribute__(self, "_name")
        raise Error(f"No run is open: call wandb.init() before using wandb.{name}{access}.")


def attach(namespace: dict[str, Any]) -> None:
    """Take the module's namespace, and put in it what it holds while no run is open.

    A module that is loaded once more, by ``importlib.reload``, keeps its run.
    """
    global _namespace
    run = bound_run()
    _namespace = namespace
    if run is None:
        unbind()
    else:
        bind(run)


def bind(run: Run) -> None:
    """Make ``run`` the one that the module means."""
    _namespace.update(run=run, config=run.config, summary=run.summary)
    _namespace.update({name: getattr(run, name) for name in RUN_METHODS})


def unbind() -> None:
    """Let the module mean no run."""
    _namespace.update(run=None, config=BeforeInit("config"), summary=BeforeInit("summary"))
    _namespace.update({name: _before_init(name) for name in RUN_METHODS})


def opened(run: Run, *, bound: bool) -> None:
    """Take note of a run that was opened."""
    _open[id(run)] = run
    _seen.add(run)
    if bound:
        bind(run)


def closed(run: Run) -> None:
    """Take note of a run that has ended."""
    _open.pop(id(run), None)
    if bound_run() is run:
        unbind()


def bound_run() -> Run | None:
    """Return the run that the module means."""
    return _namespace.get("run")


def open_runs() -> tuple[Run, ...]:
    """Return the runs that are open, in the order of their start."""
    return tuple(_open.values())


def find(attach_id: str) -> Run | None:
    """Return the run of this process, open or over, that has this ``_attach_id``."""
    for run in (*_open.values(), *_seen):
        if run._attach_id == attach_id:
            return run
    return None


_registered = False


def finish_open_runs_at_exit() -> None:
    """See to it, once, that open runs end with their summary before their sessions do.

    Handlers run in the opposite order of their registration, and a session has registered by now.
    """
    global _registered
    if not _registered:
        _registered = True
        atexit.register(_finish_open_runs)
        EXIT.before_signal.append(_write_last_values)


def _finish_open_runs() -> None:
    for run in reversed(open_runs()):
        run.end(EXIT.exit_code, error=EXIT.exception)


def _write_last_values() -> None:
    for run in open_runs():
        run._write_last_values()


def _before_init(name: str) -> Any:
    def function(*args: Any, **keywords: Any) -> Any:
        run = bound_run()
        if run is None:
            raise UsageError(f"No run is open: call wandb.init() before wandb.{name}().")
        return getattr(run, name)(*args, **keywords)  # imported by name before init()

    function.__name__ = function.__qualname__ = name
    return function


def _after_fork_in_child() -> None:
    for run in tuple(_seen):
        run.renew_lock()


os.register_at_fork(after_in_child=_after_fork_in_child)
