"""HookEngine: what layers put out in a forward pass and get back in a backward pass.

Between probed steps nothing is attached anywhere. During one there is a single hook for all
modules of the process, so that the model itself is never changed and pickles and deep-copies as
before. Gradients come by hooks on the modules' outputs, which in-place activations do not disturb
(full backward hooks of modules do not bear them).

A model behind ``torch.compile`` runs uncompiled during probed steps, because compiled code has no
modules left to look at; in all other steps it runs as compiled.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from quark.hooks import eager
from quark.hooks.config import HookEngineConfig
from quark.hooks.emitted import Emitted, Outbox, emit
from quark.hooks.grad_scale import ScalerFinder, is_float16_autocast
from quark.hooks.modules import Spot, check_model, find_spots, tensors_in
from quark.hooks.probe import Probe, Seen, rows
from quark.pipeline.deferred import Deferred
from quark.records import LayerSummaryRecord
from quark.session.events import check_index
from quark.session.handle import RunHandle
from quark.session.resolve import Target
from quark.storage.model import RecordFilter
from quark.writers.base import RecordWriter
from quark.writers.filters import step_range

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.utils.hooks import RemovableHandle

#: What a sighting takes in memory until it is journaled.
_SIGHTING_BYTES = 1000


class HookEngine(RecordWriter[LayerSummaryRecord]):
    """Writes layer summaries of the steps that its schedule probes, and reads them back.

    Args:
        session: The run.
        model: Any ``torch.nn.Module``. It is not changed.
        optimizer: Taken so that all instruments are made alike; not looked at.
        config: What to record; all leaf modules at every step by default.

    Raises:
        MissingDependencyError: torch is not installed.
        SchemaValidationError: ``model`` is no module.

    >>> import tempfile, torch
    >>> from quark import HookEngine, TrainingSession
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU())
    >>> with TrainingSession.start_run(project="demo", storage_dir=tempfile.mkdtemp()) as session:
    ...     with HookEngine(session, model) as hooks:
    ...         with hooks.step(0) as probe_active:
    ...             model(torch.ones(4, 2)).sum().backward()
    ...         [(s.module_name, s.summary_type) for s in hooks.read()]
    [('0', 'activation'), ('1', 'activation'), ('1', 'gradient'), ('0', 'gradient')]
    """

    def __init__(
        self,
        session: Target,
        model: Any,
        optimizer: Any = None,
        *,
        config: HookEngineConfig | None = None,
    ) -> None:
        self._config = config or HookEngineConfig()
        self._model: nn.Module | None = check_model(model, purpose="HookEngine")
        super().__init__(session, batch_size=self._config.batch_size)
        import torch
        from torch.nn.modules.module import register_module_forward_hook

        self._torch = torch
        self._register = register_module_forward_hook
        self._spots = find_spots(self._model, self._config)
        self._scaler = ScalerFinder()
        self._outbox: Outbox[LayerSummaryRecord] = Outbox(self._config.batch_size)
        self._probe: Probe | None = None
        self._late: Probe | None = None  # of the step before, which may still get gradients
        self._hook: RemovableHandle | None = None
        self._uncompiled: contextlib.AbstractContextManager[None] | None = None

    @property
    def instrumented_module_names(self) -> tuple[str, ...]:
        """The names, within the model, of the modules that are looked at."""
        return tuple(spot.module_name for spot in self._spots.values())

    def use_grad_scaler(self, scaler: Any) -> None:
        """Name the ``GradScaler`` that scales this model's gradients.

        It is found by itself where the model runs in float16 and all scalers of the process have
        the same scale.
        """
        self._scaler.use(scaler)

    def should_probe(self, step: int) -> bool:
        """Say whether the schedule probes ``step``."""
        check_index("step", step)
        return self._config.schedule.includes(step)

    def begin_step(self, step: int, *, epoch: int | None = None) -> bool:
        """Start a step; say whether it is probed. A step that is still open ends first.

        Raises:
            SchemaValidationError: ``step`` or ``epoch`` is no integer from 0 on.
            WriterClosedError: The engine was closed or the run has ended.
        """
        self._check_open()
        check_index("epoch", epoch)
        probed = self.should_probe(step)
        if self._probe is not None or self._late is not None:
            self.end_step()
        if probed:
            self._probe = Probe(step, epoch)
            try:
                self._attach()
            except Exception as error:
                self._fault("hooks could not be set", error)
        return probed

    def end_step(self) -> None:
        """End the step: hooks are gone, and what they saw is on its way. Does not wait.

        Gradients of this step that come later (``backward`` after the end) are still taken; they
        are sent with the next step, or by :meth:`flush`.
        """
        late, self._late, self._probe = self._late, self._probe, None
        self._detach()
        if late is not None:
            late.end()
            self._handle.costs.add("layer hooks", late.spent_seconds)
            self._send(late)
        self._send_late()

    def name_step(self, step: int) -> float:
        """Give the open step its number, where that is not known before its end; return how many
        seconds were spent on measuring in it."""
        if self._probe is None:
            return 0.0
        self._probe.step = step
        return self._probe.spent_seconds

    @contextlib.contextmanager
    def step(self, step: int, *, epoch: int | None = None) -> Iterator[bool]:
        """Put the forward and backward pass of a step inside; gives whether it is probed.

        Hooks are removed, and what they saw is kept, also when an exception comes out of it.
        """
        probed = self.begin_step(step, epoch=epoch)
        try:
            yield probed
        finally:
            self.end_step()

    def flush(self) -> tuple[LayerSummaryRecord, ...]:
        """Wait for what was measured and have the store take it; return the records since the
        last flush or batch.

        Raises:
            SessionStoreError: The store cannot take them, and the run is strict.
        """
        self._send_late()
        super().flush()
        return () if self._handle.journal.pending else self._outbox.take()

    def read(
        self,
        *,
        module_name: str | None = None,
        module_type: str | None = None,
        summary_type: str | None = None,
        hook_direction: str | None = None,
        step: int | None = None,
        step_min: int | None = None,
        step_max: int | None = None,
        epoch: int | None = None,
        epoch_min: int | None = None,
        epoch_max: int | None = None,
        limit: int | None = None,
    ) -> tuple[LayerSummaryRecord, ...]:
        """Return summaries in the order in which they were stored; ``limit`` keeps the newest.

        Raises:
            SchemaValidationError: A filter breaks a rule.
            SessionStoreError: The store does not answer.
        """
        wanted = {
            "module_name": module_name,
            "module_type": module_type,
            "summary_type": summary_type,
            "hook_direction": hook_direction,
        }
        where = RecordFilter(
            steps=step_range(step, step_min, step_max, epoch, epoch_min, epoch_max, limit),
            equals={name: value for name, value in wanted.items() if value is not None},
        )
        if not self._closed:
            self.flush()
        with self._handle.reading() as store:
            return store.records.read(LayerSummaryRecord, self._handle.run_id, where)

    def close(self) -> None:
        """End an open step, flush and let go of the model; a second call does nothing."""
        if self._closed:
            return
        try:
            self.end_step()
        finally:
            late, self._late = self._late, None
            if late is not None:
                late.end()
            try:
                super().close()
            finally:
                self._model = None
                self._spots = {}

    # -- during a probed step ------------------------------------------------------------------

    def _attach(self) -> None:
        uncompiled = eager.instead_of_compiled()
        uncompiled.__enter__()
        self._uncompiled = uncompiled
        self._hook = self._register(self._on_forward)

    def _detach(self) -> None:
        hook, self._hook = self._hook, None
        uncompiled, self._uncompiled = self._uncompiled, None
        if hook is not None:
            hook.remove()
        if uncompiled is not None:
            uncompiled.__exit__(None, None, None)

    def _on_forward(self, module: nn.Module, args: Any, output: Any) -> None:
        spot = self._spots.get(id(module._forward_hooks))
        probe = self._probe
        if spot is not None and probe is not None:
            try:
                self._see_output(probe, spot, output)
            except Exception as error:
                self._fault("a forward hook failed", error)

    def _see_output(self, probe: Probe, spot: Spot, output: Any) -> None:
        torch = self._torch
        grad_enabled = torch.is_grad_enabled()
        if torch._C._current_graph_task_id() != -1:
            # A checkpointed part, which is computed once more during the backward pass.
            again = probe.recomputed_index(spot)
            if again is None:
                return  # its graph was there the first time, and so are the hooks
            call_index, measured = again, False
        else:
            call_index = probe.call_index(spot, grad_enabled=grad_enabled)
            measured = self._config.capture_forward
            if not probe.saw_forward:
                probe.saw_forward = True
                probe.saw_float16 = is_float16_autocast()
        linked = self._config.capture_backward and grad_enabled
        alone = type(output) is torch.Tensor
        for path, tensor in (("", output),) if alone else tensors_in(output):
            if tensor.dtype is torch.float16:
                probe.saw_float16 = True
            if measured:
                probe.see(spot, tensor, call_index, path, grad_enabled=grad_enabled)
            if linked and tensor.requires_grad:
                self._await_gradient(probe, spot, tensor, call_index, path)

    def _await_gradient(
        self, probe: Probe, spot: Spot, tensor: Tensor, call_index: int, path: str
    ) -> None:
        node = tensor.grad_fn
        if node is None:  # a parameter or an input: it outlives the step
            hook = partial(self._on_gradient, probe, spot, call_index, path)
            probe.keep(tensor.register_hook(hook))  # type: ignore[no-untyped-call]
        else:  # a hook on the node costs half of one on the tensor
            place = tensor.output_nr
            node.register_prehook(partial(self._on_gradients, probe, spot, call_index, path, place))

    def _on_gradients(
        self,
        probe: Probe,
        spot: Spot,
        call_index: int,
        path: str,
        place: int,
        gradients: tuple[Tensor | None, ...],
    ) -> None:
        gradient = gradients[place]
        if gradient is not None:
            self._on_gradient(probe, spot, call_index, path, gradient)

    def _on_gradient(
        self, probe: Probe, spot: Spot, call_index: int, path: str, gradient: Tensor
    ) -> None:
        if probe.over:
            return
        try:
            if not probe.saw_backward:
                probe.saw_backward = True
                self._on_first_gradient(probe)
            probe.see_gradient(spot, gradient, call_index, path)
        except Exception as error:
            self._fault("a backward hook failed", error)

    def _on_first_gradient(self, probe: Probe) -> None:
        if probe.saw_float16 or self._scaler.named:
            probe.scales = self._scaler.scales_now()

    # -- afterwards ----------------------------------------------------------------------------

    def _send_late(self) -> None:
        if self._late is not None:
            self._send(self._late)

    def _send(self, probe: Probe) -> None:
        try:
            seen = probe.send()
            if seen is not None:
                self._handle.defer(_LayerSummaries(self, probe, seen))
        except Exception as error:
            self._fault("layer summaries could not be sent", error)

    def _emitted(self, emitted: Emitted[LayerSummaryRecord]) -> None:
        if self._outbox.add(emitted):
            self._handle.request_flush()

    def _fault(self, cause: str, error: Exception) -> None:
        self._handle.faults.record(cause, error, strict=self._config.raise_on_error)


class _LayerSummaries(Deferred):
    """What the hooks saw of one step, on its way from the device."""

    what = LayerSummaryRecord.KIND

    def __init__(self, engine: HookEngine, probe: Probe, seen: Seen) -> None:
        super().__init__(seen.sent.size_bytes + len(seen.sighted) * _SIGHTING_BYTES)
        self.strict = engine._config.raise_on_error
        self.record_count = len(seen.sighted)
        self._engine = engine
        self._handle: RunHandle = engine._handle
        self._place = (probe.step, probe.epoch, probe.time_us)
        self._seen = seen

    def ready(self) -> bool:
        return self._seen.sent.ready()

    def _journal(self) -> None:
        step, epoch, time_us = self._place
        found = list(rows(self._seen))
        emitted = emit(
            self._handle, LayerSummaryRecord, found, step=step, epoch=epoch, time_us=time_us
        )
        self._engine._emitted(emitted)
