"""The run's folder where scripts and libraries look for it: ``<dir>/wandb/run-<time>-<id>/``.

The run itself is in the store. ``files`` in this folder is a link to the files there, and
``run-<id>.wandb``, W&B's own file, is a note that says so. Libraries find a run's id by
``wandb/latest-run/run-*`` or ``wandb/*run-*/run-*.wandb``. Where nothing can be written or linked,
``run.dir`` is the folder in the store, or a temporary one; a run never fails for want of it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from quark import ids
from quark.clock import SYSTEM_CLOCK
from quark.compat.wandb.term import warn_once

if TYPE_CHECKING:
    from quark.compat.wandb.settings import Settings

FILES = "files"
LATEST = "latest-run"
_OTHER_FOLDERS = ("logs", "tmp/code")

_NOTE = """\
This run is kept by Quark. This file only marks the place, as W&B's would; it holds no data.

run      {run_id}
project  {project}
kept in  {kept_in}

Read it back with quark.compat.wandb.Api().run("{project}/{run_id}").
"""


def timespec(settings: Settings) -> str:
    """Return when the run was opened, local time, as it stands in the folder's name."""
    started = settings.x_start_time
    return datetime.fromtimestamp(started).strftime("%Y%m%d_%H%M%S") if started else ""


def run_mode(settings: Settings) -> str:
    return "offline-run" if settings.mode in ("offline", "dryrun") else "run"


def wandb_dir(settings: Settings) -> str:
    """Return ``<dir>/wandb``, or ``<dir>/.wandb`` where that is there already."""
    root = Path(settings.root_dir or os.getcwd()).expanduser()
    dotted = settings.use_dot_wandb
    if dotted is None:
        dotted = (root / ".wandb").is_dir()
    return str(root / (".wandb" if dotted else "wandb"))


def sync_dir(settings: Settings) -> str:
    name = f"{run_mode(settings)}-{timespec(settings)}-{settings.run_id}"
    suffix = settings.x_sync_dir_suffix
    return os.path.join(wandb_dir(settings), f"{name}-{suffix}" if suffix else name)


def files_dir(settings: Settings) -> str:
    return settings.x_files_dir or os.path.join(sync_dir(settings), FILES)


def _below(name: str) -> Callable[[Settings], str]:
    return lambda settings: os.path.join(sync_dir(settings), name)


#: What ``Settings`` computes; these cannot be set.
COMPUTED: Mapping[str, Callable[[Settings], str]] = MappingProxyType(
    {
        "files_dir": files_dir,
        "log_dir": _below("logs"),
        "run_mode": run_mode,
        "sync_dir": sync_dir,
        "sync_file": lambda settings: os.path.join(
            sync_dir(settings), f"run-{settings.run_id}.wandb"
        ),
        "sync_symlink_latest": lambda settings: os.path.join(wandb_dir(settings), LATEST),
        "timespec": timespec,
        "wandb_dir": wandb_dir,
    }
)


def lay_out(settings: Settings, kept_in: Path, run_id: str, project: str) -> None:
    """Make the folder of a run that was just opened, and let ``settings`` say where it is.

    Args:
        kept_in: The run's folder in the store.
    """
    settings.update({"run_id": run_id, "x_start_time": SYSTEM_CLOCK.time_us() / 1e6})
    if settings.root_dir is None:
        settings.root_dir = os.getcwd()
    files = kept_in / FILES
    note = _NOTE.format(run_id=run_id, project=project, kept_in=kept_in)
    try:
        files.mkdir(parents=True, exist_ok=True)
        folder = Path(sync_dir(settings))
        for name in _OTHER_FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / f"run-{run_id}.wandb").write_text(note)
        _link(Path(files_dir(settings)), files)
    except OSError as error:
        settings.x_files_dir = str(_somewhere_else(files))
        warn_once(
            "run folder",
            f"{sync_dir(settings)} cannot be made ({error.strerror or error}); run.dir is "
            f"{settings.x_files_dir}.",
        )
        return
    if settings.symlink is not False:
        with contextlib.suppress(OSError):
            _point_to(folder.parent / LATEST, folder.name)


def _link(link: Path, target: Path) -> None:
    """Make ``link`` lead to ``target``; by a relative way within one tree, which can be moved.

    Raises:
        OSError: Links are not possible there, or something else has the name.
    """
    if os.path.realpath(link) == os.path.realpath(target):
        return  # another process of the run, in the same second
    link.parent.mkdir(parents=True, exist_ok=True)
    target, place = Path(os.path.realpath(target)), Path(os.path.realpath(link.parent))
    near = place.parent.parent in target.parents
    link.symlink_to(os.path.relpath(target, place) if near else target)


def _point_to(link: Path, name: str) -> None:
    """Let the link ``link`` lead to ``name`` beside it, whatever it led to before."""
    fresh = link.with_name(f".{LATEST}.{ids.random_id()}")
    fresh.symlink_to(name)
    try:
        fresh.replace(link)
    except OSError:
        fresh.unlink()
        raise


def _somewhere_else(files: Path) -> Path:
    """Return the folder in the store, or a temporary one if that cannot be made either."""
    if files.is_dir():
        return files
    import tempfile  # seldom needed

    return Path(tempfile.mkdtemp(prefix="wandb-files-"))


def place_of(settings: Settings, kept_in: Path) -> str:
    """Return the folder of a run's files as a script is shown it."""
    shown: Any = files_dir(settings)
    return str(shown if os.path.isdir(shown) else kept_in / FILES)
