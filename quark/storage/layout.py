"""Where things are inside an embedded store.

::

    <storage_dir>/.quark/
      index.db                 list of projects and runs; can be rebuilt from the run folders
      documents.db             what belongs to no single run: versions of artifacts, sweeps
      known_files.db           digests of files that were read before: see quark.catalog
      opening.lock             held for a moment by processes that open a run together
      blobs/ab/cd/<sha256>     payloads
      outbox/                  payloads that a service has not got yet
      outbox-quarantine/       those that it refused for good, with the reasons
      drafts/                  versions of artifacts that a service has not made yet
      staging/                 held by processes that put versions of artifacts together
      sweeps/                  held by agents of sweeps for as long as they live
      runs/<run_id>/
        run.db                 records and points of the run
        journal/               what has not been stored yet
        files/                 files that belong to the run
        shared                 empty; there if processes other than the owner wrote into the run
"""

from __future__ import annotations

from pathlib import Path

STORE_FOLDER = ".quark"
OUTBOX = "outbox"
REFUSED = "outbox-quarantine"
DRAFTS = "drafts"


def store_root(storage_dir: Path) -> Path:
    """Return the root of the store that belongs to a storage directory."""
    return storage_dir / STORE_FOLDER


def storage_dir(root: Path) -> Path:
    """Return the storage directory of a store's root; a root of another name is its own."""
    return root.parent if root.name == STORE_FOLDER else root


def index_path(root: Path) -> Path:
    return root / "index.db"


def documents_path(root: Path) -> Path:
    return root / "documents.db"


def blobs_path(root: Path) -> Path:
    return root / "blobs"


def outbox_path(root: Path) -> Path:
    return root / OUTBOX


def refused_path(root: Path) -> Path:
    return root / REFUSED


def drafts_path(root: Path) -> Path:
    return root / DRAFTS


def run_path(root: Path, run_id: str) -> Path:
    return root / "runs" / run_id


def run_db_path(root: Path, run_id: str) -> Path:
    return run_path(root, run_id) / "run.db"


def journal_path(root: Path, run_id: str) -> Path:
    return run_path(root, run_id) / "journal"


def shared_mark_path(root: Path, run_id: str) -> Path:
    return run_path(root, run_id) / "shared"


def opening_lock_path(root: Path) -> Path:
    return root / "opening.lock"


def relative_run_path(run_id: str) -> str:
    """Return what ``RunRecord.run_path`` holds: relative to the storage directory."""
    return f"{STORE_FOLDER}/runs/{run_id}"
