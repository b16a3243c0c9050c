"""Which values a trial gets: grid, random, or by a model of what earlier trials gave.

A proposal follows from the configuration, the seed, the trial's number and the trials so far; from
nothing else. So every process proposes the same, and none has to remember anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from quark.errors import SchemaValidationError
from quark.sweeps.config import SweepConfig
from quark.sweeps.parameters import nested
from quark.sweeps.proposal import Proposal, at_random
from quark.sweeps.trial import MAX_OFFERS, REOPENED, Trial


def propose(
    config: SweepConfig, seed: int, number: int, trials: Sequence[Trial]
) -> Proposal | None:
    """Return the values of the trial ``number``; None if everything has been tried.

    Raises:
        MissingDependencyError: The method is bayes and Optuna is not installed.
        SchemaValidationError: The method is custom: a controller proposes, not this.
    """
    if exhausted(config, trials):
        return None
    if config.method == "grid":
        return _next_of_grid(config, trials)
    if config.method == "random":
        return at_random(config, seed, number)
    if config.method == "bayes":
        from quark.sweeps.bayes import by_model  # Optuna: only for this method

        return by_model(config, seed, number, trials)
    raise SchemaValidationError(
        "A sweep with the method custom gets its trials from a controller; use wandb.controller() "
        "with a function to search, or another method."
    )


def exhausted(config: SweepConfig, trials: Sequence[Trial]) -> bool:
    """Say whether everything has been tried."""
    # A trial that was cut off does not count: there will be another one for it.
    count = sum(trial.state not in REOPENED for trial in trials)
    if config.run_cap is not None and count >= config.run_cap:
        return True
    return config.method == "grid" and _next_point(config, trials) is None


def _next_of_grid(config: SweepConfig, trials: Sequence[Trial]) -> Proposal | None:
    """Return the first combination that no trial has; the last parameter changes fastest."""
    point = _next_point(config, trials)
    if point is None:
        return None
    chosen, rest = [], point
    for parameter in reversed(config.parameters):
        choices = parameter.distribution.choices or ()
        rest, place = divmod(rest, len(choices))
        chosen.append((parameter.path, choices[place]))
    return Proposal(values=nested(chosen[::-1]), point=point)


def _next_point(config: SweepConfig, trials: Sequence[Trial]) -> int | None:
    """Return the number of the first combination that is still to be tried.

    What a process took with it when it died is offered again, though not for ever: it may be what
    kills them.
    """
    offers = Counter(trial.point for trial in trials if trial.state in REOPENED)
    taken = {trial.point for trial in trials if trial.state not in REOPENED}
    taken |= {point for point, count in offers.items() if count >= MAX_OFFERS}
    return next((point for point in range(config.grid_size) if point not in taken), None)
