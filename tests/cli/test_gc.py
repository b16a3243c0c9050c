"""What nothing refers to is shown, asked about, and removed; what something does stays."""

from __future__ import annotations

import os
from pathlib import Path

from quark.storage.embedded import EmbeddedStore
from quark.storage.layout import store_root
from tests.support.cli import json_of, logged_run, run_cli


def test_only_what_nothing_refers_to_goes_and_only_when_that_was_said(tmp_path: Path) -> None:
    run_id = logged_run(tmp_path, artifact=b"kept")
    gone = logged_run(tmp_path, artifact=b"of a run that goes" * 1000)
    store = EmbeddedStore(store_root(tmp_path))
    store.blobs.put(b"added and never logged")
    store.records.delete_run(gone)
    store.close()
    here = ("--storage-dir", tmp_path)
    root = store_root(tmp_path)

    def blobs() -> set[bytes]:
        return {blob.read_bytes()[:4] for blob in (root / "blobs").glob("*/*/*")}

    young = run_cli("gc", *here).ok()
    assert "There is nothing to remove" in young.out
    now = (*here, "--grace-hours", "0")
    dry = json_of(run_cli("gc", *now, "--dry-run", "--json"))
    assert dry == {
        "dry_run": True,
        "version_count": 0,
        "payload_count": 2,
        "payload_bytes": 18_000 + 22,
    }
    refused = run_cli("gc", *now, stdin="n\n")
    assert (refused.code, "Remove this?" in refused.err) == (1, True)
    assert "18.0 kB" in refused.out
    assert blobs() == {b"kept", b"of a", b"adde"}

    nobody = run_cli("gc", *now)
    assert (nobody.code, "Nobody answers; pass --yes" in nobody.err) == (1, True)
    assert len(blobs()) == 3

    done = json_of(run_cli("gc", *now, "--yes", "--json"))
    assert (done["payload_count"], done["payload_bytes"]) == (2, 18_022)
    assert blobs() == {b"kept"}
    assert run_cli("verify", run_id, *here).code == 0
    for words in (("--dry-run",), ("--yes",)):
        service = run_cli("gc", "--url", "https://quark.example.com", *words)
        assert (service.code, "quark admin gc" in service.err) == (2, True)
    assert os.listdir(tmp_path) == [".quark"]
