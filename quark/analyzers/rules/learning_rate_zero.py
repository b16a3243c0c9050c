"""Learning rate zero: nothing is learned for long, because the rate is zero.

Observes the learning rates that the script logs, or that parameter snapshots or the config have:
whether all of them are exactly zero while training goes on. A schedule that ends at zero with the
run is healthy, and so is one group at zero beside others that are not.
Source: our own; the fault is common enough with schedules whose length was given in epochs.
Default: a fifth of the run is a warning, half of it an error; ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding, grade
from quark.analyzers.rates import learning_rates
from quark.analyzers.rule import Rule
from quark.analyzers.run_config import configured_rate
from quark.analyzers.shapes import longest_run

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds


def learning_rate_zero(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding for the run."""
    own = limits.loss
    rates, loss = learning_rates(evidence), evidence.role("train_loss")
    inference = "The weights do not change while it is zero: this part of the run is wasted."
    if rates is None:
        rate = configured_rate(evidence)
        if rate == 0.0 and loss is not None and len(loss) >= own.learning_rate_zero_min_points:
            yield Finding(
                rule_id="learning_rate_zero",
                severity="error",
                fact=f"The config has a learning rate of 0, and {loss.key} was logged "
                f"{len(loss)} times.",
                inference=inference,
                observed=0.0,
                step_range=(int(loss.step[0]), int(loss.step[-1])),
                subject="config",
            )
        return
    zero = rates.value == 0.0
    first, count = longest_run(zero)
    if not count:
        return
    few = max(3, min(own.learning_rate_zero_min_points, len(rates)))
    graded = grade(
        count / len(rates),
        warning=own.learning_rate_zero_warning_ratio,
        error=own.learning_rate_zero_error_ratio,
    )
    if count < few or graded is None:
        return
    severity, threshold = graded
    steps = (int(rates.step[first]), int(rates.step[first + count - 1]))
    if loss is not None and not np.any((loss.step > steps[0]) & (loss.step <= steps[1])):
        return
    whole = "throughout" if count == len(rates) else f"from step {steps[0]} to {steps[1]}"
    yield Finding(
        rule_id="learning_rate_zero",
        severity=severity,
        fact=f"{rates.key} is 0 {whole}: {count} of {len(rates)} points.",
        inference=inference,
        observed=count / len(rates),
        threshold=threshold,
        step_range=steps,
        subject=rates.key,
    )


RULE = Rule(
    rule_id="learning_rate_zero",
    category="optimization",
    title="Learning rate is zero",
    check=learning_rate_zero,
    advice=(
        "Give the scheduler its length in the unit in which scheduler.step() is called: steps or "
        "epochs.",
        "Check the warm-up: a factor of step / warmup_steps stays 0 if step never moves.",
        "Print optimizer.param_groups[0]['lr'] before training.",
    ),
    explains=(
        "learning_rate_schedule",
        "learning_rate_too_low",
        "loss_not_decreasing",
        "parameters_unchanged",
        "accuracy_at_chance",
        "stagnant_layers",
        "update_ratio",
        "overtraining",
    ),
)
