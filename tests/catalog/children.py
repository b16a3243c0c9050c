"""What the tests run in processes of their own: ``python -m tests.catalog.children NAME ROOT ...``.

Each function prints a line when it has come to the point that its test waits for.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from quark.catalog.adding import FileTaker
from quark.catalog.commit import commit
from quark.catalog.manifest import Manifest
from quark.catalog.model import Draft
from quark.catalog.reading import read_manifest
from quark.catalog.removal import delete_version
from quark.catalog.staging import staging_in
from quark.storage import documents
from quark.storage.embedded import EmbeddedStore
from tests.catalog.building import KEY, RUN, log, manifest


def say(word: object) -> None:
    print(word, flush=True)


def log_many(root: Path, name: str, count: str) -> None:
    """Log so many versions into one collection, each with content of its own."""
    store = EmbeddedStore(root)
    for number in range(int(count)):
        say(log(store, {"a": f"{name} {number}"}, aliases=(f"{name}-last",)).index)
    store.close()


def hang_before_commit(root: Path, folder: str) -> None:
    """Add a folder, and stop for ever where the documents would be written."""
    store = EmbeddedStore(root)
    with FileTaker(store.blobs, root) as taker:
        files = [(path.name, path) for path in sorted(Path(folder).iterdir())]
        entries = {entry.path: entry for entry in taker.take_all(files)}

    def hang(change: documents.DocumentChange) -> bytes | None:
        say("inside")
        signal.pause()
        return None

    from quark.storage import embedded_documents

    embedded_documents.encoded = hang  # type: ignore[attr-defined]
    draft = Draft(key=KEY, type="dataset", manifest=Manifest(entries), run=RUN)
    commit(store, draft)


def log_and_delete(root: Path, name: str, count: str) -> None:
    """Log the same files again and again, and delete each version; say how many were whole."""
    store = EmbeddedStore(root)
    whole = 0
    for number in range(int(count)):
        staging = staging_in(root)
        draft = manifest(store, a="always the same", b=f"one of three: {number % 3}")
        version = commit(store, Draft(key=KEY._replace(name=name), type="x", manifest=draft))
        assert version is not None
        found = read_manifest(store, version).payloads
        whole += all(store.blobs.exists(sha256) for sha256 in found)
        del staging
        delete_version(store, version, with_aliases=True)
    store.close()
    say(whole)


def add_and_wait(root: Path, text: str) -> None:
    """Put a payload, and log it when a line comes in."""
    store = EmbeddedStore(root)
    staging = staging_in(root)
    draft = manifest(store, a=text)
    say(next(iter(draft.payloads)))
    sys.stdin.readline()
    version = commit(store, Draft(key=KEY, type="dataset", manifest=draft))
    assert version is not None
    assert staging is not None
    say(version.name)
    store.close()


if __name__ == "__main__":
    globals()[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
