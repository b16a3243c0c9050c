"""Payloads that a service refused for good: kept beside the outbox, each with the reason.

They are not sent again by themselves, so that those after them go on; who asks for one of them on
this machine still finds it. The service may be told to take more, so
:meth:`RefusedPayloads.put_back` lets them wait in the outbox again.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from quark import jsonio
from quark.storage.folder_blobs import FolderBlobs


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What was set aside for good: its name, why, and where it is now."""

    name: str
    reason: str
    path: Path


class RefusedPayloads:
    """What was set aside in a folder. Several processes may do it at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.blobs = FolderBlobs(folder)

    def set_aside(self, path: Path, reason: str) -> Refusal | None:
        """Take the payload in the file ``path``; None if another process has taken or sent it.

        Raises:
            OSError: The folder cannot be written.
        """
        sha256 = path.name
        place = self._place(sha256)
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.replace(place)
        except FileNotFoundError:
            return None
        self._reason(sha256).write_bytes(jsonio.dumps({"sha256": sha256, "reason": reason}))
        return Refusal(name=f"payload {sha256}", reason=reason, path=place)

    def put_back(self, outbox: Path) -> int:
        """Let all of them wait in ``outbox`` again; return how many those were."""
        count = 0
        for sha256 in sorted(self.blobs.digests()) if self.folder.is_dir() else ():
            place = outbox / self._place(sha256).relative_to(self.folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # another process does the same
                self._place(sha256).replace(place)
                count += 1
            self._reason(sha256).unlink(missing_ok=True)
        remove_empty(self.folder)
        return count

    def _place(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / sha256[2:4] / sha256

    def _reason(self, sha256: str) -> Path:
        return self.folder / f"{sha256}.json"


def remove_empty(folder: Path) -> None:
    """Remove a folder and those below it as far as nothing is in them."""
    for place in sorted(folder.rglob("*"), reverse=True):
        with contextlib.suppress(OSError):
            place.rmdir()
    with contextlib.suppress(OSError):
        folder.rmdir()
