"""ParameterDiagnostics: what the parameters of a model are, and what the optimizer does to them.

A snapshot is taken on the training thread without waiting for a device, and without looking at a
single number; those are read, and become records, in the background.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from quark.errors import SchemaValidationError
from quark.hooks.config import ParameterDiagnosticsConfig
from quark.hooks.parameter_reader import ParameterReader
from quark.hooks.parameter_snapshot import LazyRecords, Outboxes, ParameterSnapshot
from quark.records import ParameterDistributionRecord, ParameterSummaryRecord, Record
from quark.schema import words
from quark.session.events import check_index
from quark.session.resolve import Target
from quark.storage.model import RecordFilter, StepRange
from quark.writers.base import RecordWriter
from quark.writers.batch_extraction import plain_metadata
from quark.writers.filters import step_range

R = TypeVar("R", bound=Record)


class ParameterDiagnostics(RecordWriter[ParameterSummaryRecord]):
    """Writes summaries and distributions of parameters, gradients and updates; reads them back.

    An update is the value at a snapshot minus the value at the snapshot before: all optimizer steps
    between the two. ``update_to_value_ratio`` is the norm of that divided by the norm of the value
    before. To measure it, each trainable parameter is copied, in its own type and on its own
    device: that costs as much memory as the parameters (:attr:`tracked_update_bytes`), bounded by
    the config's ``max_update_bytes``. Until it is read, a snapshot holds a copy of each tensor of
    up to 65,536 elements, and up to ``max_histogram_values`` of each that a distribution is made
    of; never more than 128 MiB in all (or 256 MiB in float64). On a CPU, two such copies of up to
    64 MiB each are kept to be filled again.

    Elements that are not finite are left out of all statistics and counted in ``metadata``, as
    ``value_nonfinite_count``, ``gradient_nonfinite_count`` and ``update_nonfinite_count``.
    ``parameter_name`` is the whole name, as in ``model.named_parameters()``; a parameter that
    several modules share is there once, under its first name. A sparse gradient is measured as if
    it were filled in, unless that took more than 256 MiB.

    Args:
        session: The run.
        model: Any ``torch.nn.Module``. It is not changed.
        optimizer: Tells groups and learning rates: a torch optimizer, one in a wrapper, or a list
            of them, whose groups are numbered through. Parameters need not be in any.
        config: What to record; summaries of everything at every step by default.

    Raises:
        MissingDependencyError: torch is not installed.
        SchemaValidationError: ``model`` is no module, or ``optimizer`` has no groups.

    >>> import tempfile, torch
    >>> from quark import ParameterDiagnostics, TrainingSession
    >>> model = torch.nn.Linear(2, 1, bias=False)
    >>> _ = torch.nn.init.ones_(model.weight)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    >>> with TrainingSession.start_run(project="demo", storage_dir=tempfile.mkdtemp()) as session:
    ...     with ParameterDiagnostics(session, model, optimizer) as parameters:
    ...         for step in range(2):
    ...             optimizer.zero_grad()
    ...             model(torch.ones(1, 2)).sum().backward()
    ...             optimizer.step()
    ...             summaries, distributions = parameters.snapshot(step)
    ...         [(s.parameter_name, s.gradient_mean, s.update_mean) for s in summaries]
    [('weight', 1.0, -0.5)]
    """

    def __init__(
        self,
        session: Target,
        model: Any,
        optimizer: Any = None,
        *,
        config: ParameterDiagnosticsConfig | None = None,
    ) -> None:
        config = self._config = config or ParameterDiagnosticsConfig()
        self._samples = config.distribution_types if config.capture_distributions else ()
        kinds = ("value", "gradient", "update") if config.capture_summaries else ()
        self._statistics = kinds if config.max_update_bytes else kinds[:2]
        self._reader: ParameterReader | None = ParameterReader(
            model,
            optimizer,
            accepts=config.accepts,
            near_zero=config.near_zero_epsilon,
            max_sample=config.max_histogram_values,
            max_update_bytes=config.max_update_bytes,
            purpose="ParameterDiagnostics",
        )
        super().__init__(session, batch_size=config.batch_size)
        self._outboxes = Outboxes(self._handle, config.batch_size)
        self._latest: ParameterSnapshot | None = None

    @property
    def tracked_update_bytes(self) -> int:
        """How much memory the copies take that updates are measured against."""
        return 0 if self._reader is None else self._reader.tracked_update_bytes

    def snapshot(
        self, step: int, *, epoch: int | None = None, metadata: Mapping[str, Any] | None = None
    ) -> tuple[Sequence[ParameterSummaryRecord], Sequence[ParameterDistributionRecord]]:
        """Take the parameters as they are now: after ``optimizer.step()``, before gradients are
        reset. Does not wait.

        Args:
            step: Counted from 0. Whether it is taken is the schedule's choice.
            epoch: Counted from 0.
            metadata: Anything that JSON can hold; each record gets it.

        Returns:
            Summaries and distributions, as sequences that are filled when they are looked at
            (``len``, ``for``, ``[0]``, ``==``, ``print``): that waits for the device, so look at
            them later, or not at all. Two empty tuples if the step is not taken.

        Raises:
            SchemaValidationError: An argument breaks a rule.
            WriterClosedError: The writer was closed or the run has ended.
        """
        self._check_open()
        if step is None:
            raise SchemaValidationError("step None is not valid: it must be an integer, 0 or more.")
        check_index("step", step)
        check_index("epoch", epoch)
        plain = {} if metadata is None else plain_metadata(metadata)
        if not (self._statistics or self._samples) or not self._config.schedule.includes(step):
            return (), ()
        try:
            return self._snapshot(step, epoch, plain)
        except Exception as error:
            self._handle.faults.record("parameters could not be taken", error)
            return (), ()

    def flush(  # type: ignore[override]  # of two kinds, as the guide has it
        self,
    ) -> tuple[tuple[ParameterSummaryRecord, ...], tuple[ParameterDistributionRecord, ...]]:
        """Wait for what was measured and have the store take it; return the summaries and
        distributions since the last flush or batch.

        Raises:
            SessionStoreError: The store cannot take them, and the run is strict.
        """
        super().flush()
        if self._handle.journal.pending:
            return (), ()
        return self._outboxes.summaries.take(), self._outboxes.distributions.take()

    def read_summaries(
        self,
        *,
        module_name: str | None = None,
        module_type: str | None = None,
        parameter_name: str | None = None,
        parameter_role: str | None = None,
        step: int | None = None,
        step_min: int | None = None,
        step_max: int | None = None,
        epoch: int | None = None,
        epoch_min: int | None = None,
        epoch_max: int | None = None,
        latest_only: bool = False,
        limit: int | None = None,
    ) -> tuple[ParameterSummaryRecord, ...]:
        """Return summaries in the order in which they were stored; ``limit`` keeps the newest.

        Args:
            parameter_name: The whole name, such as ``encoder.0.weight``.
            parameter_role: ``weight``, ``bias`` or ``other``.
            latest_only: Keep only the newest of each parameter, of those that all other filters
                leave.

        Raises:
            SchemaValidationError: A filter breaks a rule.
            SessionStoreError: The store does not answer.
        """
        names = _names(module_name, module_type, parameter_name, parameter_role)
        steps = step_range(step, step_min, step_max, epoch, epoch_min, epoch_max, limit)
        return self._read(ParameterSummaryRecord, names, steps, latest_only)

    def read_distributions(
        self,
        *,
        module_name: str | None = None,
        module_type: str | None = None,
        parameter_name: str | None = None,
        parameter_role: str | None = None,
        distribution_type: str | None = None,
        step: int | None = None,
        step_min: int | None = None,
        step_max: int | None = None,
        epoch: int | None = None,
        epoch_min: int | None = None,
        epoch_max: int | None = None,
        latest_only: bool = False,
        limit: int | None = None,
    ) -> tuple[ParameterDistributionRecord, ...]:
        """Return distributions in the order in which they were stored; ``limit`` keeps the newest.

        Args:
            distribution_type: ``value``, ``gradient`` or ``update``.
            latest_only: Keep only the newest of each parameter and type, of those that all other
                filters leave.

        Raises:
            SchemaValidationError: A filter breaks a rule.
            SessionStoreError: The store does not answer.
        """
        names = _names(module_name, module_type, parameter_name, parameter_role)
        if distribution_type is not None:
            names["distribution_type"] = _word(
                "distribution_type", distribution_type, words.DISTRIBUTION_TYPES
            )
        steps = step_range(step, step_min, step_max, epoch, epoch_min, epoch_max, limit)
        return self._read(ParameterDistributionRecord, names, steps, latest_only)

    def read(
        self,
    ) -> tuple[tuple[ParameterSummaryRecord, ...], tuple[ParameterDistributionRecord, ...]]:
        """Return all summaries and all distributions.

        Raises:
            SessionStoreError: The store does not answer.
        """
        return self.read_summaries(), self.read_distributions()

    def close(self) -> None:
        """Flush, and let go of the model and of the copies; a second call does nothing."""
        if self._closed:
            return
        try:
            super().close()
        finally:
            self._reader = self._latest = None

    def _snapshot(
        self, step: int, epoch: int | None, metadata: Mapping[str, Any]
    ) -> tuple[Sequence[ParameterSummaryRecord], Sequence[ParameterDistributionRecord]]:
        assert self._reader is not None
        before, self._latest = self._latest, None
        snapshot = ParameterSnapshot(
            self._reader.take(statistics=self._statistics, samples=self._samples),
            self._outboxes,
            self._config,
            step=step,
            epoch=epoch,
            metadata=metadata,
            after=before,
        )
        if not self._handle.defer(snapshot):  # the background is behind; that was counted
            return (), ()
        self._latest = snapshot
        return (
            LazyRecords(partial(self._look, snapshot.summaries)),
            LazyRecords(partial(self._look, snapshot.distributions)),
        )

    def _look(self, records: Callable[[], tuple[R, ...]]) -> tuple[R, ...]:
        try:
            return records()
        except Exception as error:
            self._handle.faults.record("a parameter snapshot could not be read", error)
            return ()

    def _read(
        self, kind: type[R], names: dict[str, str], steps: StepRange, latest_only: bool
    ) -> tuple[R, ...]:
        if not self._closed:
            self.flush()
        wanted = replace(steps, limit=None) if latest_only else steps
        with self._handle.reading() as store:
            where = RecordFilter(steps=wanted, equals=names)
            found = store.records.read(kind, self._handle.run_id, where)
        return newest(found, steps.limit) if latest_only else found


def newest(found: tuple[R, ...], limit: int | None) -> tuple[R, ...]:
    """Return the last record of each parameter (and type of distribution), in their order."""
    last = {
        (getattr(record, "parameter_name", ""), getattr(record, "distribution_type", "")): place
        for place, record in enumerate(found)
    }
    kept = tuple(found[place] for place in sorted(last.values()))
    return kept if limit is None else kept[max(0, len(kept) - limit) :]


def _names(
    module_name: str | None,
    module_type: str | None,
    parameter_name: str | None,
    parameter_role: str | None,
) -> dict[str, str]:
    if parameter_role is not None:
        _word("parameter_role", parameter_role, words.PARAMETER_ROLES)
    wanted = {
        "module_name": module_name,
        "module_type": module_type,
        "parameter_name": parameter_name,
        "parameter_role": parameter_role,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _word(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise SchemaValidationError(
            f"{name} {value!r} is not valid: it must be one of {', '.join(map(repr, allowed))}."
        )
    return value
