"""Payloads that nothing refers to: what was added and never logged, and what was of deleted runs.

A payload is needed if a version's manifest names it, or that of a version that was deleted a day
ago or later; if any record of any run names it, in whatever field; or if what waits in a run's
journal does. It may also be needed soon: nothing goes that was put, or asked for, within a day, or
since any process began to put together a version that it has not logged yet.

Who that is, only the machine knows that has the store. So a service's stores are collected there,
by ``quark admin gc``, and not by a client. What its clients put together for longer than a day it
knows by their runs: nothing goes that was put since a run began that goes on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from quark.catalog.model import place_of_document
from quark.catalog.reading import PART, REMOVED, VERSION, manifest_of
from quark.catalog.staging import staged_since_us
from quark.clock import SYSTEM_CLOCK, Clock, parse_timestamp
from quark.errors import DamagedFileError, PermissionDeniedError, SchemaValidationError
from quark.records import RECORD_KINDS
from quark.storage.model import RunQuery
from quark.storage.protocols import Store
from quark.storage.run_state import creation_time_us

GRACE_SECONDS = 24 * 3600.0

#: A run that was not heard of for so long has died, whatever it says of itself.
_SILENT_US = 7 * 86_400_000_000
#: By how much the clock of a machine that logs may be ahead.
_CLOCKS_DIFFER_US = 3_600_000_000

_SHA256 = re.compile(rb"[0-9a-f]{64}")
_PIECE_BYTES = 1 << 20

#: What a run's folder holds of records that are not in the store.
_UNSHIPPED = ("journal", "quarantine")


class Garbage(NamedTuple):
    """Payloads by their SHA-256, with their sizes in bytes."""

    payloads: Mapping[str, int]

    @property
    def size_bytes(self) -> int:
        """The size of all of them."""
        return sum(self.payloads.values())


def find_garbage(
    store: Store,
    *,
    grace_seconds: float = GRACE_SECONDS,
    served: bool = False,
    clock: Clock = SYSTEM_CLOCK,
) -> Garbage:
    """Return the payloads that :func:`remove_garbage` would remove.

    Args:
        grace_seconds: How long a payload stays that nothing refers to, counted from when it was
            put or asked for last, and a payload of a version after that was deleted.
        served: Whether the store is a service's, so that other machines put payloads into it.

    Raises:
        DamagedFileError: A run or the manifest of a version cannot be read, so that it is not
            known what it needs.
        SchemaValidationError: ``grace_seconds`` is negative.
        PermissionDeniedError: The store is reached through a service.
    """
    before_us = _oldest_us(store, grace_seconds, clock, served=served)
    return _found(store, before_us, grace_seconds, clock)


def remove_garbage(
    store: Store,
    *,
    grace_seconds: float = GRACE_SECONDS,
    served: bool = False,
    clock: Clock = SYSTEM_CLOCK,
) -> Garbage:
    """Remove the payloads that nothing refers to, and return what was removed.

    Other processes may go on: one that is told that a payload is here keeps it, or is told that it
    is not. This reads the records of every run; once a night is often enough.

    Raises:
        DamagedFileError: As :func:`find_garbage`; then nothing is removed.
        SchemaValidationError: ``grace_seconds`` is negative.
        PermissionDeniedError: The store is reached through a service.
    """
    before_us = _oldest_us(store, grace_seconds, clock, served=served)
    removed = dict[str, int]()
    for sha256 in _found(store, before_us, grace_seconds, clock).payloads:
        size_bytes = store.blobs.remove_unclaimed(sha256, before_us)
        if size_bytes is not None:
            removed[sha256] = size_bytes
    return Garbage(removed)


def check_collectable(store: Store) -> None:
    """Refuse a store that a service keeps, seen from a client of it.

    Raises:
        PermissionDeniedError: It is one.
    """
    if store.target.startswith(("http://", "https://")):
        raise PermissionDeniedError(
            f"Payloads of {store.target} cannot be collected from here: what other machines are "
            "about to refer to is seen on the service's alone. Run 'quark admin gc --root FOLDER' "
            "there."
        )


def _oldest_us(store: Store, grace_seconds: float, clock: Clock, *, served: bool) -> int:
    """Return since when a payload must have been put or claimed to stay."""
    check_collectable(store)
    if not grace_seconds >= 0:
        raise SchemaValidationError(
            f"grace_seconds={grace_seconds!r} must be 0 or more: seconds that a payload stays "
            "after it was asked for last."
        )
    before_us = clock.time_us() - int(grace_seconds * 1_000_000)
    root = _root(store)
    since_us = None if root is None else staged_since_us(root)
    if served:
        since_us = _oldest_run_us(store, clock.time_us() - _SILENT_US, since_us)
    return before_us if since_us is None else min(before_us, since_us)


def _oldest_run_us(store: Store, heard_us: int, oldest_us: int | None) -> int | None:
    """Return when the oldest run began that goes on and was heard of since."""
    for run in store.records.list_runs(RunQuery(status="running", newest_first=False)):
        began_us = creation_time_us(run) - _CLOCKS_DIFFER_US
        if oldest_us is not None and began_us >= oldest_us:
            continue
        heard_of = [stats.last_time_us for stats in store.points.keys(run.id).values()]
        heard_of.append(creation_time_us(replace(run, created_at=run.updated_at)))
        if max(heard_of) >= heard_us:
            oldest_us = began_us
    return oldest_us


def _found(store: Store, before_us: int, grace_seconds: float, clock: Clock) -> Garbage:
    candidates = store.blobs.unclaimed(before_us)
    if candidates:
        deleted_after_us = clock.time_us() - int(grace_seconds * 1_000_000)
        for named in _named(store, deleted_after_us):
            candidates.pop(named, None)
    return Garbage(dict(sorted(candidates.items())))


def _named(store: Store, deleted_after_us: int) -> Iterator[str]:
    """Yield every payload that anything names.

    What moves from one place to another while this looks is found: a record goes from the journal
    into the store, so the journals come first; a version that is deleted leaves a note, so the
    versions come before the notes.
    """
    root = _root(store)
    if root is not None:
        for path in _unshipped(root):
            yield from _digests_in(path)
    yield from _of_versions(store, deleted_after_us)
    kinds = [kind for kind in RECORD_KINDS if kind != "metric"]
    for run_id in sorted(_run_ids(store, root)):
        for part in store.records.scan(run_id, kinds):
            for record in part:
                body: Any = record.body
                text = body if isinstance(body, bytes) else str(body).encode()
                yield from (found.decode() for found in _SHA256.findall(text))


def _of_versions(store: Store, deleted_after_us: int) -> Iterator[str]:
    manifests = dict[str, str]()  # with the document that names each
    for item in store.documents.list(PART):
        manifests.update(dict.fromkeys(item.body["manifests"], item.name))
    for item in store.documents.list(VERSION):
        if "link" not in item.body:
            manifests[item.body["manifest_sha256"]] = item.name
    gone = set[str]()
    for item in store.documents.list(REMOVED):
        if parse_timestamp(item.body["at"]) > deleted_after_us:
            gone.add(item.body["manifest_sha256"])
    yield from manifests.keys() | gone
    for sha256, name in manifests.items():
        try:
            yield from manifest_of(store, sha256).payloads
        except DamagedFileError as error:
            key, index = place_of_document(name)
            raise DamagedFileError(
                f"{error} It is that of {key}:v{index}, so it is not known what that needs, and "
                "nothing is removed. Delete that version, or bring its manifest back."
            ) from error
    for sha256 in gone - manifests.keys():
        try:
            yield from manifest_of(store, sha256).payloads
        except DamagedFileError:
            continue  # it was deleted anyway


def _root(store: Store) -> Path | None:
    """Return the folder of a store that keeps runs in folders on this machine."""
    run_dir = store.run_dir("any")
    return None if run_dir is None else run_dir.parent.parent


def _run_ids(store: Store, root: Path | None) -> set[str]:
    """Return the runs that are there, those among them that the list of runs does not know."""
    found = {run.id for run in store.records.list_runs()}
    if root is not None:
        found.update(path.parent.name for path in root.glob("runs/*/run.db"))
    return found


def _unshipped(root: Path) -> Iterator[Path]:
    for folder in _UNSHIPPED:
        yield from (path for path in root.glob(f"runs/*/{folder}/**/*") if path.is_file())


def _digests_in(path: Path) -> Iterator[str]:
    """Yield what looks like a payload's name in a file, which may be gone by now."""
    try:
        with path.open("rb") as file:
            kept = b""
            while piece := file.read(_PIECE_BYTES):
                text = kept + piece
                yield from (found.decode() for found in _SHA256.findall(text))
                kept = text[-63:]
    except FileNotFoundError:
        return
