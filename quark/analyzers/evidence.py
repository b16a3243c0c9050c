"""What rules look at: everything that is known of one run, column by column. Data alone.

A column holds NaN where something was not measured. Steps ascend within a series and within a
track; where a step was logged twice (a run that went on from a checkpoint), the later one counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from quark.analyzers.roles import NO_ROLES, MetricRoles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Int64Array = NDArray[np.int64]
    Float64Array = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]

_NO_INTS: Int64Array = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MetricSeries:
    """One metric over the run: ``step`` ascends and has no number twice.

    ``step`` counts the points from 0 where the metric was logged without a step; then
    ``has_steps`` is False. ``epoch`` is empty, or holds ``NO_STEP`` where there is none.
    ``time_us`` is microseconds since 1970, or empty where the time is not known.
    """

    key: str
    step: Int64Array
    value: Float64Array
    epoch: Int64Array = field(default_factory=lambda: _NO_INTS)
    time_us: Int64Array = field(default_factory=lambda: _NO_INTS)
    has_steps: bool = True

    def __len__(self) -> int:
        return len(self.value)

    def finite(self) -> MetricSeries:
        """Return the series without NaN and infinities."""
        return self if (keep := np.isfinite(self.value)).all() else self.where(keep)

    def where(self, keep: BoolArray) -> MetricSeries:
        """Return the points that ``keep`` marks."""
        return MetricSeries(
            key=self.key,
            step=self.step[keep],
            value=self.value[keep],
            epoch=self.epoch[keep] if len(self.epoch) else self.epoch,
            time_us=self.time_us[keep] if len(self.time_us) else self.time_us,
            has_steps=self.has_steps,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerTrack:
    """The activations, or the gradients, of one call of one module, probe by probe.

    ``place`` is the module's place among all modules by the order in which their activations were
    first seen, from 0 at the input; -1 where it is not known. Norms are L2. ``element_count`` is
    of one probe's tensor.
    """

    module_name: str
    module_type: str
    summary_type: str  # "activation" or "gradient"
    place: int
    step: Int64Array
    element_count: Int64Array
    mean: Float64Array
    std: Float64Array
    norm: Float64Array
    dead_unit_ratio: Float64Array
    saturation_ratio: Float64Array
    nonfinite_count: Int64Array
    call_index: int = 0

    def __len__(self) -> int:
        return len(self.step)

    @property
    def rms(self) -> Float64Array:
        """Root mean square of the elements: the norm, freed of the tensor's size."""
        return self.norm / np.sqrt(np.maximum(self.element_count, 1))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ParameterTrack:
    """One parameter, snapshot by snapshot. Columns that were not measured are all NaN.

    ``name`` is its full name, such as ``"encoder.0.weight"``. ``update_to_value_ratio`` and
    ``update_norm`` are of the optimizer step since the last snapshot or of one optimizer step, as
    the record has it.
    """

    name: str
    module_name: str
    module_type: str
    parameter_role: str  # "weight", "bias" or "other"
    element_count: int
    requires_grad: bool
    step: Int64Array
    value_mean: Float64Array
    value_std: Float64Array
    value_norm: Float64Array
    value_min: Float64Array
    value_max: Float64Array
    value_near_zero_ratio: Float64Array
    value_nonfinite_count: Int64Array
    gradient_mean: Float64Array
    gradient_std: Float64Array
    gradient_norm: Float64Array
    gradient_near_zero_ratio: Float64Array
    gradient_nonfinite_count: Int64Array
    update_norm: Float64Array
    update_to_value_ratio: Float64Array
    learning_rate: Float64Array
    optimizer_group_index: Float64Array

    def __len__(self) -> int:
        return len(self.step)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """All records of one kind in order of arrival, as columns.

    ``step`` is -1 where a record has none.
    """

    step: Int64Array = field(default_factory=lambda: _NO_INTS)
    time_us: Int64Array = field(default_factory=lambda: _NO_INTS)
    rank: Int64Array = field(default_factory=lambda: _NO_INTS)
    numbers: Mapping[str, Float64Array] = field(default_factory=dict)
    objects: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.step)

    def number(self, name: str) -> Float64Array:
        """Return a column of numbers; all NaN if nothing was measured under that name."""
        found = self.numbers.get(name)
        return np.full(len(self.step), np.nan) if found is None else found

    def object(self, name: str) -> Sequence[Any]:
        """Return a column of anything; all None if nothing was kept under that name."""
        found = self.objects.get(name)
        return [None] * len(self.step) if found is None else found


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFacts:
    """What batch diagnostics amount to over the run.

    Counts of classes and of exposures are over all batches. ``sample_ids_at`` holds the ids of
    batches whose loss is not finite, by step.
    """

    batch_count: int = 0
    sample_count: int = 0
    class_counts: Mapping[str, int] = field(default_factory=dict)
    exposure_count: int = 0  # sample ids seen, each as often as it was
    distinct_id_count: int = 0
    most_exposed: tuple[tuple[str, int], ...] = ()  # the ids seen most often, at most 10
    epoch_count: int = 0  # different epochs among the batches; 0 if none was given
    padded_length: int = 0  # elements of all batches, each padded to its longest sequence
    given_length: int = 0  # elements of all sequences
    sample_ids_at: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What the run says of itself. Times are microseconds since 1970."""

    run_id: str = ""
    status: str = "running"
    started_us: int | None = None
    ended_us: int | None = None
    now_us: int | None = None  # when the evidence was gathered; None: not known
    last_logged_us: int | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    resume_times_us: tuple[int, ...] = ()  # when it was gone on with


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunEvidence:
    """Everything that is known of one run. Nothing at all is fine: rules then keep quiet.

    ``metrics`` has the series that play a role and those with values that are not finite.
    ``rank_metrics`` has them apart by rank where several ranks logged into the run.
    ``nonfinite_counts`` has every key with such values.
    """

    run: RunFacts = field(default_factory=RunFacts)
    metrics: Mapping[str, MetricSeries] = field(default_factory=dict)
    roles: MetricRoles = NO_ROLES
    rank_metrics: Mapping[int, Mapping[str, MetricSeries]] = field(default_factory=dict)
    nonfinite_counts: Mapping[str, int] = field(default_factory=dict)
    activations: tuple[LayerTrack, ...] = ()
    gradients: tuple[LayerTrack, ...] = ()
    parameters: tuple[ParameterTrack, ...] = ()
    telemetry: Table = field(default_factory=Table)  # SystemTelemetryRecord's fields
    loop: Table = field(default_factory=Table)  # TrainingLoopRecord's fields
    batches: Table = field(default_factory=Table)  # loss, batch_size, epoch
    data: DataFacts = field(default_factory=DataFacts)
    events: Table = field(default_factory=Table)  # objects: event_type, severity, payload

    def role(self, role: str) -> MetricSeries | None:
        """Return the metric that plays ``role`` (see :mod:`quark.analyzers.roles`), if one does."""
        key = self.roles.key(role)
        return None if key is None else self.metrics.get(key)

    @property
    def last_step(self) -> int | None:
        """The highest step of any metric, layer or parameter; None if there is none."""
        columns = [series.step for series in self.metrics.values() if series.has_steps]
        columns += [track.step for track in (*self.activations, *self.gradients)]
        columns += [track.step for track in self.parameters]
        last = [int(column[-1]) for column in columns if len(column)]
        return max(last, default=None)
