"""Where the shim does not do what W&B 0.31 does, and why. Part of ``docs/compat.md``.

The differential tests name the entry behind every observation that is not the same; an entry that
no observation shows any more fails them too.
"""

from __future__ import annotations

from quark.compat.wandb.differences.difference import Difference as Difference
from quark.compat.wandb.differences.of_artifacts import ARTIFACTS
from quark.compat.wandb.differences.of_console import CONSOLE
from quark.compat.wandb.differences.of_integrations import INTEGRATIONS
from quark.compat.wandb.differences.of_logging import LOGGING
from quark.compat.wandb.differences.of_media import MEDIA
from quark.compat.wandb.differences.of_runs import RUNS
from quark.compat.wandb.differences.of_sweeps import SWEEPS
from quark.compat.wandb.differences.of_tables import TABLES

DIFFERENCES: tuple[Difference, ...] = (
    *LOGGING,
    *RUNS,
    *CONSOLE,
    *MEDIA,
    *TABLES,
    *ARTIFACTS,
    *SWEEPS,
    *INTEGRATIONS,
)
