"""TrainingLoopFollower: what a training loop does around a model, from the order of its calls.

Many faults are broken invariants of the loop: gradients that nobody resets, a step before the
backward pass, parameters that no optimizer has, evaluation with dropout on. Hooks on the model, on
one parameter and on optimizers count the calls, a microsecond a step; now and then one step is
looked at more closely, as long as that stays within its share of the time.

Source: the idea is that of TrainCheck, "Training with confidence: catching silent errors in deep
learning training with automated proactive checks", OSDI 2025.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from quark.clock import SYSTEM_CLOCK
from quark.hooks.allowance import Allowance, own_seconds
from quark.hooks.emitted import emit
from quark.hooks.grad_scale import is_float16_autocast
from quark.hooks.loop_counts import LoopCounts
from quark.hooks.loop_evaluation import EvaluationReading, SeenRows, is_looked_at
from quark.hooks.loop_hooks import Hook, attach_to_optimizers, quietly
from quark.hooks.loop_optimizers import KnownOptimizer, OptimizersOfModel
from quark.hooks.loop_parameters import LoopParameters
from quark.hooks.loop_probe import LoopProbe
from quark.pipeline.deferred import Deferred
from quark.records import TrainingLoopRecord

if TYPE_CHECKING:
    from torch import nn

    from quark.hooks.loop_probe import SentSamples
    from quark.session.handle import RunHandle

#: Looking at steps may take no more than this and this share of the time.
FREE_SECONDS = 0.01
SHARE = 0.005
#: Forward passes from a step that is looked at to the next one, at least.
EVERY = 10
#: After this many probes the model is walked anew, for what was added, frozen or replaced.
_WALKED_EVERY = 16
#: Forward passes after which a probe ends, if no optimizer steps.
_MAX_FORWARDS = 64
#: A ``GradScaler`` is this many calls above an optimizer's step at most.
_MAX_FRAMES = 10
_now = SYSTEM_CLOCK.monotonic


class TrainingLoopFollower:
    """Writes training loop records of ``model`` into a run until it is closed.

    What fails in here is counted among the run's faults, and stops nobody's training.

    Args:
        handle: The run.
        model: Any ``torch.nn.Module``. It gets a hook, which copies of it do not have.
        current_step: Says the step that a record belongs to.
        model_name: Tells several models of a run apart; its class by default.
        criterion: The loss, if it is a module; only its class is looked at.
        every: Forward passes from a step that is looked at to the next one, at least.

    >>> import tempfile, torch
    >>> from quark import TrainingSession
    >>> from quark.records import TrainingLoopRecord
    >>> model = torch.nn.Linear(2, 3)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> with TrainingSession.start_run(project="demo", storage_dir=tempfile.mkdtemp()) as session:
    ...     follower = TrainingLoopFollower(session.handle, model, current_step=lambda: 0)
    ...     for _ in range(5):
    ...         optimizer.zero_grad()
    ...         model(torch.randn(8, 2)).square().mean().backward()
    ...         optimizer.step()
    ...     follower.close()
    ...     with session.reading() as store:
    ...         records = store.records.read(TrainingLoopRecord, session.run_id)
    >>> sum(record.optimizer_step_count for record in records)
    5
    """

    def __init__(
        self,
        handle: RunHandle,
        model: nn.Module,
        *,
        current_step: Callable[[], int],
        model_name: str = "",
        criterion: Any = None,
        every: int = EVERY,
    ) -> None:
        import torch

        self._torch = torch
        self._graph_task, self._is_grad_enabled = _graph_task_id(), torch.is_grad_enabled
        self._handle = handle
        self._model = weakref.ref(model)
        self._current_step = current_step
        self._name = model_name or type(model).__name__
        self._criterion = None if criterion is None else type(criterion).__name__
        self._every = every
        self._allowance = Allowance(share=SHARE, free_seconds=FREE_SECONDS)
        self._counts = LoopCounts()
        self._optimizers = OptimizersOfModel()
        self._probe: LoopProbe | None = None
        self._probes = 0
        self._forwards_until_probe = 0
        self._probe_forwards = 0
        self._before: dict[str, Any] = {}  # of the last probe; the background's
        self._is_new_step = True  # no forward pass since the optimizer's step
        self._is_in_burst, self._burst_passes = False, 0
        self._seen = SeenRows()  # the background's
        self._began: float | None = None
        self._idle_since: float | None = None
        self._waited = 0.0  # within this step
        faults = handle.faults
        self._report = lambda error: faults.record("following a training loop failed", error)
        self._parameters = LoopParameters(
            self._optimizers, Hook(self._on_backward, self._report), forget=self._before.clear
        )
        self._hook = model.register_forward_pre_hook(
            Hook(self._on_forward, self._report), with_kwargs=True
        )
        self._detach = attach_to_optimizers(
            Hook(self._before_step, self._report), Hook(self._after_step, self._report)
        )
        quietly(self._parameters.walk, self._report)(model)

    def close(self) -> None:
        """Let go of the model; what was counted is on its way. A second call does nothing."""
        self._hook.remove()
        self._detach()
        probe, self._probe = self._probe, None
        if probe is not None:
            probe.end()
        if not self._counts.is_empty:
            quietly(self._send, self._report)(LoopProbe(self._current_step()))
        self._parameters.clear()

    # -- calls of the training -----------------------------------------------------------------

    def _on_forward(self, module: nn.Module, arguments: Any, named: Any) -> None:
        counts = self._counts
        if self._graph_task() != -1:
            return  # a checkpointed model, which is computed once more
        if not self._is_grad_enabled():
            counts.no_grad_forward_count += 1
            if module.training:
                counts.train_mode_no_grad_forward_count += 1
            if not self._is_in_burst:
                self._is_in_burst, self._burst_passes = True, 0
                counts.no_grad_burst_count += 1
            self._burst_passes += 1
            if is_looked_at(self._burst_passes) and self._allowance.is_left():
                self._look_at_evaluation(arguments, named)
            self._idle_since = None  # an evaluation is no wait for data
            return
        counts.forward_count += 1
        if not module.training:
            counts.eval_mode_forward_count += 1
        self._is_in_burst = False
        self._forwards_until_probe -= 1
        idle_since, self._idle_since = self._idle_since, None
        if idle_since is not None:
            waited = _now() - idle_since
            counts.waits += 1
            counts.data_seconds += waited
            if not self._is_new_step:
                self._waited += waited
        if self._is_new_step:
            self._is_new_step = False
            self._began, self._waited = _now(), 0.0
            if (
                self._forwards_until_probe <= 0
                and self._probe is None
                and self._allowance.is_left()
            ):
                self._begin_probe(module, arguments, named)
        elif self._probe is not None:
            self._probe_forwards += 1
            if self._probe_forwards > _MAX_FORWARDS:
                self._end_probe()

    def _on_backward(self, parameter: nn.Parameter) -> None:
        self._counts.backward_count += 1
        self._idle_since = _now()

    def _before_step(self, optimizer: Any, arguments: Any, named: Any) -> None:
        known = self._optimizers.stepping(optimizer)
        counts = self._counts
        if not known.is_own:
            counts.foreign_step_count += 1
            return
        if known is not self._optimizers.main:
            return
        counts.optimizer_step_count += 1
        if _has_closure(arguments, named):
            counts.closure_step_count += 1
        elif not known.is_fed():
            counts.unfed_step_count += 1
        if self._probe is not None:
            start = own_seconds()
            self._look_before_step(self._probe, known)
            self._probe.spent_seconds += own_seconds() - start

    def _after_step(self, optimizer: Any, arguments: Any, named: Any) -> None:
        main = self._optimizers.main
        if main is None:
            if self._probe is not None:
                self._end_probe()  # of an optimizer that does not train this model
            self._is_new_step = True
        elif main.reference() is optimizer:
            now = _now()
            if self._began is not None:
                self._counts.step_seconds += max(0.0, now - self._began - self._waited)
            self._began, self._idle_since = None, now
            self._is_new_step = True
            if self._probe is not None:
                self._end_probe()

    def _look_at_evaluation(self, arguments: Any, named: Any) -> None:
        start = own_seconds()
        probe = LoopProbe(self._current_step())
        probe.see_input(arguments, named)
        if probe.row:
            self._handle.defer(EvaluationReading(self._seen, probe.send()))
        self._allowance.spend(own_seconds() - start)

    # -- a step that is looked at --------------------------------------------------------------

    def _begin_probe(self, module: nn.Module, arguments: Any, named: Any) -> None:
        start = own_seconds()
        self._forwards_until_probe = self._every
        self._probe_forwards = 0
        self._probes += 1
        probe = self._probe = LoopProbe(self._current_step())
        probe.row["is_first"] = self._optimizers.main is None
        probe.see_input(arguments, named)
        if is_float16_autocast():
            probe.metadata["float16"] = True
        probe.on_end(module.register_forward_hook(Hook(self._on_output, self._report)))
        sampled: Any = self._parameters.choose_sampled()
        if sampled is not None:
            report = self._report
            before = quietly(lambda gradient: probe.before_backward(sampled), report)
            after = quietly(lambda gradient: probe.after_backward(sampled), report)
            probe.on_end(sampled.register_hook(before))
            probe.on_end(sampled.register_post_accumulate_grad_hook(after))
        probe.spent_seconds += own_seconds() - start

    def _on_output(self, module: nn.Module, arguments: Any, output: Any) -> None:
        probe = self._probe
        if probe is None or "output_seen" in probe.row or not self._torch.is_grad_enabled():
            return
        start = own_seconds()
        probe.row["output_seen"] = True
        probe.see_output(output, quietly(probe.see_gradient, self._report))
        probe.spent_seconds += own_seconds() - start

    def _look_before_step(self, probe: LoopProbe, known: KnownOptimizer) -> None:
        sampled = self._parameters.sampled
        if sampled is not None and id(sampled) in known.held:
            probe.before_step(sampled)
            probe.row["is_whole"] = True
        if _is_called_by_scaler():
            probe.metadata["grad_scaler"] = True
        probe.row["step_is_late"] = self._current_step() != probe.step
        counts, outside = self._parameters.outside_optimizers()
        probe.row |= counts
        if outside:
            probe.metadata["outside"] = [name for name, _ in outside]
            probe.see_outside(outside[0][1])

    def _end_probe(self) -> None:
        probe, self._probe = self._probe, None
        assert probe is not None
        start = own_seconds()
        probe.end()
        row = probe.row
        if row.pop("is_whole", False):
            row["window_backward_count"] = probe.backward_count
            if row.get("is_first"):  # nothing can have been left from a step before
                row["stale_gradient_norm"] = None
            elif row.get("starts_afresh") and probe.backward_count:
                row["stale_gradient_norm"] = 0.0
        elif self._parameters.sampled is not None:
            probe.see_outside(self._parameters.sampled)
        self._send(probe)
        # Not in a forward pass, in which sharded models have other parameters.
        if self._probes % _WALKED_EVERY == 0 or self._parameters.counted is None:
            self._parameters.walk(self._model())
        spent = probe.spent_seconds + own_seconds() - start
        self._allowance.spend(spent)
        self._handle.costs.add("training loop", spent)

    def _send(self, probe: LoopProbe) -> None:
        device = self._parameters.device
        timed = device == "cpu"  # elsewhere the CPU queues work and waits for it anywhere
        row = {
            "model_name": self._name,
            **self._counts.take(timed=timed),
            **probe.row,
            "mode_module_count": self._parameters.mode_module_count,
        }
        for internal in ("gradient", "output_seen", "starts_afresh", "is_first"):
            row.pop(internal, None)
        metadata = {
            **probe.metadata,
            "device": device,
            "optimizers": self._optimizers.facts(),
        }
        if self._criterion is not None:
            metadata["criterion"] = self._criterion
        distributed = self._torch.distributed
        if distributed.is_available() and distributed.is_initialized():
            metadata["distributed"] = True
        sent = probe.send()
        self._handle.defer(_LoopReading(self, probe, sent, row, metadata))


def _graph_task_id() -> Callable[[], int]:
    """Return what tells the backward pass under way; -1 if there is none."""
    import torch

    found: Callable[[], int] = torch._C._current_graph_task_id
    return found


def _has_closure(arguments: Any, named: Any) -> bool:
    # The optimizer itself is the first of the arguments; without a closure it is all there is.
    return len(arguments) + len(named) > 1 and any(map(callable, (*arguments[1:], *named.values())))


def _is_called_by_scaler() -> bool:
    """Say whether the optimizer's step is made by a ``GradScaler``, which has multiplied the
    gradients before and divides them again."""
    frame = sys._getframe(1)
    for _ in range(_MAX_FRAMES):
        if frame.f_back is None:
            return False
        frame = frame.f_back
        if frame.f_code.co_filename.endswith("grad_scaler.py"):
            return True
    return False


class _LoopReading(Deferred):
    """Samples of one step, on their way from the device."""

    what = TrainingLoopRecord.KIND

    def __init__(
        self,
        follower: TrainingLoopFollower,
        probe: LoopProbe,
        sent: SentSamples,
        row: dict[str, Any],
        metadata: dict[str, Any],
    ) -> None:
        super().__init__(sent.size_bytes)
        self._follower = follower
        self._place = probe.step, probe.time_us
        self._sent, self._row, self._metadata = sent, row, metadata

    def ready(self) -> bool:
        return self._sent.ready()

    def _journal(self) -> None:
        from quark.hooks.loop_reading import reading  # numpy, which is loaded once

        start = own_seconds()
        follower = self._follower
        samples = self._sent.read()
        if "input" in samples:
            follower._seen.note_training(samples["input"])
        found, more = reading(samples, follower._before)
        row = {
            **found,
            **self._row,
            **follower._seen.take(),
            "metadata": {**self._metadata, **more},
        }
        step, time_us = self._place
        emit(follower._handle, TrainingLoopRecord, [row], step=step, epoch=None, time_us=time_us)
        follower._allowance.spend(own_seconds() - start)
