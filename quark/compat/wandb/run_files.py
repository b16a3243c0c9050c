"""``wandb.save``: files that are put beside the run's data."""

from __future__ import annotations

import glob as globs
import os
import shutil
from pathlib import Path

POLICIES = ("live", "now", "end")


def save_files(
    run_dir: Path,
    pattern: str | os.PathLike[str],
    base_path: str | os.PathLike[str] | None,
    *,
    policy: str,
    glob: bool,
) -> list[str]:
    """Copy the files that ``pattern`` means into the run's folder; return the copies' paths.

    A file keeps its path below ``base_path``; without that, below the working folder, or with its
    last folder if ``pattern`` is absolute.

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
        target = run_dir / source.relative_to(base)
        if source != target:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
        saved.append(str(target))
    return saved


def _base(pattern: str, base_path: str | os.PathLike[str] | None) -> Path:
    if base_path is not None:
        return Path(os.path.abspath(base_path))
    if os.path.isabs(pattern):
        return Path(pattern).parent.parent
    return Path.cwd()
