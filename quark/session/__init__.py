"""Training sessions: one run, from its start to its end, in one process."""

from quark.session.request import RunRequest
from quark.session.shortcuts import add_log, add_tag, end_run, resume_run, start_run
from quark.session.training import TrainingSession

__all__ = [
    "RunRequest",
    "TrainingSession",
    "add_log",
    "add_tag",
    "end_run",
    "resume_run",
    "start_run",
]
