"""``wandb.profiler``: traces of ``torch.profiler`` among the run's files."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from quark.compat.wandb import current
from quark.compat.wandb.errors import UsageError

#: Where in ``run.dir`` the traces are.
FOLDER = "pytorch_traces"


def torch_trace_handler() -> Callable[[Any], None]:
    """Return what ``torch.profiler.profile(on_trace_ready=...)`` takes: each trace that is ready
    becomes a file of the open run, for Chrome's and Perfetto's trace viewers.

    Raises:
        UsageError: No run is open.
    """
    run = current.bound_run()
    if run is None:
        raise UsageError(
            "No run is open: call wandb.init() before wandb.profiler.torch_trace_handler()."
        )
    folder = Path(run.dir) / FOLDER
    numbers = count()

    def keep(profile: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        profile.export_chrome_trace(str(folder / f"{next(numbers)}.pt.trace.json"))

    return keep
