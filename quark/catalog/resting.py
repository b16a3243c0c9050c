"""Drafts of versions that a service has not made yet: files that outlive the process.

A draft rests in a file from when its payloads are kept until the service has made a version of it.
Files are named by a number, so that they are delivered in the order in which they came to rest, and
by the draft's id, by which a service knows whether it has made it already. What a service refuses
for good is set aside in ``quarantine/``, with the reason.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quark import jsonio
from quark.catalog.manifest import Manifest
from quark.catalog.model import CollectionKey, Draft, RunRef
from quark.errors import DamagedFileError, SchemaValidationError, SessionStoreError
from quark.storage.incoming import incoming_file, remove_abandoned

QUARANTINE = "quarantine"
_INCOMING = "incoming"
_VERSION = 1
_ATTEMPTS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedLink:
    """A link that is to be made to what comes of the draft ``source``."""

    id: str
    source: str
    key: CollectionKey
    aliases: tuple[str, ...] = ()
    run: RunRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Resting:
    """What a service is to do, and which: the one at ``target``, in a workspace.

    ``wanted`` is a draft, or a link; ``time_us`` when it was logged. The others are as
    :func:`quark.catalog.commit.commit` takes them.
    """

    wanted: Draft | WantedLink
    target: str
    time_us: int
    distributed_id: str | None = None
    finished: bool = True

    @property
    def id(self) -> str:
        assert self.wanted.id is not None
        return self.wanted.id

    @property
    def run(self) -> RunRef:
        assert self.wanted.run is not None
        return self.wanted.run

    def to_json(self) -> bytes:
        """Return it as a file holds it."""
        wanted = self.wanted
        if isinstance(wanted, Draft):
            body = {"kind": "draft", "draft": _plain(wanted)}
        else:
            body = {"kind": "link", "link": _plain_link(wanted)}
        return jsonio.dumps(
            {
                "version": _VERSION,
                "target": self.target,
                "time_us": self.time_us,
                "distributed_id": self.distributed_id,
                "finished": self.finished,
                **body,
            }
        )

    @classmethod
    def from_json(cls, data: bytes) -> Resting:
        """Return what :meth:`to_json` made ``data`` of.

        Raises:
            DamagedFileError: It did not.
        """
        try:
            body = jsonio.loads(data)
            if body["version"] != _VERSION:
                raise DamagedFileError(
                    f"A draft of version {body['version']!r} cannot be read by this version of "
                    f"Quark, which reads {_VERSION}; use a newer one."
                )
            wanted = _draft(body["draft"]) if body["kind"] == "draft" else _link(body["link"])
            return cls(
                wanted=wanted,
                target=body["target"],
                time_us=body["time_us"],
                distributed_id=body["distributed_id"],
                finished=body["finished"],
            )
        except (SchemaValidationError, KeyError, TypeError, AttributeError) as error:
            raise DamagedFileError(f"Not a draft of an artifact: {error}") from error


class RestingDrafts:
    """The drafts in one folder. Several processes may add to it; one at a time delivers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.quarantine = folder / QUARANTINE

    def add(self, resting: Resting) -> Path:
        """Keep a draft, safe from a loss of power, and return its file.

        Raises:
            OSError: It cannot be written.
        """
        data = resting.to_json()
        for _ in range(_ATTEMPTS):
            path = self.folder / f"{self._next_number():012d}-{resting.id}.json"
            with contextlib.suppress(FileNotFoundError):  # another process just tidied up
                _write(self.folder, path, data)
                return path
        raise OSError(f"{self.folder} is removed again and again while a draft is written to it.")

    def paths(self) -> list[Path]:
        """Return the files of what waits, in order."""
        return sorted(self.folder.glob("*.json"))

    def read(self, path: Path) -> Resting:
        """Return what a file holds.

        Raises:
            FileNotFoundError: Another process has delivered it.
            DamagedFileError: It holds no draft.
        """
        return Resting.from_json(path.read_bytes())

    def remove(self, path: Path) -> None:
        """Forget what was delivered."""
        path.unlink(missing_ok=True)

    def set_aside(self, path: Path, reason: str) -> Path:
        """Keep what is refused for good out of the way; return where."""
        place = self.quarantine / path.name
        body = _body(path)
        if body is None:
            self.quarantine.mkdir(exist_ok=True)
            path.rename(place)  # it is kept as it is
            return place
        _write(self.quarantine, place, jsonio.dumps({**body, "reason": reason}))
        path.unlink(missing_ok=True)
        return place

    def why_refused(self, path: Path) -> str | None:
        """Return why what was in a file was set aside; None if it was not."""
        try:
            body = _body(self.quarantine / path.name)
        except FileNotFoundError:
            return None
        return str((body or {}).get("reason", "It cannot be read."))

    def is_refused(self, id: str) -> bool:
        """Say whether the draft with this id was set aside."""
        return any(self.quarantine.glob(f"*-{id}.json"))

    def put_back(self) -> int:
        """Let what was set aside wait again, in its old place; return how many those were."""
        found = sorted(self.quarantine.glob("*.json"))
        for path in found:
            path.rename(self.folder / path.name)
        return len(found)

    @contextlib.contextmanager
    def delivering(self) -> Iterator[bool]:
        """Say whether nobody else delivers, and let nobody else do it meanwhile.

        Raises:
            SessionStoreError: The place cannot be written, so nothing could be removed from it.
        """
        path = _lock_path(self.folder)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise SessionStoreError(
                f"What rests in {self.folder} cannot be delivered: {path} cannot be opened "
                f"({error.strerror}). Make that folder writable, or copy it to one that is."
            ) from error
        try:
            mine = _lock(descriptor)
            try:
                yield mine
            finally:
                if mine:
                    _unlock(descriptor)  # a child that was forked meanwhile has it open, too
        finally:
            os.close(descriptor)

    def tidy(self) -> None:
        """Remove the folder if nothing is in it."""
        for folder in (self.quarantine, self.folder):
            remove_abandoned(folder / _INCOMING)
            for place in (folder / _INCOMING, folder):
                with contextlib.suppress(OSError):
                    place.rmdir()

    def _next_number(self) -> int:
        taken = [*self.folder.glob("*.json"), *self.quarantine.glob("*.json")]
        return 1 + max((_number(path) for path in taken), default=0)


def _write(folder: Path, path: Path, data: bytes) -> None:
    with incoming_file(folder / _INCOMING) as (incoming, file):
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
        incoming.rename(path)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some file systems sync no folders
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _body(path: Path) -> dict[str, Any] | None:
    try:
        body = jsonio.loads(path.read_bytes())
    except SchemaValidationError:
        return None
    return body if isinstance(body, dict) else None


def _number(path: Path) -> int:
    number = path.name.partition("-")[0]
    return int(number) if number.isdigit() else 0


def _lock_path(folder: Path) -> Path:
    return folder.parent / "delivering.lock"


def _lock(descriptor: int) -> bool:
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks; a draft is committed once anyway
    return True


def _unlock(descriptor: int) -> None:
    if sys.platform != "win32":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)


def _plain(draft: Draft) -> dict[str, Any]:
    fields = {name: getattr(draft, name) for name in Draft.__dataclass_fields__}
    return {
        **fields,
        "key": list(draft.key),
        "run": None if draft.run is None else list(draft.run),
        "metadata": dict(draft.metadata),
        "manifest": jsonio.loads(draft.manifest.to_json()),
        "unsynced": [],  # what is at rest survives a loss of power by now
    }


def _draft(body: Mapping[str, Any]) -> Draft:
    return Draft(
        **{
            **body,
            "key": CollectionKey(*body["key"]),
            "manifest": Manifest.from_json(jsonio.dumps(body["manifest"])),
            "aliases": tuple(body["aliases"]),
            "tags": tuple(body["tags"]),
            "run": RunRef(*body["run"]),
            "unsynced": frozenset(),
        }
    )


def _plain_link(link: WantedLink) -> dict[str, Any]:
    return {
        "id": link.id,
        "source": link.source,
        "key": list(link.key),
        "aliases": list(link.aliases),
        "run": list(link.run),
    }


def _link(body: Mapping[str, Any]) -> WantedLink:
    return WantedLink(
        id=body["id"],
        source=body["source"],
        key=CollectionKey(*body["key"]),
        aliases=tuple(body["aliases"]),
        run=RunRef(*body["run"]),
    )
