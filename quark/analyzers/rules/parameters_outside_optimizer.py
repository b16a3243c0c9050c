"""Parameters outside the optimizer: they get gradients, but nothing ever updates them.

Observes, in the watched loop, parameters that require gradients and have them, but are in no
optimizer that has stepped; and optimizers that step without holding a single parameter of the
model. What changes all the same is updated in another way (a sharded optimizer, say).
Source: DeepFD and UMLAUT name it among faults of the optimizer's set-up; TrainCheck (OSDI 2025).
Default: after 10 steps; half of the trainable elements make it an error. Ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding
from quark.analyzers.rule import Rule
from quark.analyzers.watched_loops import WatchedLoop, watched_loops

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.limits.loop import LoopLimits
    from quark.analyzers.thresholds import AnalyzerThresholds


def parameters_outside_optimizer(
    evidence: RunEvidence, limits: AnalyzerThresholds
) -> Iterator[Finding]:
    """Yield at most one finding a watched model."""
    own = limits.loop
    for loop in watched_loops(evidence):
        changes = loop.number("outside_change_norm")
        known = ~np.isnan(changes)
        if not known.any() or (changes[known] > 0).any():
            continue
        if loop.total("optimizer_step_count") == 0:
            yield from _all(loop, own, known)
        else:
            yield from _some(loop, own)


def _all(loop: WatchedLoop, own: LoopLimits, known: np.ndarray) -> Iterator[Finding]:
    steps = loop.total("foreign_step_count")
    enough = np.count_nonzero(known) >= own.loop_min_probes
    if min(steps, loop.total("backward_count")) < own.outside_min_steps or not enough:
        return
    yield Finding(
        rule_id="parameters_outside_optimizer",
        severity="critical",
        fact=(
            f"{steps:,.0f} optimizer steps were made, none by an optimizer that holds a parameter "
            f"of {loop.name}, whose parameters have not changed."
        ),
        inference=(
            "The optimizer was probably built over another model, or over a copy of this one."
        ),
        observed=steps,
        threshold=float(own.outside_min_steps),
        step_range=loop.steps_where(known),
        subject=loop.subject,
    )


def _some(loop: WatchedLoop, own: LoopLimits) -> Iterator[Finding]:
    count, elements = loop.last("outside_parameter_count"), loop.last("outside_element_count")
    total = loop.last("trainable_element_count")
    too_early = loop.total("optimizer_step_count") < own.outside_min_steps
    if not count or not elements or not total or too_early:
        return
    share = elements / total
    seen = loop.number("outside_parameter_count") > 0
    (last,) = loop.more(np.flatnonzero(seen)[-1:])
    names = ", ".join(last.get("outside", ())[:3]) or "unnamed"
    yield Finding(
        rule_id="parameters_outside_optimizer",
        severity="error" if share >= own.outside_error_ratio else "warning",
        fact=(
            f"{count:.0f} trainable parameters of {loop.name} ({names}), {share:.0%} of its "
            "elements, get gradients but are in no optimizer."
        ),
        inference="They stay as they were initialised.",
        observed=share,
        threshold=0.0,
        step_range=loop.steps_where(seen),
        subject=loop.subject,
        source=names,
    )


RULE = Rule(
    rule_id="parameters_outside_optimizer",
    category="optimization",
    title="Parameters outside the optimizer",
    check=parameters_outside_optimizer,
    advice=(
        "Build the optimizer over model.parameters(), after the model has its final layers.",
        "Build it after anything that replaces parameters: a copy, .to() of some wrappers, FSDP.",
        "If the parameters are meant to be frozen, set requires_grad_(False): it saves their "
        "gradients.",
    ),
    explains=(
        "parameters_unchanged",
        "stagnant_layers",
        "update_ratio",
        "loss_not_decreasing",
        "learning_rate_too_low",
        "learning_rate_zero",
        "accuracy_at_chance",
        "collapsed_predictions",
        "step_without_backward",
        "missing_zero_grad",
    ),
)
