"""What a sync says of itself: while it goes on, and when it is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncProgress:
    """How far a :func:`quark.sync` is. ``place`` is the folder or the run that it is at."""

    place: str
    done_count: int  # folders of journals, or runs
    total_count: int
    sent_count: int  # frames that were new to the store


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncResult:
    """What a :func:`quark.sync` did. A frame is what one call logged.

    ``waiting`` says of what is still to be delivered why it is; ``refused_count`` frames were
    refused for good and are in ``quarantine`` folders with the reason.
    """

    run_ids: tuple[str, ...] = ()
    sent_count: int = 0
    skipped_count: int = 0  # the store had them already
    payload_count: int = 0
    artifact_count: int = 0  # versions of artifacts, and links to them
    file_count: int = 0  # files of runs' folders that were new there, or had changed
    sweep_document_count: int = 0  # sweeps and trials that were new there, or had changed
    damaged_count: int = 0  # places in journals that cannot be read
    refused_count: int = 0
    waiting: tuple[str, ...] = ()

    def told(self) -> str:
        """Return what was done, in a sentence."""
        count = len(self.run_ids)
        text = f"delivered {self.sent_count:,} records of {count} run{'s' * (count != 1)}"
        if self.artifact_count:
            text += f", {self.artifact_count:,} versions of artifacts"
        if self.file_count:
            text += f", {self.file_count:,} files"
        if self.sweep_document_count:
            text += f", {self.sweep_document_count:,} documents of sweeps"
        if self.payload_count:
            text += f", {self.payload_count:,} payloads"
        if self.skipped_count:
            text += f"; {self.skipped_count:,} were there already"
        if self.damaged_count:
            text += f"; {self.damaged_count} places cannot be read"
        if self.refused_count:
            text += f"; {self.refused_count} were refused and are in quarantine"
        return text + "."

    def plus(self, other: SyncResult) -> SyncResult:
        """Return what both did together."""
        return SyncResult(
            run_ids=tuple(dict.fromkeys([*self.run_ids, *other.run_ids])),
            sent_count=self.sent_count + other.sent_count,
            skipped_count=self.skipped_count + other.skipped_count,
            payload_count=self.payload_count + other.payload_count,
            artifact_count=self.artifact_count + other.artifact_count,
            file_count=self.file_count + other.file_count,
            sweep_document_count=self.sweep_document_count + other.sweep_document_count,
            damaged_count=self.damaged_count + other.damaged_count,
            refused_count=self.refused_count + other.refused_count,
            waiting=(*self.waiting, *other.waiting),
        )


Progress = Callable[[SyncProgress], None]


def counted(progress: Progress, place: str, done: int, total: int, sent: int) -> None:
    """Tell how far it is."""
    progress(SyncProgress(place=place, done_count=done, total_count=total, sent_count=sent))
