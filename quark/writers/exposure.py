"""What the model was shown: how often each class and each sample, epoch by epoch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import nsmallest

from quark.records import BatchDiagnosticRecord
from quark.writers.batch_results import EpochExposure, ExposureSummary, SampleExposure

_MOST_REPEATED = 10


def summarize_exposure(records: Iterable[BatchDiagnosticRecord]) -> ExposureSummary:
    """Return what the batches held, from one pass over them."""
    everything = _Seen()
    epochs: dict[int, _Seen] = {}
    classes: Counter[str] = Counter()
    for record in records:
        everything.add(record)
        if record.epoch is not None:
            epochs.setdefault(record.epoch, _Seen()).add(record)
        if record.class_counts:
            classes.update(record.class_counts)
    by_count = sorted(
        ((name, count) for name, count in classes.items() if count),
        key=lambda entry: (-entry[1], entry[0]),
    )
    total = sum(count for _, count in by_count)
    repeated = [(name, count) for name, count in everything.samples.items() if count > 1]
    return ExposureSummary(
        batch_count=everything.batch_count,
        sample_count=everything.sample_count,
        class_counts=dict(by_count),
        class_ratios={name: count / total for name, count in by_count},
        imbalance_ratio=by_count[0][1] / by_count[-1][1] if len(by_count) > 1 else None,
        distinct_sample_count=len(everything.samples),
        repeated_sample_count=len(repeated),
        repeated_samples=tuple(
            SampleExposure(sample_id=name, count=count)
            for name, count in nsmallest(
                _MOST_REPEATED, repeated, key=lambda entry: (-entry[1], entry[0])
            )
        ),
        epochs=tuple(
            seen.as_epoch(epoch, len(everything.samples)) for epoch, seen in sorted(epochs.items())
        ),
    )


@dataclass(slots=True)
class _Seen:
    batch_count: int = 0
    sample_count: int = 0
    samples: Counter[str] = field(default_factory=Counter)

    def add(self, record: BatchDiagnosticRecord) -> None:
        self.batch_count += 1
        self.sample_count += record.batch_size or 0
        if record.sample_ids:
            self.samples.update(record.sample_ids)

    def as_epoch(self, epoch: int, known_samples: int) -> EpochExposure:
        return EpochExposure(
            epoch=epoch,
            batch_count=self.batch_count,
            sample_count=self.sample_count,
            distinct_sample_count=len(self.samples),
            repeat_count=self.samples.total() - len(self.samples),
            coverage_ratio=len(self.samples) / known_samples if known_samples else None,
        )
