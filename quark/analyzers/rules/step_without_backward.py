"""Step without backward: the optimizer steps with no gradient, or with that of another batch.

Observes, in the watched loop, how many steps of the optimizer found no gradient in any of its
parameters. Where that is the first step alone, and the row of each backward pass is closed before
its step, the step stands before the backward pass: each uses the gradient of the batch before.
Source: TrainCheck (OSDI 2025).
Default: 60 % of the steps, of at least 5. Steps with a closure do not count. Ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding
from quark.analyzers.rule import Rule
from quark.analyzers.watched_loops import watched_loops

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds


def step_without_backward(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding a watched model."""
    own = limits.loop
    for loop in watched_loops(evidence):
        unfed = loop.number("unfed_step_count")
        count = loop.total("optimizer_step_count") - loop.total("closure_step_count")
        if count < own.step_without_backward_min_steps:
            continue
        share = loop.total("unfed_step_count") / count
        late = loop.number("step_is_late")
        probes = late[~np.isnan(late)]
        if share >= own.step_without_backward_ratio:
            yield Finding(
                rule_id="step_without_backward",
                severity="error",
                fact=(
                    f"{share:.0%} of {count:,.0f} optimizer steps had no gradient of their batch: "
                    f"no backward pass came before them ({loop.name})."
                ),
                inference="The model is probably not trained by what it is shown.",
                observed=share,
                threshold=own.step_without_backward_ratio,
                step_range=loop.steps_where(unfed > 0),
                subject=loop.subject,
            )
        elif unfed[0] > 0 and len(probes) >= own.loop_min_probes and probes.all():
            yield Finding(
                rule_id="step_without_backward",
                severity="warning",
                fact=(
                    "The first optimizer step came before any backward pass, and in all "
                    f"{len(probes)} steps that were looked at the optimizer steps only after the "
                    f"row of the backward pass is closed ({loop.name})."
                ),
                inference=(
                    "optimizer.step() probably stands before loss.backward(), so that each step "
                    "uses the gradient of the batch before."
                ),
                observed=float(len(probes)),
                threshold=float(own.loop_min_probes),
                step_range=loop.steps_where(~np.isnan(late)),
                subject=loop.subject,
            )


RULE = Rule(
    rule_id="step_without_backward",
    category="optimization",
    title="Optimizer steps without a backward pass",
    check=step_without_backward,
    advice=(
        "Keep the order zero_grad(), forward, loss.backward(), optimizer.step().",
        "Check that the loss is connected to the parameters: no detach(), no torch.no_grad().",
        "Check that zero_grad() does not stand between backward() and step().",
    ),
    explains=(
        "parameters_unchanged",
        "parameters_without_gradient",
        "stagnant_layers",
        "vanishing_gradients",
        "update_ratio",
        "loss_not_decreasing",
        "learning_rate_too_low",
        "learning_rate_zero",
        "accuracy_at_chance",
        "collapsed_predictions",
    ),
)
