"""Ending a training on the thread that trains: an alert says it is broken, or somebody asked.

Either comes up on another thread. It leaves an order here, which is carried out where a training
can be ended without harm: before an optimizer step of torch, or where a loop asks by itself.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from quark.errors import TrainingStoppedError
from quark.session import registry

if TYPE_CHECKING:
    from quark.live.after_import import AfterImport
    from quark.records import AlertRecord
    from quark.session import TrainingSession
    from quark.storage.stop_requests import StopRequest

_OPTIMIZERS = "torch.optim.optimizer"


_LONGEST_WORDS = 300


class StopOrder(Protocol):
    """That the training of one run is to be ended, and why."""

    @property
    def run_id(self) -> str: ...

    def error(self) -> TrainingStoppedError:
        """Return what is raised in the training."""
        ...


class StopByAlert(NamedTuple):
    """An alert says that the training is broken."""

    alert: AlertRecord
    bundle_key: str  # of the artifact with the evidence

    @property
    def run_id(self) -> str:
        return self.alert.run_id

    def error(self) -> TrainingStoppedError:
        """Return what is raised in the training."""
        alert = self.alert
        place = "" if alert.step_end is None else f" at step {alert.step_end}"
        what = f"{alert.rule_id} ({alert.severity}){place}"
        return TrainingStoppedError(
            f"Quark stopped the training because of the alert {what}: {alert.fact} "
            f"{alert.inference} The evidence is kept as artifact {self.bundle_key!r} of run "
            f"{alert.run_id!r}. Remove the cause, or set QUARK_ON_ALERT=warn to train on.",
            end_reason=f"stopped by alert {what}",
        )


class StopByRequest(NamedTuple):
    """Somebody asked for the end of the training."""

    request: StopRequest

    @property
    def run_id(self) -> str:
        return self.request.run_id

    def error(self) -> TrainingStoppedError:
        """Return what is raised in the training."""
        said = words_of(self.request)
        return TrainingStoppedError(
            f"The training of run {self.run_id!r} was stopped: {said}. Let this error pass through "
            f"the loop; `quark run resume {self.run_id}` says how to go on.",
            end_reason=said,
            interrupts=True,
        )


def words_of(request: StopRequest) -> str:
    """Return who asked for a stop and why, on one line: both may be anybody's text."""
    said = f"stop requested by {request.by or 'somebody'}"
    if request.reason:
        said += f": {request.reason}"
    return "".join(one if one.isprintable() else " " for one in said[:_LONGEST_WORDS])


_orders: dict[str, StopOrder] = {}  # by run; a dict, since reading one takes no lock
_asking: set[str] = set()  # the runs whose loops ask by themselves


def order_stop(order: StopOrder) -> None:
    """Have the training of a run ended; it stays so until the run ends."""
    _orders.setdefault(order.run_id, order)


def asks_by_itself(run_id: str) -> bool:
    """Say whether the loop of a run has called :func:`should_stop` or :func:`check`."""
    return run_id in _asking


def withdraw(run_id: str) -> None:
    """Take back what was ordered for a run."""
    _orders.pop(run_id, None)
    _asking.discard(run_id)


def should_stop(session: TrainingSession | None = None) -> bool:
    """Say whether an alert, with ``on_alert="stop"``, or a person asks for the end of the training.

    For loops without a torch optimizer.

    Args:
        session: The run; by default the one that was started last.

    >>> should_stop()
    False
    """
    return _order_of(session) is not None


def check(session: TrainingSession | None = None) -> None:
    """Raise if an alert or a person asks for the end of the training; else do nothing.

    Args:
        session: The run; by default the one that was started last.

    Raises:
        TrainingStoppedError: It does.
    """
    order = _order_of(session)
    if order is not None:
        raise order.error()


def _order_of(session: TrainingSession | None) -> StopOrder | None:
    found = session or registry.latest()
    if found is None:
        return None
    _asking.add(found.run_id)
    return _orders.get(found.run_id)


class StepGate:
    """Before every optimizer step of the process, looks whether the training is to end.

    It is there for as long as a run needs it, and takes less than a microsecond of a step. It is
    put in place by the thread that opens the run or imports torch, not by the one that judges:
    torch walks through its hooks without a lock.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._hook: Any = None
        self._waiting: AfterImport | None = None

    def open(self) -> None:
        """Need the gate from now on."""
        with self._lock:
            self._users += 1
            if self._users > 1:
                return
            if _OPTIMIZERS in sys.modules:
                self._register()
            else:
                from quark.live.after_import import AfterImport  # seldom needed

                self._waiting = AfterImport(_OPTIMIZERS, self._register_if_needed)
                self._waiting.install()

    def close(self) -> None:
        """Need the gate no longer."""
        with self._lock:
            self._users -= 1
            if self._users:
                return
            if self._waiting is not None:
                self._waiting.remove()
            if self._hook is not None:
                self._hook.remove()
            self._hook = self._waiting = None

    def _register_if_needed(self) -> None:
        with self._lock:
            if self._users and self._hook is None:
                self._register()

    def _register(self) -> None:
        register = getattr(sys.modules[_OPTIMIZERS], "register_optimizer_step_pre_hook", None)
        if register is not None:  # torch has it since 2.1
            self._hook = register(_before_step)


def _before_step(optimizer: Any, arguments: Any, keywords: Any) -> None:
    if _orders:
        raise next(iter(_orders.values())).error()


GATE = StepGate()
