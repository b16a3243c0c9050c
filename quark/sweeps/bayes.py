"""The method bayes: a tree-structured Parzen estimator, by Optuna, over the unit interval.

Optuna keeps nothing: its study is made anew from the sweep's trials at every question, so any
process can ask, and the answer follows from the trials, the seed and the number of the trial.
Source: Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NeurIPS 2011; the variant
that models parameters together is Falkner et al., "BOHB", ICML 2018. W&B's own is a Gaussian
process with expected improvement.
"""

from __future__ import annotations

import math
import random
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from quark._optional import require
from quark.sweeps.config import Metric, SweepConfig
from quark.sweeps.parameters import Parameter
from quark.sweeps.proposal import Proposal, at_random, from_units
from quark.sweeps.trial import COMPLETED, FAILED, REOPENED, RUNNING, STOPPED, Trial

#: How many trials are drawn at random before there is something to go by.
START_TRIAL_COUNT = 8
_CANDIDATES = 64


def by_model(config: SweepConfig, seed: int, number: int, trials: Sequence[Trial]) -> Proposal:
    """Return the values that promise most after what ``trials`` gave.

    A trial that failed counts as bad as the worst one, so that what always fails is left alone. One
    that runs counts as known and bad, so that several agents do not ask for the same.

    Raises:
        MissingDependencyError: Optuna is not installed.
    """
    assert config.metric is not None
    free = [item for item in config.parameters if item.distribution.kind != "constant"]
    known = [trial for trial in trials if trial.metric is not None and trial.ended]
    if len(known) < START_TRIAL_COUNT or not free:
        return at_random(config, seed, number)
    optuna = require("optuna", purpose="A sweep with the method bayes")
    space = {item.name: _axis(optuna, item) for item in free}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna warns that some of its options may change
        sampler = optuna.samplers.TPESampler(
            n_startup_trials=0,
            n_ei_candidates=_CANDIDATES,
            multivariate=True,
            constant_liar=True,
            seed=random.Random(f"{seed}/{number}/model").getrandbits(32),
        )
        before = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        try:
            study = optuna.create_study(sampler=sampler)
            study.add_trials(_told(optuna, config.metric, free, space, trials))
            asked = study.ask(space)
        finally:
            optuna.logging.set_verbosity(before)
    units = {item.name: 0.5 for item in config.parameters}
    units |= {item.name: _unit(item, asked.params[item.name]) for item in free}
    return from_units(config, units)


def _told(
    optuna: Any,
    metric: Metric,
    free: Sequence[Parameter],
    space: Mapping[str, Any],
    trials: Sequence[Trial],
) -> list[Any]:
    """Return the sweep's trials as Optuna's, all of them to be minimized."""
    sign = 1.0 if metric.goal == "minimize" else -1.0
    ends = [sign * trial.metric for trial in trials if _counts(trial) and trial.metric is not None]
    worst = max((end for end in ends if math.isfinite(end)), default=None)
    told = []
    for trial in trials:
        if any(item.name not in trial.units for item in free):
            continue
        if trial.state == RUNNING:
            state, value = optuna.trial.TrialState.RUNNING, None
        elif not _counts(trial):
            continue
        else:
            state = optuna.trial.TrialState.COMPLETE
            value = worst if trial.metric is None else sign * trial.metric
            if value is None or not math.isfinite(value):
                value = worst
            if value is None:
                continue
        told.append(
            optuna.trial.create_trial(
                state=state,
                params={item.name: _coordinate(item, trial.units[item.name]) for item in free},
                distributions=dict(space),
                value=value,
            )
        )
    return told


def _counts(trial: Trial) -> bool:
    if trial.state in REOPENED:
        return False
    return trial.state == FAILED or (
        trial.state in (COMPLETED, STOPPED) and trial.metric is not None
    )


def _axis(optuna: Any, parameter: Parameter) -> Any:
    if parameter.distribution.is_categorical:
        return optuna.distributions.CategoricalDistribution(range(_count(parameter)))
    return optuna.distributions.FloatDistribution(0.0, 1.0)


def _coordinate(parameter: Parameter, unit: float) -> float | int:
    """Return a place on the unit interval as Optuna has it: of a choice, its number."""
    if not parameter.distribution.is_categorical:
        return unit
    return next(
        (index for index, end in enumerate(_ends(parameter)) if unit < end), _count(parameter) - 1
    )


def _unit(parameter: Parameter, coordinate: float) -> float:
    if not parameter.distribution.is_categorical:
        return float(coordinate)
    ends = [0.0, *_ends(parameter)]
    return (ends[int(coordinate)] + ends[int(coordinate) + 1]) / 2.0


def _ends(parameter: Parameter) -> list[float]:
    """Return where the share of each choice ends on the unit interval."""
    fields = parameter.distribution.fields
    count = _count(parameter)
    if "probabilities" not in fields:
        return [(index + 1) / count for index in range(count)]
    ends, passed = [], 0.0
    for share in fields["probabilities"]:
        passed += share
        ends.append(passed)
    return ends


def _count(parameter: Parameter) -> int:
    return len(parameter.distribution.fields["values"])
