"""Where journals are found; light, so that a session can look without loading numpy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def find_journals(root: Path) -> Iterator[Path]:
    """Yield the journal folders of all runs of an embedded store that have one."""
    runs = root / "runs"
    try:
        run_ids = sorted(path.name for path in runs.iterdir())
    except OSError:
        return
    for run_id in run_ids:
        journal_dir = runs / run_id / "journal"
        if journal_dir.is_dir():
            yield journal_dir
