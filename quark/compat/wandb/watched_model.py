"""One watched model: what is taken of it in the passes that are due, and what becomes of that."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from quark.clock import SYSTEM_CLOCK
from quark.hooks.allowance import Allowance, own_seconds
from quark.hooks.config import HookEngineConfig
from quark.hooks.emitted import emit
from quark.hooks.engine import HookEngine
from quark.hooks.many_histograms import Counted, histograms
from quark.hooks.parameter_reader import ParameterReader
from quark.hooks.parameter_rows import summary_row
from quark.hooks.parameter_samples import ParameterSampler, SampledParameters
from quark.hooks.parameter_taken import TakenParameters
from quark.hooks.passes import after_this_backward, attach
from quark.pipeline.deferred import Deferred
from quark.records import HistoryValueRecord, ParameterSummaryRecord, Record
from quark.session import TrainingSession

if TYPE_CHECKING:
    from torch import nn

    from quark.compat.wandb.run import Run

#: As many as W&B's histograms have.
BINS = 64
#: Of larger tensors evenly spaced runs of elements are counted.
MAX_SAMPLE = 4_096
#: Summaries come beside W&B's histograms, and must not make watching expensive: passes are summed
#: up as long as that has taken no more than this and this share of the time. The first ones always
#: are: what a rule needs of a training of seconds must not hang on how long the very first took,
#: which loads what measuring needs.
FREE_SECONDS = 0.01
SUMMARY_SHARE = 0.01
SURE_SUMMARIES = 3
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
        self._summed_up = False  # whether this pass is
        self._summaries = 0  # backward passes that were summed up, or are
        self._allowance = Allowance(share=SUMMARY_SHARE, free_seconds=FREE_SECONDS)
        self._engine = HookEngine(session, model, config=HookEngineConfig())
        self._sampler = ParameterSampler(model, max_sample=MAX_SAMPLE)
        self._reader = ParameterReader(model, purpose="wandb.watch")
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
            self._take(values=True, gradients=False, summed_up=self._allowance.is_left())

    def _after_backward(self, due: bool, next_due: bool) -> None:
        if due:
            summed_up, self._summed_up = self._summed_up, False
            self._allowance.spend(self._engine.name_step(self._run.step))
            self._engine.end_step()
            uncounted = self._parameters and self._forwards < self._backwards  # compiled, say
            values = self._values_due or uncounted
            self._values_due = False
            if values or self._gradients:
                self._take(values=values, gradients=self._gradients, summed_up=summed_up)
        if next_due:
            self._arm()

    def _arm(self) -> None:
        """Have the layers of the next pass looked at."""
        self._summed_up = self._summaries < SURE_SUMMARIES or self._allowance.is_left()
        if self._summed_up:
            self._summaries += 1
            self._engine.begin_step(self._run.step)

    def _take(self, *, values: bool, gradients: bool, summed_up: bool) -> None:
        kinds = ["value"] * values + ["gradient"] * gradients
        row = self._run.step
        self._run._await(_SampledPass(self, self._sampler.take(kinds), row))
        if summed_up:
            start = own_seconds()
            self._run._await(_MeasuredPass(self, self._reader.take(statistics=kinds), row))
            self._allowance.spend(own_seconds() - start)

    def _guard(self, work: Callable[[], None]) -> None:
        handle, start = self._session.handle, SYSTEM_CLOCK.monotonic()
        try:
            work()
        except Exception as error:
            handle.faults.record("watching a model failed", error)
        handle.costs.add("watch", SYSTEM_CLOCK.monotonic() - start)

    # -- in the background ---------------------------------------------------------------------

    def keep_histograms(self, taken: SampledParameters, row: int, time_us: int) -> None:
        """Keep what was sampled as histograms in the row that was open then."""
        keys, samples = list[str](), list[Any]()
        for name, kind, sample in taken.read():
            keys.append(f"{_PREFIXES[kind]}{self._prefix}{name}")
            samples.append(sample.copy())  # the buffer is used again
        kept = {
            key: _as_wandb_has_it(counted)
            for key, counted in zip(keys, histograms(samples, BINS), strict=True)
            if counted.counts
        }
        rows = [{"key": key, "value": value} for key, value in kept.items()]
        self._emit(HistoryValueRecord, rows, row, time_us)
        self._run._put_awaited(kept)

    def keep_summaries(self, taken: TakenParameters, row: int, time_us: int) -> None:
        """Keep what was measured as summaries."""
        start = own_seconds()
        with taken.reading() as readings:
            rows = [summary_row(reading, {}) for reading in readings]
        self._emit(ParameterSummaryRecord, rows, row, time_us)
        self._allowance.spend(own_seconds() - start)

    def _emit(self, kind: type[Record], rows: list[dict[str, Any]], row: int, time_us: int) -> None:
        emit(self._session.handle, kind, rows, step=row, epoch=None, time_us=time_us)


def _as_wandb_has_it(counted: Counted) -> dict[str, Any]:
    """Return a histogram as a value of a row; equal numbers are in one bin without a width."""
    edges, counts = counted
    if counts[BINS // 2] == sum(counts) and edges[0] + edges[-1] == 2 * edges[BINS // 2]:
        middle = edges[BINS // 2]
        return {"_type": "histogram", "values": [sum(counts)], "bins": [middle, middle]}
    return {"_type": "histogram", "values": counts, "bins": edges}


class _SampledPass(Deferred):
    """Samples of one pass, on their way from the device."""

    what = HistoryValueRecord.KIND

    def __init__(self, watched: WatchedModel, taken: SampledParameters, row: int) -> None:
        super().__init__(taken.size_bytes)
        self._watched, self._taken = watched, taken
        self._place = row, SYSTEM_CLOCK.time_us()

    def ready(self) -> bool:
        return self._taken.ready()

    def _journal(self) -> None:
        self._watched.keep_histograms(self._taken, *self._place)


class _MeasuredPass(Deferred):
    """Statistics of one pass, on their way from the device."""

    what = ParameterSummaryRecord.KIND

    def __init__(self, watched: WatchedModel, taken: TakenParameters, row: int) -> None:
        super().__init__(taken.size_bytes)
        self._watched, self._taken = watched, taken
        self._place = row, SYSTEM_CLOCK.time_us()

    def ready(self) -> bool:
        return self._taken.ready()

    def _journal(self) -> None:
        self._watched.keep_summaries(self._taken, *self._place)
