"""What rests in the folder of a store and is not where it belongs yet."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftovers:
    """What waits in the root of a store, ``.quark``.

    ``living_runs`` are written into by processes of this machine now, and no reason to worry.
    """

    living_runs: tuple[str, ...] = ()
    dead_runs: tuple[str, ...] = ()
    journal_bytes: int = 0  # of dead writers
    quarantined_count: int = 0  # frames that a store refused
    payload_count: int = 0  # in the outbox
    payload_bytes: int = 0
    refused_payload_count: int = 0
    draft_count: int = 0
    refused_draft_count: int = 0

    @property
    def waits(self) -> bool:
        """Whether there is anything to deliver."""
        return bool(self.dead_runs or self.payload_count or self.draft_count)


def find_leftovers(root: Path) -> Leftovers:
    """Look through the root of a store; journals of runs that go on are told from left-over ones
    by the locks of their writers."""
    from quark.catalog.resting import RestingDrafts
    from quark.pipeline.quarantine import QUARANTINE
    from quark.pipeline.recovery import find_journals, find_writers
    from quark.storage.folder_blobs import FolderBlobs
    from quark.storage.layout import drafts_path, outbox_path, refused_path

    living, dead, size_bytes = dict[str, None](), dict[str, None](), 0
    for journal_dir in find_journals(root):
        for files in find_writers(journal_dir):
            run_id = journal_dir.parent.name
            if is_living(files.lock_path):
                living[run_id] = None
            else:
                dead[run_id] = None
                size_bytes += sum(_sizes(files.segments))
    outbox = outbox_path(root)
    waiting = list(FolderBlobs(outbox).digests()) if outbox.is_dir() else []
    refused = refused_path(root)
    resting = RestingDrafts(drafts_path(root))
    return Leftovers(
        living_runs=tuple(living),
        dead_runs=tuple(dead),
        journal_bytes=size_bytes,
        quarantined_count=sum(1 for _ in root.glob(f"runs/*/{QUARANTINE}/*.qj")),
        payload_count=len(waiting),
        payload_bytes=sum(_sizes(outbox.glob("*/*/*"))) if waiting else 0,
        refused_payload_count=len(list(FolderBlobs(refused).digests())) if refused.is_dir() else 0,
        draft_count=len(resting.paths()),
        refused_draft_count=sum(1 for _ in resting.quarantine.glob("*.json")),
    )


def is_living(lock_path: Path) -> bool:
    """Say whether a writer's process is there, by its lock; nothing is made or removed."""
    from quark.pipeline.segment_file import WriterLock

    if not lock_path.exists():
        return False
    lock = WriterLock(lock_path)
    try:
        free = lock.acquire()
    except OSError:
        return False  # not ours to write: nobody of this machine could deliver it anyway
    lock.release(remove=False)
    return not free


def _sizes(paths: Iterable[Path]) -> Iterable[int]:
    for path in paths:
        with contextlib.suppress(OSError):  # delivered meanwhile
            yield path.stat().st_blocks * 512  # segments are made larger than what is in them
