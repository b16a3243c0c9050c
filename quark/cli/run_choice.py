"""Which run a word means: its id, its name, or the beginning of either; ``latest`` is the newest.

What is written out wins over what is only begun: the id ``abc`` is that run, also where another's
id begins with it. Whatever could mean several runs is refused, with all of them named.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from quark.errors import RunNotFoundError

if TYPE_CHECKING:
    from quark.records import RunRecord
    from quark.storage.protocols import Store

#: The newest run, unless a run has that name; behind a project's name and ``/``: the newest of it.
LATEST = "latest"

_MOST_CANDIDATES = 8


def chosen_run(store: Store, text: str) -> RunRecord:
    """Return the run that ``text`` means.

    Args:
        store: Where it is looked for.
        text: A run's id, its name, the beginning of either, or :data:`LATEST`; or any of these
            behind its project's name and ``/``.

    Raises:
        RunNotFoundError: There is no such run, or several.
    """
    try:
        return store.records.get_run(text)
    except RunNotFoundError:
        pass
    runs = store.records.list_runs()
    found = _matching(runs, text)
    if not found and "/" in text:
        project, _, rest = text.rpartition("/")
        found = _matching([run for run in runs if run.project_name == project], rest)
    if len(found) == 1:
        return found[0]
    raise RunNotFoundError(_several(text, found) if found else _none(text, runs, store.target))


def described(run: RunRecord) -> str:
    """Return a line that tells a run from others of its kind."""
    named = f" {run.name!r}" if run.name and run.name != run.id else ""
    return f"{run.id}{named} of {run.project_name!r}, {run.status}, {run.created_at[:19]}"


def _matching(runs: Sequence[RunRecord], text: str) -> list[RunRecord]:
    if not text:
        return []
    same = [run for run in runs if run.id == text] or [run for run in runs if run.name == text]
    if not same and text == LATEST and runs:
        return [runs[0]]
    return same or [run for run in runs if _begins(run, text)]


def _begins(run: RunRecord, text: str) -> bool:
    return run.id.startswith(text) or (run.name or "").startswith(text)


def _several(text: str, found: Sequence[RunRecord]) -> str:
    lines = [f"  {described(run)}" for run in found[:_MOST_CANDIDATES]]
    if len(found) > _MOST_CANDIDATES:
        lines.append(f"  and {len(found) - _MOST_CANDIDATES} more")
    return "\n".join(
        [f"{text!r} could be any of {len(found)} runs. Give the id, or more of it:", *lines]
    )


def _none(text: str, runs: Sequence[RunRecord], target: str) -> str:
    if not runs:
        return f"There is no run {text!r}: {target} holds no runs yet."
    by_word = {word: run for run in reversed(runs) for word in (run.name, run.id) if word}
    near = {by_word[word].id: by_word[word] for word in difflib.get_close_matches(text, by_word)}
    lines = [f"  {described(run)}" for run in near.values()]
    hint = "\n".join(["Near it are:", *lines]) if lines else "`quark run list` shows what is there."
    return f"There is no run {text!r} in {target}. {hint}"
