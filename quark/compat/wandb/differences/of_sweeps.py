"""Sweeps: what differs from W&B 0.31, and why."""

from __future__ import annotations

from quark.compat.wandb.differences.difference import Difference

SWEEPS: tuple[Difference, ...] = (
    Difference(
        "a sweep",
        "Kept by the server, which chooses each trial.",
        "Documents in the local store; each agent chooses the trial that it takes. The same `seed` "
        "gives the same trials, and one is drawn and kept if none is given.",
        "There is no server; any process can go on where another one stopped.",
    ),
    Difference(
        "`method: bayes`",
        "A Gaussian process.",
        "A tree-structured Parzen estimator, by Optuna, after 8 trials at random. A trial that "
        "failed counts as bad as the worst.",
        "It needs no SciPy, and takes every distribution.",
    ),
    Difference(
        "ending a trial of a function early, by hyperband or `CANCELED`",
        "An exception is raised into the thread, wherever it is.",
        "The next `log` of the run raises, and every one after it; the trial's run is `failed`.",
        "An exception out of nowhere can leave locks held and files half written.",
    ),
    Difference(
        "a trial whose process died",
        "Is `crashed`, and a grid leaves its combination out.",
        "Is lost, and a grid offers its combination again, three times at most.",
        "A machine that went away says nothing about the values.",
    ),
    Difference(
        "`WANDB_AGENT_DISABLE_FLAPPING=true` with a function",
        "The agent ends at the first failure.",
        "The agent does not end because of failures in the first minute.",
        "It is what the documentation of W&B says of it.",
    ),
    Difference(
        "a sweep's configuration that is not valid",
        "A warning, or an error of the server.",
        "`InvalidSettingError`, a `UsageError` and a `ValueError`, when the sweep is made; what is "
        "merely unknown is named in a warning.",
        "A mistake is found before the first trial.",
    ),
)
