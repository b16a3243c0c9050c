"""Non-finite values: a loss, a layer or a parameter is NaN or infinite.

Observes every metric's points (and those that ``MetricsLogger`` refused), the counts of non-finite
elements in layer summaries and parameter snapshots, and says where they came first: the metric and
step, the layer nearest to the input whose output holds them, the layer nearest to the output whose
gradient does, the parameter, and the samples of that batch. What need not be a fault is only worth
knowing: gradients that overflow now and then (mixed precision skips such steps), a first value that
stands for "none yet", NaN where nothing was measured, metrics of single classes.
Source: Lightning's and Composer's NaN monitors; for the place, transformers'
``DebugUnderflowOverflow``.
Default: a training loss that stays non-finite for two points is critical; the numbers are ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from quark.analyzers.findings import Finding, Observation, severity_rank
from quark.analyzers.nonfinite import (
    BadMetric,
    BadTensors,
    bad_activations,
    bad_gradients,
    bad_metrics,
    bad_parameters,
    value_word,
)
from quark.analyzers.rule import Rule

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.limits.loss import LossLimits
    from quark.analyzers.thresholds import AnalyzerThresholds

_NAMED = 5  # other metrics and samples that are named
_SORTS = ("activation", "gradient", "parameter")  # of one step, in the order of cause
_PROMINENCE = ("train_loss", "loss", "val_loss", "gradient_norm")


def non_finite_values(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding for the run."""
    metrics = [(_grade_metric(bad, evidence, limits.loss), bad) for bad in bad_metrics(evidence)]
    metrics.sort(key=lambda one: (-severity_rank(one[0]), _prominence(one[1]), one[1].first_step))
    found = (bad_parameters(evidence), bad_activations(evidence), bad_gradients(evidence))
    tensors = [
        (_grade_tensors(bad, evidence, limits.loss), bad) for bad in found if bad is not None
    ]
    tensors.sort(key=lambda one: -severity_rank(one[0]))
    if not metrics and not tensors:
        return
    inside = sorted((bad for _, bad in tensors), key=lambda bad: (bad.step, _SORTS.index(bad.sort)))
    others = [bad for _, bad in metrics]
    if not tensors or (metrics and severity_rank(metrics[0][0]) >= severity_rank(tensors[0][0])):
        severity, bad = metrics[0]
        samples = _samples(bad, evidence)
        yield Finding(
            rule_id="non_finite_values",
            severity=severity,
            fact=_fact(bad) + _place_words(bad, inside),
            inference=_inference(severity, bad, inside, samples),
            observed=float(bad.count),
            threshold=1.0,
            step_range=(bad.first_step, bad.last_step),
            subject=bad.key,
            observations=_observations(others[1:], inside, samples, bad.first_step),
            metadata=_metadata(bad.first_step, inside, samples),
        )
        return
    severity, worst = tensors[0]
    yield Finding(
        rule_id="non_finite_values",
        severity=severity,
        fact=f"{_tensor_words(worst)} That was so at {worst.bad_probe_count} of "
        f"{worst.probe_count} probes.",
        inference=_inside_inference(severity, worst),
        observed=float(worst.bad_probe_count),
        threshold=1.0,
        step_range=(worst.step, evidence.last_step or worst.step),
        subject=worst.name,
        observations=_observations(others, inside, (), worst.step),
        metadata=_metadata(worst.step, inside, ()),
    )


# -- how bad it is ---------------------------------------------------------------------------------


def _grade_metric(bad: BadMetric, evidence: RunEvidence, limits: LossLimits) -> str:
    lasting = limits.non_finite_lasting_points
    is_over = evidence.run.status != "running"
    stays = bad.trailing >= lasting or (bad.trailing > 0 and is_over)
    started = bad.finite_count >= limits.non_finite_min_finite_points
    if bad.role == "train_loss":
        if _stands_for_nothing(bad, limits):
            return "info"
        if stays:
            return "critical"
        return "error" if bad.trailing or bad.count >= lasting + 1 else "warning"
    if bad.role == "val_loss":
        return "info" if _stands_for_nothing(bad, limits) or bad.count < lasting else "warning"
    if bad.role == "gradient_norm":
        if started and bad.trailing >= limits.non_finite_lasting_probes:
            return "error"
        share = bad.count / (bad.count + bad.finite_count)
        is_often = started and share >= limits.non_finite_gradient_ratio
        return "warning" if is_often and not is_mixed_precision(evidence) else "info"
    if bad.role == "loss" and started and bad.trailing >= limits.non_finite_lasting_probes:
        return "warning" if evidence.role("train_loss") is not None else "critical"
    if bad.role in ("val_accuracy", "train_accuracy") and started and bad.trailing >= lasting:
        return "warning"
    return "info"


def _stands_for_nothing(bad: BadMetric, limits: LossLimits) -> bool:
    """A first value for "none yet", or NaN wherever nothing was measured."""
    if not bad.finite_count:
        return False
    if bad.leading == bad.count and bad.count <= limits.non_finite_lasting_points:
        return True
    total = bad.count + bad.finite_count
    is_gap = bad.nan_count == bad.count and bad.finite_count >= 2
    is_usual = bad.count / total >= limits.non_finite_placeholder_ratio
    return is_gap and is_usual and bad.trailing <= bad.longest


def _grade_tensors(bad: BadTensors, evidence: RunEvidence, limits: LossLimits) -> str:
    lasts = bad.lasting >= limits.non_finite_lasting_probes
    if bad.sort == "parameter":
        return "critical" if bad.lasting else "warning"
    if bad.sort == "gradient":
        share = bad.bad_probe_count / bad.probe_count
        if lasts:
            return "error"
        is_often = bad.probe_count >= 5 and share >= limits.non_finite_gradient_ratio
        return "warning" if is_often and not is_mixed_precision(evidence) else "info"
    if lasts and bad.clean_before and evidence.role("train_loss") is None:
        return "critical" if bad.worst_ratio >= 0.5 else "error"
    return "info"  # a mask of minus infinity is an output too; if it harms, the loss says so


def is_mixed_precision(evidence: RunEvidence) -> bool:
    """Return whether a loss scale, telemetry or the config tells of 16-bit training, in which
    gradients overflow now and then and the step is left out."""
    if evidence.role("grad_scale") is not None:
        return True
    if (evidence.telemetry.number("overflow_count") > 0).any():
        return True
    config = {str(key).lower(): str(value).lower() for key, value in evidence.run.config.items()}
    named = any(config.get(key) in ("true", "1") for key in ("fp16", "amp", "use_amp", "half"))
    return named or any("16" in config.get(key, "") for key in ("precision", "mixed_precision"))


# -- words -----------------------------------------------------------------------------------------


def _prominence(bad: BadMetric) -> int:
    return _PROMINENCE.index(bad.role) if bad.role in _PROMINENCE else len(_PROMINENCE)


def _fact(bad: BadMetric) -> str:
    word = value_word(bad.first_value)
    if not bad.finite_count:
        return f"{bad.key} is {word} from its first point, at step {bad.first_step}, on."
    if bad.count == 1:
        return f"{bad.key} is {word} at step {bad.first_step}."
    if bad.trailing == bad.count:
        return (
            f"{bad.key} is {word} at step {bad.first_step}, and not finite at any of the "
            f"{bad.count} points from there on."
        )
    return (
        f"{bad.key} is not finite at {bad.count} of {bad.count + bad.finite_count} points, "
        f"first at step {bad.first_step} ({word})."
    )


def _place_words(bad: BadMetric, inside: Sequence[BadTensors]) -> str:
    for one in inside:
        if one.sort != "parameter" and abs(one.step - bad.first_step) <= 1:
            return f" {_tensor_words(one)}"
    return ""


def _tensor_words(bad: BadTensors) -> str:
    of = f"{bad.bad_count} of {bad.of}"
    kind = f" ({bad.module_type})" if bad.module_type else ""
    if bad.sort == "activation":
        return (
            f"At step {bad.step} the outputs of {of} layers are not finite; the one nearest to the "
            f"input is {bad.name}{kind}."
        )
    if bad.sort == "gradient":
        return (
            f"At step {bad.step} the gradients of {of} layers or parameters are not finite; the "
            f"one nearest to the output is {bad.name}{kind}."
        )
    return f"At step {bad.step} {of} parameters hold values that are not finite, first {bad.name}."


def _inference(
    severity: str, bad: BadMetric, inside: Sequence[BadTensors], samples: Sequence[str]
) -> str:
    if severity == "info":
        return (
            "This need not be a fault: it looks like a gap, an overflow that was left out, or a "
            "metric that is not defined for some batches."
        )
    if bad.role == "val_loss":
        return (
            "The training loss is not affected: validation itself divides by zero, overflows, or "
            "meets a broken sample."
        )
    if severity == "critical":
        earlier = [one for one in inside if one.step <= bad.first_step]
        if earlier:
            return f"The training is lost from here on; {earlier[0].name} is where to look first."
        return "The training is lost from here on: once weights are NaN they stay so."
    if samples:
        return "Probably something is wrong with those samples; the training went on."
    return "Probably one batch holds something broken; the training went on."


def _inside_inference(severity: str, bad: BadTensors) -> str:
    if severity == "info":
        return (
            "This need not be a fault: masks are infinite on purpose, and mixed precision leaves "
            "out steps that overflow."
        )
    if bad.sort == "gradient":
        return "The optimizer makes no step with such gradients, or breaks the weights with one."
    return "The model computes nothing but NaN from here on."


def _samples(bad: BadMetric, evidence: RunEvidence) -> tuple[str, ...]:
    return tuple(evidence.data.sample_ids_at.get(bad.first_step, ()))


def _observations(
    metrics: Sequence[BadMetric],
    inside: Sequence[BadTensors],
    samples: Sequence[str],
    step: int,
) -> tuple[Observation, ...]:
    found = [
        Observation(
            source=one.name,
            summary=_tensor_words(one),
            observed=float(one.bad_count),
            threshold=1.0,
            step_range=(one.step, one.step),
        )
        for one in inside
    ]
    found += [
        Observation(
            source=one.key,
            summary=_fact(one),
            observed=float(one.count),
            threshold=1.0,
            step_range=(one.first_step, one.last_step),
        )
        for one in metrics[:_NAMED]
    ]
    if samples:
        more = f" and {len(samples) - _NAMED} more" if len(samples) > _NAMED else ""
        found.append(
            Observation(
                source="batch",
                summary=f"The batch of step {step} held {', '.join(samples[:_NAMED])}{more}.",
                observed=float(len(samples)),
                step_range=(step, step),
                metadata={"sample_ids": list(samples)},
            )
        )
    return tuple(found)


def _metadata(step: int, inside: Sequence[BadTensors], samples: Sequence[str]) -> dict[str, object]:
    found: dict[str, object] = {"first_step": step}
    found.update({f"first_{one.sort}": one.name for one in inside})
    if samples:
        found["sample_ids"] = list(samples)
    return found


RULE = Rule(
    rule_id="non_finite_values",
    category="optimization",
    title="Non-finite values",
    check=non_finite_values,
    advice=(
        "Look at the batch and the layer named here; torch.autograd.set_detect_anomaly(True) names "
        "the operation.",
        "Guard log, sqrt and divisions: torch.log(x.clamp_min(1e-8)), x / (y + eps).",
        "Lower the learning rate or clip gradients: "
        "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0).",
        "In 16 bits use bfloat16, or float16 with torch.amp.GradScaler.",
    ),
    explains=(
        "loss_divergence",
        "loss_spike",
        "oscillating_loss",
        "loss_not_decreasing",
        "gradient_norm_spike",
        "amp_scale_collapse",
        "exploding_gradients",
        "vanishing_gradients",
        "stagnant_layers",
        "activation_collapse",
        "diverging_weights",
        "update_ratio",
        "parameters_unchanged",
        "parameters_without_gradient",
        "accuracy_at_chance",
        "collapsed_predictions",
        "overfitting_onset",
        "overtraining",
        "generalization_gap",
        "validation_bad_from_start",
    ),
)
