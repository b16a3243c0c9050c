"""What a door asks for when it opens a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from quark.errors import SchemaValidationError
from quark.naming import check_run_id
from quark.settings import Settings

Resume = Literal["never", "allow", "must"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMoment:
    """A run as it was after the row of ``last_step``."""

    run_id: str
    last_step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """A run to start or to go on with.

    ``resume`` says what to do when ``run_id`` is known: ``never`` refuses, ``allow`` goes on with
    it or starts it, ``must`` refuses if it is not there. ``reopen_completed`` lets a completed run
    be gone on with, as W&B does; the native API does not.

    A ``shared`` run may be open in another process: it is then joined, not resumed. Its ``owner``
    ends it, everybody else closes only a part; None means the process that starts or resumes it.
    A service cannot tell whether a process of another machine lives: with ``takes_over``, a run
    that is running there and that nobody on this machine ends is resumed, as if that had died.

    A new run that is ``fork_from`` another one begins with that one's rows. ``rewind_to`` cuts the
    run that is gone on with back to its rows up to that step first; all of it is kept under another
    id (:mod:`quark.session.branching`).

    ``metadata`` are fields of ``run_metadata.json`` that the caller knows better, such as
    ``git_sha``; without ``read_git`` the repository is left alone.
    """

    project: str
    settings: Settings
    run_id: str | None = None
    resume: Resume = "never"
    reopen_completed: bool = False
    shared: bool = False
    takes_over: bool = False
    owner: bool | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    parent_run_id: str | None = None
    name: str | None = None
    notes: str | None = None
    group: str | None = None
    job_type: str | None = None
    strict_mode: bool = False
    config_path: Path | None = None
    base_config_path: Path | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    read_git: bool = True
    fork_from: RunMoment | None = None
    rewind_to: int | None = None

    def __post_init__(self) -> None:
        if self.resume == "must" and self.run_id is None:
            raise SchemaValidationError("resume='must' needs a run_id; pass the id of the run.")
        if self.run_id is not None:
            check_run_id(self.run_id)
        if self.rewind_to is not None and (self.resume != "must" or self.fork_from is not None):
            raise SchemaValidationError(
                "rewind_to goes with resume='must' and without fork_from: it is about a known run."
            )
