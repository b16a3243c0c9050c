"""Vanishing gradients: most layer gradients are too small to teach anything.

Observes the share of gradient norms below ``vanishing_gradient_norm``, and how much smaller the
first third of the layers has them than the last third (without layer summaries: of weights; without
those: of the metric that plays ``gradient_norm``).
Source: Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural
networks", AISTATS 2010; the SDK guide for the norm of 1e-4 and the shares of 50, 75 and 90 % of at
least four; AutoTrainer (ICSE 2021) for the ratio of 1e-3. A loss that is a mean over a large batch
has tiny gradients in good health, and so has a network that has learned everything. So where there
is a training loss, tiny norms speak only while it has not fallen by half, and only if they shrink
with depth by that ratio, or are tiny everywhere while the loss is where it began. Shrinking with
depth speaks from 20 % of tiny norms on. Branches that begin at 0 have no gradients at first: so
probes must span 10 steps, 20 where gradients are 0, and 100 where they grow. These are ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding, Observation, grade
from quark.analyzers.gradient_norms import GradientNorms, gradient_norms
from quark.analyzers.progress import Progress, progress
from quark.analyzers.rule import Rule

if TYPE_CHECKING:
    from quark.analyzers.evidence import BoolArray, RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds

#: Gradients that shrank so far, over so many probes, belong to a network that learned.
_SETTLED_RATIO = 0.01
_SETTLED_PROBES = 8


def vanishing_gradients(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding for the run."""
    norms = gradient_norms(evidence)
    if norms is None or norms.probes.total < limits.vanishing_gradient_min_samples:
        return
    probes, limit = norms.probes, limits.vanishing_gradient_norm
    tiny = probes.value < limit
    tiny_ratio = float(tiny.sum()) / probes.total
    depth_ratio = shrinking_with_depth(norms, limits)
    state, own = progress(evidence, limits), limits.layers
    is_deep = depth_ratio < own.vanishing_depth_ratio
    if not tiny.any() or _is_excused(norms, state, is_deep=is_deep):
        return
    if state.is_known and _begins(norms, tiny, limits):
        return
    graded = grade(
        tiny_ratio,
        warning=limits.vanishing_gradient_warning_ratio,
        error=limits.vanishing_gradient_error_ratio,
        critical=limits.vanishing_gradient_critical_ratio,
    )
    if graded is None:
        if not is_deep or tiny_ratio < own.vanishing_depth_min_share:
            return
        graded = "warning", own.vanishing_depth_min_share
    severity, threshold = graded
    observations = []
    if is_deep:
        observations.append(
            Observation(
                source=norms.names[0],
                summary=f"Gradients of the first third of the {norms.what} are {depth_ratio:.2g} "
                "times those of the last third.",
                observed=depth_ratio,
                threshold=own.vanishing_depth_ratio,
            )
        )
    if state.fact:
        observations.append(Observation(source="train_loss", summary=state.fact))
    steps = probes.step[tiny]
    yield Finding(
        rule_id="vanishing_gradients",
        severity=severity,
        fact=f"{tiny_ratio:.0%} of {probes.total} gradient norms of {norms.measured_count} "
        f"{norms.what} are below {limit:g}.",
        inference="The layers near the input are probably not learning."
        if is_deep
        else "The network is probably hardly learning anything.",
        observed=tiny_ratio,
        threshold=threshold,
        step_range=(int(steps.min()), int(steps.max())),
        source=norms.what,
        observations=tuple(observations),
    )


def shrinking_with_depth(norms: GradientNorms, limits: AnalyzerThresholds) -> float:
    """Return how many times the gradients of the last third those of the first third are; 1 where
    that cannot be said."""
    medians = norms.probes.median()
    medians = medians[np.isfinite(medians)]
    if not norms.is_ordered or len(medians) < limits.layers.vanishing_depth_min_layers:
        return 1.0
    third = max(1, len(medians) // 3)
    last = float(np.median(medians[-third:]))
    return float(np.median(medians[:third])) / last if last > 0 else 1.0


def _is_excused(norms: GradientNorms, state: Progress, *, is_deep: bool) -> bool:
    """Return whether tiny gradients are what a healthy run has."""
    if state.is_known:
        return state.is_learning or not (is_deep or state.is_stuck)
    return not is_deep and have_settled(norms)


def _begins(norms: GradientNorms, tiny: BoolArray, limits: AnalyzerThresholds) -> bool:
    """Return whether this may be how the network begins: branches that are 0 at first wake up."""
    settling, span = limits.layers.settling_steps, norms.probes.span_steps
    rows = tiny.any(axis=1)
    first, last = norms.probes.first(1)[rows], norms.probes.last(1)[rows]
    if (last > 2 * first).mean() > 0.5:
        return span < 5 * settling
    return span < (settling if (first == 0).mean() > 0.5 else settling / 2)


def have_settled(norms: GradientNorms) -> bool:
    """Return whether gradients were larger once and then shrank everywhere: something was learned
    meanwhile."""
    probes = norms.probes
    early, late = probes.first(3), probes.last(3)
    long = probes.count >= _SETTLED_PROBES
    with np.errstate(invalid="ignore"):
        shrank = (late < early) & (late <= _SETTLED_RATIO * early)
        return bool(long.any() and shrank[long].all())


RULE = Rule(
    rule_id="vanishing_gradients",
    category="optimization",
    title="Gradients vanish",
    check=vanishing_gradients,
    advice=(
        "Put residual connections around blocks, and normalisation (LayerNorm, BatchNorm) into "
        "them.",
        "Replace sigmoid and tanh in hidden layers by ReLU, GELU or SiLU.",
        "Initialise for the activation: torch.nn.init.kaiming_normal_ for ReLU, xavier_uniform_ "
        "for tanh.",
        "Check that no layer in between puts out a constant (dead units, saturation).",
    ),
    explains=(
        "stagnant_layers",
        "loss_not_decreasing",
        "accuracy_at_chance",
        "update_ratio",
        "parameters_unchanged",
        "parameters_without_gradient",
        "collapsed_predictions",
        "learning_rate_too_low",
    ),
)
