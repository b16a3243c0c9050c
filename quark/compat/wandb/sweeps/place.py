"""Where the shim's sweeps are, and how one is found by what a script calls it."""

from __future__ import annotations

from quark.compat.wandb.environment import read_environment
from quark.compat.wandb.errors import CommError, UsageError
from quark.compat.wandb.place import quark_settings
from quark.compat.wandb.settings import KNOWN, Settings
from quark.errors import RunNotFoundError, SessionStoreError
from quark.settings import Settings as QuarkSettings
from quark.sweeps import Sweep


class SweepNotFoundError(CommError, ValueError):
    """There is no such sweep."""


def sweep_settings(entity: str | None = None) -> QuarkSettings:
    """Return where sweeps are kept: where a run of this process would be."""
    wanted = Settings()
    wanted.update({name: value for name, value in read_environment().items() if name in KNOWN})
    wanted.update({"entity": entity})
    return quark_settings(wanted)


def parse_sweep_path(path: object) -> tuple[str | None, str | None, str]:
    """Return the entity, the project and the id in ``id``, ``project/id`` or
    ``entity/project/id``.

    Raises:
        UsageError: It is none of these.
    """
    if not isinstance(path, str):
        raise UsageError(f"A sweep is named by a text, not by a {type(path).__name__}.")
    parts = path.split("/")
    if len(parts) == 4 and parts[2] == "sweeps":
        del parts[2]
    if not 1 <= len(parts) <= 3 or not parts[-1]:
        raise UsageError(
            f"{path!r} names no sweep; give 'id', 'project/id' or 'entity/project/id'."
        )
    entity = parts[0] if len(parts) == 3 else None
    project = parts[-2] if len(parts) > 1 else None
    return entity or None, project or None, parts[-1]


def find_sweep(
    path: object, entity: str | None, project: str | None, where: QuarkSettings
) -> Sweep:
    """Open the sweep that a script names.

    Raises:
        SweepNotFoundError: There is none of this name in this place.
        UsageError: It is no name.
    """
    named_entity, named_project, sweep_id = parse_sweep_path(path)
    entity, project = named_entity or entity, named_project or project
    try:
        sweep = Sweep.load(sweep_id, where)
    except RunNotFoundError as error:
        raise SweepNotFoundError(f"Could not find sweep {path!r}: {error}") from error
    except SessionStoreError as error:
        raise CommError(str(error)) from error
    wrong = [
        f"its {what} is {is_!r}, not {named!r}"
        for what, is_, named in (
            ("project", sweep.project, project),
            ("entity", sweep.workspace, named_entity),
        )
        if named is not None and named != is_
    ]
    if wrong:
        sweep.close()
        raise SweepNotFoundError(f"Could not find sweep {path!r}: {'; '.join(wrong)}.")
    return sweep
