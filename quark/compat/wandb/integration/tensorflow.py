"""``wandb.tensorflow``: the hook for sessions of TensorFlow 1."""

from __future__ import annotations

from typing import Any

from quark.compat.wandb.integration.open_run import open_run
from quark.compat.wandb.integration.requirement import library
from quark.compat.wandb.integration.tensorboard import _log

_train: Any = library("tensorflow", integration="tensorflow").compat.v1.train
_summary: Any = library("tensorflow", integration="tensorflow").compat.v1.summary


class WandbHook(_train.SessionRunHook):  # type: ignore[misc]
    """Logs a session's merged summaries.

    Args:
        summary_op: What to run for them; without it all summaries.
        steps_per_log: Every how many steps.
        history: Accepted; rows go into the run that is open.
    """

    def __init__(
        self, summary_op: Any = None, steps_per_log: int = 1000, history: Any = None
    ) -> None:
        self._summary_op = summary_op
        self._steps_per_log = steps_per_log

    def begin(self) -> None:
        """Find the summaries."""
        open_run("WandbHook.begin()")
        if self._summary_op is None:
            self._summary_op = _summary.merge_all()

    def before_run(self, run_context: Any) -> Any:
        """Say what to run beside the step."""
        step = _train.get_global_step()
        return _train.SessionRunArgs({"summary": self._summary_op, "global_step": step})

    def after_run(self, run_context: Any, run_values: Any) -> None:
        """Log the summaries, if it is time."""
        step = run_values.results["global_step"]
        if step % self._steps_per_log == 0:
            _log(run_values.results["summary"], step=step)
