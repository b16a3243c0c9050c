"""AMP scale collapse: mixed precision halves its loss scale over and over and leaves out steps.

Observes the loss scale that scripts log and the counts of overflows and skipped steps in telemetry.
A scale that falls in the first steps and then stays, or grows again, is how it finds its size; one
that falls below 1, or is still falling in the second half of the run, has nothing to find.
Source: PyTorch's ``torch.amp.GradScaler`` (it halves on overflow and doubles after 2000 good
steps).
Default: a scale below 1, 8 halvings in the second half, or a fifth of all steps left out; ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding, grade
from quark.analyzers.rule import Rule

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds


def amp_scale_collapse(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding for the run."""
    found = _falling(evidence, limits) or _skipping(evidence, limits)
    if found is not None:
        yield found


def _falling(evidence: RunEvidence, limits: AnalyzerThresholds) -> Finding | None:
    own, series = limits.loss, evidence.role("grad_scale")
    if series is None or len(series) < own.amp_scale_collapse_min_points:
        return None
    series = series.finite()
    if len(series) < 2 or (series.value == series.value[0]).all() or series.value.min() < 0:
        return None
    value = np.maximum(series.value, 1e-45)
    last, highest = float(value[-1]), float(value.max())
    late = value[len(value) // 2 :]
    changes = np.diff(np.log2(late))
    halvings, growths = float(-changes[changes < 0].sum()), float(changes[changes > 0].sum())
    is_tiny = last < own.amp_scale_collapse_scale and last < highest / 4.0
    keeps_falling = halvings - growths >= own.amp_scale_collapse_halvings
    if not is_tiny and not keeps_falling:
        return None
    falls = np.flatnonzero(np.diff(value) < 0)
    first = int(series.step[falls[0] + 1])
    return Finding(
        rule_id="amp_scale_collapse",
        severity="error",
        fact=f"{series.key} fell from {highest:.3g} to {last:.3g} in {len(falls)} steps down since "
        f"step {first}.",
        inference="Every step overflows whatever the scale: there are infinities or NaN in the "
        "gradients themselves, and the optimizer makes no steps.",
        observed=last,
        threshold=own.amp_scale_collapse_scale,
        step_range=(first, int(series.step[-1])),
        subject=series.key,
    )


def _skipping(evidence: RunEvidence, limits: AnalyzerThresholds) -> Finding | None:
    own, table = limits.loss, evidence.telemetry
    for word, name in (("skipped", "skipped_step_count"), ("overflowed", "overflow_count")):
        count = np.nan_to_num(table.number(name))
        known = (count > 0) & (table.step >= 0)
        if not known.any():
            continue
        steps = table.step[table.step >= 0]
        whole = int(steps.max()) + 1 - int(steps.min())
        share = float(count[known].max()) / max(1, whole)
        graded = grade(
            share,
            warning=own.amp_scale_collapse_warning_ratio,
            error=own.amp_scale_collapse_error_ratio,
        )
        if graded is None or whole < own.amp_scale_collapse_min_points:
            continue
        severity, threshold = graded
        first = int(table.step[known].min())
        return Finding(
            rule_id="amp_scale_collapse",
            severity=severity,
            fact=f"{int(count[known].max())} of {whole} steps {word}, {min(share, 1.0):.0%}.",
            inference="Gradients overflow so often in 16 bits that much of the run is wasted.",
            observed=share,
            threshold=threshold,
            step_range=(first, int(steps.max())),
            subject=name,
        )
    return None


RULE = Rule(
    rule_id="amp_scale_collapse",
    category="optimization",
    title="AMP scale collapse",
    check=amp_scale_collapse,
    advice=(
        "Use bfloat16, which needs no loss scale: torch.autocast(..., dtype=torch.bfloat16).",
        "Compute the loss, softmax and norms in float32.",
        "Look for infinities in the forward pass: the scale cannot help there.",
        "Unscale before clipping: scaler.unscale_(optimizer).",
    ),
    explains=(
        "loss_not_decreasing",
        "parameters_unchanged",
        "accuracy_at_chance",
        "stagnant_layers",
        "gradient_norm_spike",
    ),
)
