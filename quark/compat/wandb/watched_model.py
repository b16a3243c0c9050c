"""One watched model: what is taken of it in the passes that are due, and what becomes of that."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from quark.clock import SYSTEM_CLOCK
from quark.hooks.config import HookEngineConfig
from quark.hooks.emitted import emit
from quark.hooks.engine import HookEngine
from quark.hooks.histograms import histogram
from quark.hooks.parameter_reader import ParameterReader
from quark.hooks.parameter_rows import summary_row
from quark.hooks.parameter_taken import TakenParameters
from quark.hooks.parameter_tensors import Measured
from quark.hooks.passes import after_this_backward, attach
from quark.pipeline.deferred import Deferred
from quark.records import ParameterSummaryRecord
from quark.session import TrainingSession

if TYPE_CHECKING:
    from torch import nn

    from quark.compat.wandb.run import Run

#: As many as W&B's histograms have.
BINS = 64
#: Of larger tensors evenly spaced elements are counted.
MAX_SAMPLE = 16_384
_PREFIXES = {"value": "parameters/", "gradient": "gradients/"}


class WatchedModel:
    """Follows the passes of ``model``. What fails in here is counted among the run's faults and
    stops nobody's training.

    ``prefix`` stands before the parameters' names; every ``every``-th pass is due.
    """

    def __init__(
        self,
        run: Run,
        session: TrainingSession,
        model: nn.Module,
        *,
        prefix: str,
        gradients: bool,
        parameters: bool,
        every: int,
    ) -> None:
        self._run = run
        self._session = session
        self._prefix = prefix
        self._gradients = gradients
        self._parameters = parameters
        self._every = every
        self._forwards = 0
        self._backwards = 0
        self._values_due = False
        self._engine = HookEngine(session, model, config=HookEngineConfig())
        self._reader = ParameterReader(model, max_sample=MAX_SAMPLE, purpose="wandb.watch")
        self._detach = attach(model, self, forward=parameters)
        if every == 1:
            self._arm()

    def close(self) -> None:
        """Let go of the model. What was taken is on its way."""
        self._detach()
        self._guard(self._engine.end_step)
        self._guard(self._engine.close)

    # -- passes --------------------------------------------------------------------------------

    def on_forward(self) -> None:
        self._forwards += 1
        if self._forwards % self._every == 0:
            self._guard(self._on_due_forward)

    def on_backward(self) -> None:
        self._backwards += 1
        due, next_due = (
            count % self._every == 0 for count in (self._backwards, self._backwards + 1)
        )
        if due or next_due:
            after_this_backward(lambda: self._guard(lambda: self._after_backward(due, next_due)))

    def _on_due_forward(self) -> None:
        import torch

        late, self._values_due = self._values_due, False
        gradients_follow = torch.is_grad_enabled() and (self._backwards + 1) % self._every == 0
        if gradients_follow and not late:
            self._values_due = True  # taken together with the gradients: nothing changes till then
        else:
            self._take(values=True, gradients=False)

    def _after_backward(self, due: bool, next_due: bool) -> None:
        if due:
            self._engine.name_step(self._run.step)
            self._engine.end_step()
            uncounted = self._parameters and self._forwards < self._backwards  # compiled, say
            values = self._values_due or uncounted
            self._values_due = False
            if values or self._gradients:
                self._take(values=values, gradients=self._gradients)
        if next_due:
            self._arm()

    def _arm(self) -> None:
        """Have the layers of the next pass looked at."""
        self._engine.begin_step(self._run.step)

    def _take(self, *, values: bool, gradients: bool) -> None:
        wanted = ["value"] * values + ["gradient"] * gradients
        taken = self._reader.take(statistics=wanted, samples=wanted)
        self._run._await(_TakenPass(self, taken, self._run.step))

    def _guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            self._session.handle.faults.record("watching a model failed", error)

    # -- in the background ---------------------------------------------------------------------

    def keep(self, taken: TakenParameters, row: int, time_us: int) -> None:
        """Keep what was taken: histograms in the row that was open, and summaries."""
        histograms: dict[str, Any] = {}
        summaries = []
        with taken.reading() as readings:
            for reading in readings:
                summaries.append(summary_row(reading, {}))
                name = self._prefix + reading.place.parameter_name
                for kind, prefix in _PREFIXES.items():
                    counted = _counted(getattr(reading, kind))
                    if counted is not None:
                        histograms[prefix + name] = counted
        emit(
            self._session.handle,
            ParameterSummaryRecord,
            summaries,
            step=row,
            epoch=None,
            time_us=time_us,
        )
        if histograms:
            self._run._take_awaited(histograms, row, time_us)


def _counted(measured: Measured | None) -> dict[str, Any] | None:
    """Return the histogram of what was sampled; None if nothing of it is finite."""
    if measured is None or measured.sample is None:
        return None
    found = measured.statistics
    if found is not None and found.minimum is not None and found.minimum == found.maximum:
        count = found.element_count - found.nonfinite_count  # as W&B has equal numbers
        return {"_type": "histogram", "values": [count], "bins": [found.minimum, found.minimum]}
    edges, counts, _ = histogram(measured.sample, BINS)
    if not len(counts):
        return None
    return {"_type": "histogram", "values": counts.tolist(), "bins": edges.tolist()}


class _TakenPass(Deferred):
    """What was taken at the end of one pass, on its way from the device."""

    what = ParameterSummaryRecord.KIND

    def __init__(self, watched: WatchedModel, taken: TakenParameters, row: int) -> None:
        super().__init__(taken.size_bytes)
        self._watched = watched
        self._taken = taken
        self._row = row
        self._time_us = SYSTEM_CLOCK.time_us()

    def ready(self) -> bool:
        return self._taken.ready()

    def _journal(self) -> None:
        self._watched.keep(self._taken, self._row, self._time_us)
