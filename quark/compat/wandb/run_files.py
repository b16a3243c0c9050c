"""``wandb.save``: files that are put beside the run's data."""

from __future__ import annotations

import fnmatch
import glob as globs
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from quark.compat.wandb.term import termwarn
from quark.session.environment import program_path

POLICIES = ("live", "now", "end")


def save_files(
    run_dir: Path,
    pattern: str | os.PathLike[str],
    base_path: str | os.PathLike[str] | None,
    *,
    policy: str,
    glob: bool,
    ignored: Sequence[str] = (),
) -> list[str]:
    """Copy the files that ``pattern`` means into the run's folder; return the copies' paths.

    A file keeps its path below ``base_path``; without that, below the working folder, or with its
    last folder if ``pattern`` is absolute. What one of the patterns ``ignored`` fits is left out.

    Raises:
        ValueError: ``policy`` is unknown, or ``pattern`` lies outside of ``base_path``.
    """
    if policy not in POLICIES:
        raise ValueError(f"Policy {policy!r} is not one of {', '.join(POLICIES)}.")
    text = os.fspath(pattern)
    base = _base(text, base_path)
    found = sorted(globs.glob(text)) if glob else [text]
    saved = []
    for name in found:
        source = Path(os.path.abspath(name))
        if not source.is_file():
            continue
        if not source.is_relative_to(base):
            raise ValueError(f"{source} lies outside of base_path {base}.")
        relative = source.relative_to(base)
        if any(fnmatch.fnmatch(str(relative), shunned) for shunned in ignored):
            continue
        target = run_dir / relative
        if os.path.realpath(source) != os.path.realpath(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
        saved.append(str(target))
    return saved


def save_program(run_dir: Path, program: str | None) -> None:
    """Copy the script that runs into ``code/``; nothing if there is none or it cannot be read."""
    path = program or program_path()
    if path is None:
        return
    source = Path(os.path.abspath(path))
    place = source.relative_to(Path.cwd()) if source.is_relative_to(Path.cwd()) else source.name
    target = run_dir / "code" / place
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
    except OSError as error:
        termwarn(f"the script {source} was not saved: {error.strerror or error}")


def _base(pattern: str, base_path: str | os.PathLike[str] | None) -> Path:
    if base_path is not None:
        return Path(os.path.abspath(base_path))
    if os.path.isabs(pattern):
        return Path(pattern).parent.parent
    return Path.cwd()
