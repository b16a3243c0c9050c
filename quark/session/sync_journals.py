"""Finding journals below a folder, and delivering each to the store that it belongs to."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from quark.clock import SYSTEM_CLOCK
from quark.errors import RunNotFoundError, SessionStoreError
from quark.persistence.open import is_service_url, open_store, with_own_workspace
from quark.pipeline.frames import SegmentMeta
from quark.pipeline.quarantine import QUARANTINE, deliver_quarantined
from quark.pipeline.recovery import deliver_leftovers, find_writers, segment_meta
from quark.session.sync_result import Progress, SyncResult, counted
from quark.settings import Settings
from quark.storage.layout import (
    DRAFTS,
    OUTBOX,
    REFUSED,
    STORE_FOLDER,
    drafts_path,
    outbox_path,
    refused_path,
    run_db_path,
)

if TYPE_CHECKING:
    from quark.storage.protocols import Store

_SEGMENTS = ".qj"
#: How long another process that delivers the same is waited for, and how often it is looked.
_BUSY_SECONDS, _LOOK_SECONDS = 30.0, 0.05
#: Folders that may be large and hold no journals.
_PASSED_OVER = frozenset({"blobs", ".git", "__pycache__", "node_modules"})


def sync_journals(
    folder: Path, settings: Settings, *, chosen: bool, quarantined: bool, progress: Progress
) -> SyncResult:
    """Deliver every journal below ``folder``; all to the store of ``settings`` if ``chosen``.

    Raises:
        SessionStoreError: A store does not answer.
    """
    found = list(_journals(folder, quarantined=quarantined))
    result = SyncResult()
    stores = _Stores(settings, chosen=chosen)
    try:
        for index, journal_dir in enumerate(found):
            part = _deliver(journal_dir, stores, chosen=chosen)
            result = result.plus(part)
            counted(progress, str(journal_dir), index + 1, len(found), result.sent_count)
        waiting = _Waiting(stores, settings, chosen=chosen, quarantined=quarantined)
        for root in _roots(folder):
            result = result.plus(waiting.send(root))
        return result
    finally:
        stores.close()


def _deliver(journal_dir: Path, stores: _Stores, *, chosen: bool) -> SyncResult:
    metas = (segment_meta(files.segments[0]) for files in find_writers(journal_dir))
    meta = next((meta for meta in metas if meta is not None), None)
    if meta is None:
        damaged = sum(1 for _ in journal_dir.glob(f"*{_SEGMENTS}"))
        return SyncResult(damaged_count=damaged)
    try:
        store = stores.of(journal_dir, meta)
        if journal_dir.name == QUARANTINE:
            outcome = deliver_quarantined(store, journal_dir)
        else:
            outcome = deliver_leftovers(store, journal_dir, living_too=True, any_target=chosen)
    except (RunNotFoundError, _NoStoreError) as error:
        return SyncResult(waiting=(str(error),))
    return SyncResult(
        run_ids=outcome.run_ids,
        sent_count=outcome.frames - outcome.refused,
        skipped_count=outcome.known_frames,
        damaged_count=outcome.damaged,
        refused_count=outcome.refused,
        waiting=outcome.waiting,
    )


def _roots(folder: Path) -> list[Path]:
    """Return the folders of stores below ``folder`` in which something waits for a service."""
    return [
        Path(place)
        for place, names, _ in _walk(folder)
        if Path(place).name == STORE_FOLDER and not {OUTBOX, REFUSED, DRAFTS}.isdisjoint(names)
    ]


class _Waiting:
    """Sends drafts of versions, and payloads, that wait for a service."""

    def __init__(
        self, stores: _Stores, settings: Settings, *, chosen: bool, quarantined: bool
    ) -> None:
        self._stores = stores
        self._settings = settings
        self._chosen = chosen
        self._quarantined = quarantined

    def send(self, root: Path) -> SyncResult:
        """Send what waits in one folder.

        Raises:
            SessionStoreError: The service does not take it now.
        """
        from quark.catalog.resting import RestingDrafts
        from quark.persistence.draft_delivery import Delivered, deliver_drafts
        from quark.persistence.http_store import HttpStore
        from quark.persistence.outbox import OutboxBlobs
        from quark.persistence.refused_payloads import RefusedPayloads

        resting, outbox = RestingDrafts(drafts_path(root)), outbox_path(root)
        if self._quarantined:
            resting.put_back()
            RefusedPayloads(refused_path(root)).put_back(outbox)
        elif not (outbox.is_dir() or resting.paths()):
            return SyncResult()  # there is only what was set aside
        if not is_service_url(self._settings.persistence_url):
            place = outbox if outbox.is_dir() else resting.folder
            return SyncResult(
                waiting=(
                    f"{place} is for a service; set QUARK_PERSISTENCE_URL and QUARK_USER_KEY, or "
                    "pass url= and user_key=.",
                )
            )
        store = self._stores.configured()
        assert isinstance(store, HttpStore)
        done = Delivered(busy=True)
        deadline, pause = SYSTEM_CLOCK.monotonic() + _BUSY_SECONDS, threading.Event()
        while done.busy and SYSTEM_CLOCK.monotonic() < deadline:
            done = deliver_drafts(store, root, any_target=self._chosen)
            pause.wait(_LOOK_SECONDS * done.busy)
        waiting = (*done.foreign, *done.waiting)
        if done.busy:
            waiting = (f"Another process delivers what is in {resting.folder}.",)
        sent = OutboxBlobs(store.payloads, outbox).deliver()
        refusals = [
            *((f"The artifact {one.name}", one) for one in done.refusals),
            *((f"The {one.name}", one) for one in sent.refusals),
        ]
        refused = (
            f"{name} was refused: {one.reason} It is kept in {one.path}." for name, one in refusals
        )
        return SyncResult(
            payload_count=sent.count,
            artifact_count=done.count,
            refused_count=len(refusals),
            waiting=(*waiting, *refused),
        )


class _NoStoreError(SessionStoreError):
    """It is not known where a journal belongs."""


class _Stores:
    """The stores that journals go to, opened when they are needed. Owns them."""

    def __init__(self, settings: Settings, *, chosen: bool) -> None:
        self._settings = settings
        self._chosen = chosen
        self._open: dict[str | None, Store] = {}

    def of(self, journal_dir: Path, meta: SegmentMeta) -> Store:
        """Return the store that a journal belongs to.

        Raises:
            SessionStoreError: It does not answer, or is not known.
        """
        root = _store_root(journal_dir)
        if root is not None and run_db_path(root, meta.run_id).exists():
            return self._embedded(root)
        if self._chosen:
            return self.configured()
        if not meta.store_target.startswith("http"):
            if root is not None:
                return self._embedded(root)
            if not is_service_url(self._settings.persistence_url):
                return self.configured()
            raise _NoStoreError(
                f"{journal_dir} was logged for {meta.store_target or 'an embedded store'} and is "
                "not below one; say with url= where it is to go."
            )
        if is_service_url(self._settings.persistence_url):
            return self.configured()
        raise _NoStoreError(
            f"{journal_dir} was logged for {meta.store_target}; set QUARK_PERSISTENCE_URL and "
            "QUARK_USER_KEY, or pass url= and user_key=."
        )

    def close(self) -> None:
        """Close what was opened."""
        for store in self._open.values():
            store.close()

    def _embedded(self, root: Path) -> Store:
        settings = replace(self._settings, persistence_url=None, storage_dir=str(root.parent))
        if str(root) not in self._open:
            self._open[str(root)] = open_store(settings)
        return self._open[str(root)]

    def configured(self) -> Store:
        """Return the store that the settings name."""
        if None not in self._open:
            self._open[None] = open_store(with_own_workspace(self._settings))
        return self._open[None]


def _journals(folder: Path, *, quarantined: bool) -> Iterator[Path]:
    for place, _, files in _walk(folder):
        is_quarantine = os.path.basename(place) == QUARANTINE
        if any(name.endswith(_SEGMENTS) for name in files) and (quarantined or not is_quarantine):
            yield Path(place)


def _walk(folder: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    for place, names, files in os.walk(folder):
        names[:] = sorted(name for name in names if name not in _PASSED_OVER)
        yield place, list(names), files


def _store_root(journal_dir: Path) -> Path | None:
    """Return the root of the embedded store that a journal lies in, if it does."""
    root = journal_dir.parent.parent.parent
    is_there = root.name == STORE_FOLDER and journal_dir.parent.parent.name == "runs"
    return root if is_there else None
