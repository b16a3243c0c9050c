"""``wandb.restore``: a file of a run, brought here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, TYPE_CHECKING

from quark.compat.wandb import current
from quark.compat.wandb.errors import CommError

if TYPE_CHECKING:
    from quark.compat.wandb.run_identity import RunIdentity


def restore(
    name: str,
    run_path: str | None = None,
    replace: bool = False,
    root: str | os.PathLike[str] | None = None,
    *,
    run: RunIdentity | None = None,
) -> IO[str] | None:
    """Return a file of a run, open for reading, after copying it to ``root``.

    Args:
        name: Its path in the run.
        run_path: ``entity/project/id``, ``project/id`` or ``id``; without it the open run.
        run: The run that counts as open; without it the one that the module means.
        replace: Whether a file that is at ``root`` already is written anew; else it is returned.
        root: Where it goes: by default the folder of the open run, without one the working folder.

    Returns:
        None if the open run is a disabled one.

    Raises:
        ValueError: The run has no such file, or no run is open and ``run_path`` is not given.
        CommError: There is no such run.
    """
    run = run or current.bound_run()
    if run is None and run_path is None:
        raise ValueError("restore() needs run_path= as long as no run is open.")
    if run is not None and run.disabled:
        return None
    from quark.compat.wandb.public_api import Api

    if run is not None and run_path in (None, run.path, run.id):
        found = Api(overrides={"dir": run.settings.root_dir}).run(run.id)
    else:
        found = Api().run(str(run_path))
    folder = Path(root if root is not None else run.dir if run is not None else os.getcwd())
    if (folder / name).exists() and not replace:
        return (folder / name).open()
    try:
        return found.file(name).download(root=str(folder), replace=True)
    except CommError as error:
        raise ValueError(f"Run {found.id!r} has no file {name!r}.") from error
