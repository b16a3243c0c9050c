"""Hard batches: single batches have a loss far above that of the batches around them.

Observes the losses that ``DataDiagnostics`` keeps, against their neighbours: how far above the
local median, in units of the noise and as a ratio. Where a few losses are not finite and training
went on, it names the samples that those batches had in common.
Source: the SDK guide's hard batches (z-score and IQR of all losses); here against the batches
around, so that the high losses of the beginning are not called hard. The defaults are ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding
from quark.analyzers.rule import Rule
from quark.analyzers.shapes import running_median, spread

if TYPE_CHECKING:
    from quark.analyzers.evidence import Float64Array, RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds

_NEIGHBOURS = 25
_NAMED = 5


def hard_batches(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding on losses that are not finite, and one on high losses."""
    loss, step = evidence.batches.number("loss"), evidence.batches.step
    if len(loss) < limits.data.hard_batch_min_batches:
        return
    yield from _of_nonfinite(evidence, limits)
    own, finite = limits.data, np.isfinite(loss)
    loss, step = loss[finite], step[finite]
    if len(loss) < own.hard_batch_min_batches:
        return
    # Coarser neighbourhoods for long runs: their medians need not follow every batch.
    usual = running_median(loss, _NEIGHBOURS) if len(loss) <= 5_000 else _coarse_median(loss)
    above = loss - usual
    width = spread(above)
    hard = (above > own.hard_batch_noise * width) & (loss > own.hard_batch_ratio * usual)
    hard &= usual > 0
    count = int(np.count_nonzero(hard))
    if not count or count > own.hard_batch_max_share * len(loss):
        return
    worst = np.argsort(-above * hard)[: min(_NAMED, count)]
    place = int(worst[0])
    steps = sorted(int(step[one]) for one in worst if step[one] >= 0)
    told = f", at steps {', '.join(map(str, steps))}" if steps else ""
    yield Finding(
        rule_id="hard_batches",
        severity="info",
        fact=(
            f"{count} of {len(loss)} batches have a loss far above those around them{told}. The "
            f"worst has {loss[place]:.4g}, its neighbours {usual[place]:.4g}."
        ),
        inference="Their samples are probably mislabelled, broken or unlike the others.",
        observed=float(loss[place]),
        threshold=float(usual[place] + own.hard_batch_noise * width),
        step_range=(steps[0], steps[-1]) if steps else None,
        source="batch losses",
        metadata={"steps": steps},
    )


def _of_nonfinite(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    own, loss, step = limits.data, evidence.batches.number("loss"), evidence.batches.step
    broken = ~np.isfinite(loss)
    count = int(np.count_nonzero(broken))
    if not count or count > own.hard_batch_nonfinite_share * len(loss):
        return
    if broken[-1] and count > 1 and broken[-count:].all():
        return  # from there on everything is broken: no single batch is to blame
    found = list(evidence.data.sample_ids_at.values())
    common = sorted(set(found[0]).intersection(*found[1:])) if found else []
    steps = step[broken & (step >= 0)]
    names = f" All of them had sample {', '.join(common[:_NAMED])}." if len(common) <= 20 else ""
    yield Finding(
        rule_id="hard_batches",
        severity="warning",
        fact=(
            f"{count} of {len(loss)} batches have a loss that is not finite, the others do not."
            f"{names if common else ''}"
        ),
        inference="Single samples are probably broken, such as one that holds NaN.",
        observed=float(count),
        threshold=1.0,
        step_range=(int(steps.min()), int(steps.max())) if len(steps) else None,
        subject="not finite",
        source="batch losses",
        metadata={"sample_ids": common[:100]},
    )


def _coarse_median(loss: Float64Array) -> Float64Array:
    """Return the local median, by linear interpolation between those of 500 parts."""
    width = len(loss) // 500
    parts = np.median(loss[: 500 * width].reshape(500, width), axis=1)
    centres = (np.arange(500) + 0.5) * width
    return np.asarray(np.interp(np.arange(len(loss)), centres, parts))


RULE = Rule(
    rule_id="hard_batches",
    category="optimization",
    title="Hard batches",
    check=hard_batches,
    advice=(
        "Look at the samples: DataDiagnostics.find_hard_batches() lists them with their ids.",
        "Check their labels and their ranges; drop or repair what is broken.",
        "Clip gradients, so that one batch cannot undo many.",
    ),
)
