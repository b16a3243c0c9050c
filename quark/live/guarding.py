"""``quark.guard``: no optimizer step with gradients that are not finite."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from quark import ui
from quark._optional import require
from quark.errors import SchemaValidationError, TrainingStoppedError
from quark.live.config import BUNDLE_TYPE
from quark.live.gradients import are_finite, bad_gradients, learning_rates
from quark.records import EventRecord
from quark.session import registry
from quark.session.events import check_index

if TYPE_CHECKING:
    from types import TracebackType

    from quark.session import TrainingSession

ACTIONS = ("skip", "stop")
EVENT = "non_finite_gradients"
#: Parameters that an event names, and that a bundle describes.
MAX_NAMED, MAX_DESCRIBED = 10, 100
#: Events of one guard that are written one by one; then at 32, 64, 128 and so on.
FIRST_EVENTS = 20
_MARK = "_quark_guard"


class _SkipStepError(Exception):
    """Comes out of a closure, and with that out of the step that was to be made with it."""

    def __init__(self, loss: Any) -> None:
        super().__init__()
        self.loss = loss


class GradientGuard:
    """Stands before one optimizer's ``step`` until it is closed. Made by :func:`guard`."""

    def __init__(
        self,
        optimizer: Any,
        *,
        session: TrainingSession | None,
        on_nonfinite: str,
        max_consecutive_skips: int,
        model: Any,
        first_step: int,
    ) -> None:
        self._torch = require("torch", purpose="guard")
        _check_optimizer(optimizer)
        if on_nonfinite not in ACTIONS:
            raise SchemaValidationError(
                f"on_nonfinite is {on_nonfinite!r}, but must be 'skip' or 'stop'."
            )
        if type(max_consecutive_skips) is not int or max_consecutive_skips < 1:
            raise SchemaValidationError(
                f"max_consecutive_skips is {max_consecutive_skips!r}, but must be an integer of 1 "
                "or more."
            )
        check_index("first_step", first_step)
        self._session = session
        self._stops = on_nonfinite == "stop"
        self._most = max_consecutive_skips
        self._names = (
            {} if model is None else {id(one): name for name, one in model.named_parameters()}
        )
        self._step = first_step
        self._closed = False
        self._said = False
        self.skipped_count = 0
        self.consecutive_skip_count = 0
        self._optimizer = weakref.ref(optimizer)
        self._own = vars(optimizer).get("step")  # that of a scheduler, for instance
        self._inner = _without_self(optimizer)
        self._guarded = optimizer.step = self._guarded_step()

    def close(self) -> None:
        """Let every step through again; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        optimizer = self._optimizer()
        if optimizer is None or vars(optimizer).get("step") is not self._guarded:
            return  # somebody has wrapped the step once more: this one only passes it on now
        if self._own is None:
            del optimizer.step
        else:
            optimizer.step = self._own

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._closed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- the step ------------------------------------------------------------------------------

    def _guarded_step(self) -> Callable[..., Any]:
        """Return what stands in for the optimizer's step.

        It refers to the optimizer weakly: what an optimizer holds is freed with it, not when
        somebody looks for cycles. Schedulers ask for ``__func__``, as a method has it.
        """
        optimizer = self._optimizer

        @functools.wraps(self._inner)
        def method(owner: Any, *arguments: Any, **keywords: Any) -> Any:
            return self._take_step(owner, arguments, keywords)

        setattr(method, _MARK, self)  # what wraps it further takes that along

        @functools.wraps(method)
        def guarded(*arguments: Any, **keywords: Any) -> Any:
            return self._take_step(optimizer(), arguments, keywords)

        guarded.__func__ = method  # type: ignore[attr-defined]
        return guarded

    def _take_step(self, optimizer: Any, arguments: Any, keywords: Any) -> Any:
        if self._closed or self._is_left_alone(optimizer):
            return self._inner(optimizer, *arguments, **keywords)
        step, self._step = self._step, self._step + 1
        closure = keywords.get("closure", arguments[0] if arguments else None)
        if closure is None:
            if are_finite(self._torch, optimizer):
                self.consecutive_skip_count = 0
                return self._inner(optimizer, *arguments, **keywords)
            return self._refuse(optimizer, step, None)
        watched = self._watched(optimizer, closure)
        if "closure" in keywords:
            keywords = {**keywords, "closure": watched}
        else:
            arguments = (watched, *arguments[1:])
        try:
            return self._inner(optimizer, *arguments, **keywords)
        except _SkipStepError as skip:
            return self._refuse(optimizer, step, skip.loss)

    def _watched(self, optimizer: Any, closure: Callable[[], Any]) -> Callable[[], Any]:
        """Return a closure whose first call, before anything was changed, is looked at."""
        calls = 0

        def watched() -> Any:
            nonlocal calls
            calls += 1
            loss = closure()
            if calls == 1:
                if not are_finite(self._torch, optimizer):
                    raise _SkipStepError(loss)
                self.consecutive_skip_count = 0
            return loss

        return watched

    def _is_left_alone(self, optimizer: Any) -> bool:
        """Say whether a step is none of ours: a fused one, where the scaler has looked and the
        kernel skips; or one that is being captured into a CUDA graph, where nothing can be read."""
        if getattr(optimizer, "found_inf", None) is not None:
            return True
        cuda = self._torch.cuda
        return bool(cuda.is_initialized() and cuda.is_current_stream_capturing())

    def _refuse(self, optimizer: Any, step: int, loss: Any) -> Any:
        if hasattr(optimizer.step, "_wrapped_by_lr_sched"):
            optimizer._opt_called = True  # or the scheduler warns that it came first
        self.consecutive_skip_count += 1
        stops = self._stops or self.consecutive_skip_count > self._most
        self.skipped_count += 1
        bad = bad_gradients(optimizer, self._names)
        self._record(optimizer, step, bad, stops=stops)
        if stops:
            raise self._error(step, bad)
        return loss

    # -- what is told of it --------------------------------------------------------------------

    def _record(self, optimizer: Any, step: int, bad: list[dict[str, Any]], *, stops: bool) -> None:
        session = self._session or registry.latest()
        if session is None or not session.handle.quiet:
            self._say(step, bad, stops=stops)
        if session is None or session.ended:
            return
        count = self.skipped_count
        try:
            if count <= FIRST_EVENTS or stops or count & (count - 1) == 0:
                session.handle.emit(
                    EventRecord,
                    event_type=EVENT,
                    severity="error" if stops else "warning",
                    step=step,
                    payload={
                        "action": "stop" if stops else "skip",
                        "parameter_names": [one["parameter_name"] for one in bad[:MAX_NAMED]],
                        "parameter_count": len(bad),
                        "skipped_count": count,
                        "consecutive_skip_count": self.consecutive_skip_count,
                    },
                )
            if count == 1:
                self._keep_bundle(session, optimizer, step, bad)
        except Exception as error:
            session.handle.faults.record("a skipped step could not be recorded", error)

    def _keep_bundle(
        self, session: TrainingSession, optimizer: Any, step: int, bad: list[dict[str, Any]]
    ) -> None:
        from quark.writers.artifacts import ArtifactStore  # once, if ever

        payload = {
            "step": step,
            "optimizer": type(optimizer).__name__,
            "learning_rates": learning_rates(optimizer),
            "gradients": bad[:MAX_DESCRIBED],
            "bad_parameter_count": len(bad),
        }
        ArtifactStore(session).log_snapshot(
            f"guard/{EVENT}", payload, snapshot_type=BUNDLE_TYPE, step=step
        )

    def _say(self, step: int, bad: list[dict[str, Any]], *, stops: bool) -> None:
        if self._said or stops:
            return
        self._said = True
        ui.say(
            f"{_told(step, bad)} The optimizer step is skipped, and so are others like it; "
            "skipped_count of the guard counts them.",
            tone="warning",
        )

    def _error(self, step: int, bad: list[dict[str, Any]]) -> TrainingStoppedError:
        if self._stops:
            way_out = "Lower the learning rate, clip gradients, or guard with on_nonfinite='skip'."
        else:
            way_out = (
                f"{self._most} steps in a row were skipped before, so it will not pass by itself: "
                "go back to a checkpoint from before, with a lower learning rate."
            )
        return TrainingStoppedError(
            f"{_told(step, bad)} {way_out}", end_reason=f"gradients not finite at step {step}"
        )


def guard(
    optimizer: Any,
    *,
    session: TrainingSession | None = None,
    on_nonfinite: str = "skip",
    max_consecutive_skips: int = 25,
    model: Any = None,
    first_step: int = 0,
) -> GradientGuard:
    """Let no step of ``optimizer`` be made with a gradient that is NaN or infinite.

    Such a step is skipped: parameters and the optimizer's state stay as they were, and the next
    batch has its chance. What is skipped is counted and kept as events ``non_finite_gradients`` of
    the run, the first time with an artifact that describes the gradients. Nothing is written if
    no run is open.

    Before each step the largest absolute value of each gradient is taken, and the outcome read:
    on a GPU the training waits there for the backward pass to end, once a step, as it does with
    ``loss.item()``. Schedulers, ``GradScaler`` (which skips steps of its own accord and then does
    not come here), ``copy.deepcopy`` and ``pickle`` work as before; ``state_dict()`` is the same.
    Of a step with a closure, gradients of the closure's first call are looked at. Ranks that hold
    the same gradients (``DistributedDataParallel``) skip alike; sharded ones (FSDP) need not.

    Args:
        optimizer: A torch optimizer. Its ``step`` is replaced until the guard is closed.
        session: The run; by default the one that was started last.
        on_nonfinite: ``"skip"``, or ``"stop"`` to raise at the first such gradient.
        max_consecutive_skips: After so many skipped steps in a row the next one raises too.
        model: Tells the names of parameters, if the optimizer was not given them.
        first_step: The number of the next step. Steps are counted by calls of ``step``.

    Returns:
        The guard: ``skipped_count``, ``consecutive_skip_count``, ``close()``; a context manager.

    Raises:
        MissingDependencyError: torch is not installed.
        SchemaValidationError: An argument is not what it must be, or the optimizer has a guard.
        TrainingStoppedError: From ``optimizer.step()``, as described.

    Source:
        The check before a step is what mixed precision needs anyway: Micikevicius et al., "Mixed
        Precision Training", ICLR 2018, section 3.2.

    >>> import torch
    >>> from quark import guard
    >>> weight = torch.nn.Parameter(torch.ones(1))
    >>> optimizer = torch.optim.SGD([weight], lr=0.1)
    >>> with guard(optimizer) as guarded:
    ...     weight.grad = torch.tensor([2.0])
    ...     optimizer.step()
    ...     weight.grad = torch.tensor([float("nan")])
    ...     optimizer.step()
    >>> round(weight.item(), 3), guarded.skipped_count
    (0.8, 1)
    """
    return GradientGuard(
        optimizer,
        session=session,
        on_nonfinite=on_nonfinite,
        max_consecutive_skips=max_consecutive_skips,
        model=model,
        first_step=first_step,
    )


def _check_optimizer(optimizer: Any) -> None:
    step, groups = getattr(optimizer, "step", None), getattr(optimizer, "param_groups", None)
    if not callable(step) or not isinstance(groups, list) or not hasattr(optimizer, "__dict__"):
        raise SchemaValidationError(
            f"{type(optimizer).__name__} is no optimizer; pass a torch.optim.Optimizer."
        )
    earlier = getattr(step, _MARK, None)
    if isinstance(earlier, GradientGuard) and not earlier.closed:
        raise SchemaValidationError(
            "This optimizer has a guard; close() that one before making another."
        )
    if any(hasattr(one, "_local_tensor") for group in groups for one in group["params"]):
        raise SchemaValidationError(
            "This optimizer's parameters are sharded over ranks, which could then decide "
            "differently; check the total norm of the gradients on all ranks instead."
        )


def _without_self(optimizer: Any) -> Callable[..., Any]:
    """Return a function that makes the optimizer's step as it is now, given the optimizer."""
    step = optimizer.step
    if getattr(step, "__self__", None) is optimizer:
        function: Callable[..., Any] = step.__func__
        return function

    @functools.wraps(step)
    def passed_on(_: Any, *arguments: Any, **keywords: Any) -> Any:
        return step(*arguments, **keywords)

    return passed_on


def _told(step: int, bad: list[dict[str, Any]]) -> str:
    names = ", ".join(one["parameter_name"] for one in bad[:3])
    more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
    cause = (
        "" if all(one["value_is_finite"] for one in bad) else " Some of the weights are not either."
    )
    return f"At optimizer step {step} the gradients of {names}{more} are not finite.{cause}"
