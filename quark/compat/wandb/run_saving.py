"""What a run does besides logging: it keeps files and code, and shows itself in a notebook."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from quark.compat.wandb.disabled import NullSession
from quark.compat.wandb.run_identity import RunIdentity
from quark.compat.wandb.term import warn_once
from quark.compat.wandb.used import counted_methods

if TYPE_CHECKING:
    from quark.compat.wandb.run_files import SavedFiles
    from quark.compat.wandb.run_status import RunStatus

_HURRY_SECONDS = 1.0


@counted_methods("Run")
class RunSaving(RunIdentity):
    """A run with the verbs that put files into its folder."""

    __slots__ = ("_saved",)

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self._saved: SavedFiles | None = None

    def save(
        self,
        glob_str: str | os.PathLike[str] | None = None,
        base_path: str | os.PathLike[str] | None = None,
        policy: str = "live",
        glob: bool = True,
    ) -> list[str]:
        """Put files into the run's folder; return where they are there.

        Args:
            glob_str: A path or a pattern. A folder is kept with all that is in it. Without it
                nothing is saved: so old scripts had a new name of the run kept.
            base_path: The folder below which paths are kept.
            policy: ``live`` follows changes and later files, ``now`` copies once, ``end`` when the
                run ends.
            glob: Whether ``glob_str`` is a pattern.

        Raises:
            ValueError: ``policy`` is none of these, or ``glob_str`` is not below ``base_path``.
        """
        self._check_open("save")
        if glob_str is None:
            warn_once(
                "Run.save()",
                "save() without a file does nothing: a run's name, notes and tags are kept when "
                "they are set.",
            )
            return []
        if isinstance(self._session, NullSession):
            return []
        from quark.compat.wandb.run_files import SavedFiles

        if self._saved is None or self._saved.keeper.inherited:
            self._saved = SavedFiles(Path(self.dir), self._session.handle)
        ignored = self._settings.ignore_globs or ()
        return self._saved.save(glob_str, base_path, policy=policy, glob=glob, ignored=ignored)

    def restore(
        self,
        name: str,
        run_path: str | None = None,
        replace: bool = False,
        root: str | os.PathLike[str] | None = None,
    ) -> IO[str] | None:
        """Return a file of this run, or of another, open for reading; see ``wandb.restore``."""
        from quark.compat.wandb.restoring import restore

        return restore(name, run_path, replace, root, run=self)

    def log_code(
        self,
        root: str | os.PathLike[str] | None = ".",
        name: str | None = None,
        include_fn: Callable[..., bool] | None = None,
        exclude_fn: Callable[..., bool] | None = None,
    ) -> Any:
        """Log the code below a folder as an artifact of the type ``code``.

        Args:
            root: The folder.
            name: Of the artifact; by default ``source-<project>-<script>``.
            include_fn: Says of a path (and the root) whether it is code; by default Python,
                requirements and Dockerfiles.
            exclude_fn: Says what is left out of that; by default the folders of runs.

        Returns:
            The artifact; None if no file was found.
        """
        from quark.compat.wandb.code_saving import code_artifact, is_code, is_own

        self._check_open("log_code")
        found = code_artifact(self, root, name, include_fn or is_code, exclude_fn or is_own)
        return None if found is None else self.log_artifact(found)

    def mark_preempting(self) -> None:
        """Say that the process is about to be preempted: a run that then does not end well was
        preempted, and ``resume="auto"`` goes on with it."""
        from quark.compat.wandb.preempting import mark

        self._check_open("mark_preempting")
        mark(self._session)

    def status(self) -> RunStatus:
        """Return how much of what was logged has reached the store."""
        from quark.compat.wandb.run_status import run_status

        self._check_open("status")
        return run_status(self._session)

    def to_html(self, height: int = 420, hidden: bool = False) -> str:
        """Return what the run is as a small table of HTML."""
        from quark.compat.wandb.run_html import run_html

        return run_html(self, height=height, hidden=hidden)

    def _repr_html_(self) -> str:
        return self.to_html(hidden=True)

    def display(self, height: int = 420, hidden: bool = False) -> bool:
        """Show the run in a notebook; False where there is none."""
        from quark.compat.wandb.run_html import display_html

        return not self._settings.silent and display_html(self.to_html(height, hidden))

    def _finish_saving(self) -> None:
        """Bring the files that are kept up to date, for the last time."""
        if self._saved is not None and not self._saved.keeper.inherited:
            self._saved.keeper.close()

    def _save_in_a_hurry(self) -> None:
        """The same in a signal handler, without waiting for long."""
        if self._saved is not None and not self._saved.keeper.inherited:
            self._saved.keeper.catch_up(_HURRY_SECONDS)
