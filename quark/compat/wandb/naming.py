"""Ids and names for runs, in W&B's shapes: ``k3x9q0ab`` and ``quiet-river-12``."""

from __future__ import annotations

import os
from pathlib import Path

from quark import ids
from quark.compat.wandb.errors import UsageError

ID_CHARACTERS = 8
_NOT_IN_ID = frozenset(":;,#?/'")
_NOT_IN_PROJECT = frozenset("/\\#?%:")
_MAX_PROJECT_CHARACTERS = 128

_ADJECTIVES = (
    "amber ancient autumn bold brave breezy bright brisk calm careful cheerful clear clever "
    "copper cosmic crimson crisp curious dapper daring deep distant dry eager early earnest easy "
    "faithful fancy fearless fine fluent fresh frosty gentle giddy glad golden graceful grand "
    "green happy hardy hidden honest humble icy jolly keen kind lasting lively lucky mellow merry "
    "misty modest neat nimble noble patient plain playful polished proud quick quiet rapid ready "
    "rosy royal silent silver smooth snowy solar solid spring stately steady still summer sunny "
    "swift tidy tranquil upbeat valiant vivid warm wild winter wise young zesty"
)
_NOUNS = (
    "acorn anchor apple arrow aspen badger bay beacon birch bird blossom breeze bridge brook "
    "canyon cedar cliff cloud clover comet coral creek crystal dawn deer delta dew dolphin dune "
    "eagle ember falcon fern field fire fjord flower fog forest fox frog garden glacier glade "
    "grass grove harbor hawk haze heron hill island jungle lake lantern leaf maple meadow mist "
    "moon moss mountain night oak ocean orchid otter owl pebble pine planet pond prairie rain "
    "raven reef ridge river rock sea shadow sky snow star stone storm stream sun thunder tide "
    "tree valley violet voice water wave willow wind wolf wood"
)


def generate_id(length: int = ID_CHARACTERS) -> str:
    """Return a fresh run id: characters out of ``[0-9a-z]``."""
    return ids.random_id(length)


def generate_name(runs_folder: Path) -> str:
    """Return a fresh display name; its number counts the runs that ``runs_folder`` has."""
    choice = int.from_bytes(os.urandom(8), "little")
    adjectives, nouns = _ADJECTIVES.split(), _NOUNS.split()
    choice, adjective = divmod(choice, len(adjectives))
    return f"{adjectives[adjective]}-{nouns[choice % len(nouns)]}-{_count(runs_folder) + 1}"


def check_id(run_id: str) -> str:
    """Return ``run_id`` if it may name a run.

    Raises:
        UsageError: It holds a character that may not be in it.
    """
    wrong = sorted(_NOT_IN_ID & set(run_id))
    if wrong or not run_id.strip():
        raise UsageError(
            f"Run id {run_id!r} is not valid: it must not be blank or hold {' '.join(wrong)}. "
            "Use letters, digits, '-' and '_'."
        )
    return run_id


def check_project(project: str) -> str:
    """Return ``project`` if it may name a project.

    Raises:
        UsageError: It is too long or holds a character that may not be in it.
    """
    wrong = sorted(_NOT_IN_PROJECT & set(project))
    if wrong:
        raise UsageError(
            f"Project name {project!r} is not valid: it must not hold {' '.join(wrong)}. Use '-'."
        )
    if len(project) > _MAX_PROJECT_CHARACTERS:
        raise UsageError(
            f"Project name {project[:40]!r}... is not valid: it has {len(project)} characters, "
            f"and at most {_MAX_PROJECT_CHARACTERS} are allowed. Shorten it."
        )
    return project


def _count(folder: Path) -> int:
    try:
        with os.scandir(folder) as entries:
            return sum(1 for _ in entries)
    except OSError:
        return 0
