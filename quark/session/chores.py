"""The slow things that a run's opening hands to the background: what others left, and git."""

from __future__ import annotations

from pathlib import Path

from quark.persistence.open import open_store
from quark.session.handle import RunHandle
from quark.session.places import is_remote
from quark.session.run_folder import complete_git_status


def add_chores(handle: RunHandle, repository: Path | None) -> None:
    """Have the background deliver what others left behind, and ask for git's status."""
    handle.add_chore(lambda: _deliver_others(handle))
    if repository is not None:
        handle.add_chore(lambda: _complete_git_status(handle, repository))


def _deliver_others(handle: RunHandle) -> None:
    """Deliver what dead processes left of other runs in the same store."""
    from quark.pipeline.recovery import deliver_leftovers, find_journals  # in the background

    if is_remote(handle.settings) and handle.settings.mode != "online":
        return
    for journal_dir in find_journals(handle.root):
        if handle.closing:
            return
        if journal_dir != handle.journal.folder:
            store = open_store(handle.settings)
            try:
                deliver_leftovers(store, journal_dir)
            finally:
                store.close()


def _complete_git_status(handle: RunHandle, repository: Path) -> None:
    failure = complete_git_status(handle.run_dir, repository)
    if failure is not None:
        handle.faults.record("the state of the git repository is unknown", OSError(failure))
