"""Training in eval mode: dropout and batch normalisation are off while the model is trained.

Observes forward passes with gradients, followed by backward passes and optimizer steps, while the
watched model as a whole is in evaluation mode and has modules that behave differently then. Frozen
batch normalisation inside of a model in training mode is not meant.
Source: PyTorch's notes on ``model.train()``; transformers' ``from_pretrained``, which gives models
in evaluation mode.
Default: 90 % of at least 20 passes, over the run or over its second half. Ours.
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


def training_in_eval_mode(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding a watched model."""
    own = limits.loop
    for loop in watched_loops(evidence):
        wrong, passes = loop.number("eval_mode_forward_count"), loop.number("forward_count")
        backwards = loop.number("backward_count")
        if not loop.last("mode_module_count") or not loop.total("optimizer_step_count"):
            continue
        done = np.nancumsum(passes)
        for start in (0, int(np.searchsorted(done, done[-1] / 2))):
            late = slice(start, None)
            count, total = float(np.nansum(wrong[late])), float(np.nansum(passes[late]))
            trained = float(np.nansum(backwards[late])) >= total / 2
            enough = count >= own.eval_mode_min_forwards and trained
            if enough and count >= own.eval_mode_ratio * total:
                marks = (wrong > 0) & (np.arange(len(wrong)) >= start)
                yield Finding(
                    rule_id="training_in_eval_mode",
                    severity="warning",
                    fact=(
                        f"{count:,.0f} of {total:,.0f} training passes were made with {loop.name} "
                        f"in evaluation mode, which turns {loop.last('mode_module_count'):.0f} "
                        "modules (dropout, batch normalisation) off."
                    ),
                    inference=(
                        "model.train() is probably missing, at the start or after an evaluation."
                    ),
                    observed=count / total,
                    threshold=own.eval_mode_ratio,
                    step_range=loop.steps_where(marks),
                    subject=loop.subject,
                )
                break


RULE = Rule(
    rule_id="training_in_eval_mode",
    category="optimization",
    title="Training in evaluation mode",
    check=training_in_eval_mode,
    advice=(
        "Call model.train() before the first step and after each evaluation.",
        "To freeze batch normalisation alone, put only those modules into evaluation mode.",
    ),
    explains=("overfitting_onset", "generalization_gap"),
)
