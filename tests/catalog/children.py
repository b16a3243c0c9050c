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
from quark.storage import documents
from quark.storage.embedded import EmbeddedStore
from tests.catalog.building import KEY, RUN, log


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


if __name__ == "__main__":
    globals()[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
