"""``quark admin gc`` on a service that goes on meanwhile."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from hashlib import sha256 as new_sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from quark.catalog.commit import commit
from quark.catalog.manifest import Manifest, ManifestEntry
from quark.catalog.model import CollectionKey, Draft
from quark.cli.main import EXIT_FAILED, EXIT_OK, cli
from quark.clock import SYSTEM_CLOCK, format_timestamp
from quark.persistence.http_store import HttpStore
from quark.service.config import ServiceConfig
from quark.service.identity.engine import Identity
from quark.service.stores import Stores
from tests.storage.building import create_run
from tests.support.service import RunningService, running_service, service_config
from tests.support.threads import lasting_threads

MIB = 1 << 20
LARGE = bytes(range(256)) * (20 * MIB // 256)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="module")
def service(root: Path) -> Iterator[RunningService]:
    with lasting_threads():
        running = running_service(service_config(root))
        service = running.__enter__()
    yield service
    running.__exit__(None, None, None)


def gc(root: Path, *words: str, code: int = EXIT_OK, answer: str | None = None) -> str:
    done = CliRunner().invoke(cli, ["admin", "gc", "--root", str(root), *words], input=answer)
    assert done.exit_code == code, done.output
    return f"{done.stdout}{done.stderr if code else ''}{done.exception or ''}"


def rows(root: Path, *words: str) -> dict[str, dict[str, Any]]:
    told = json.loads(gc(root, "--json", "--yes", *words))
    return {row["storage_dir"]: row for row in told["stores"]}


def age(root: Path, hours: float = 48.0) -> None:
    """Let everything that rests be that old."""
    then = SYSTEM_CLOCK.time_us() / 1e6 - hours * 3600
    for path in root.rglob("*"):
        if path.is_file() and "blobs" in path.parts:
            os.utime(path, (then, then))


def version(store: HttpStore, text: bytes, **more: Any) -> str:
    sha256, size_bytes = store.blobs.put(text)
    entry = ManifestEntry(path="a", digest=sha256[:8], size_bytes=size_bytes, sha256=sha256)
    key = CollectionKey("local", "p", text.decode())
    made = commit(store, Draft(key=key, type="x", manifest=Manifest({"a": entry}), **more))
    assert made is not None
    return sha256


def test_what_nothing_refers_to_goes_and_what_is_on_its_way_stays(
    service: RunningService, root: Path
) -> None:
    first, second = service.store("vision/2026"), service.store("other")
    kept = version(first, b"kept")
    version(first, b"outlived", ttl_seconds=1_000, ttl_inherited=False)
    garbage, others = first.blobs.put(b"garbage")[0], second.blobs.put(b"of another store")[0]
    age(root)
    claimed = first.blobs.put(b"asked for again")[0]
    age(root)
    assert first.blobs.claim_all([claimed]) == {claimed}
    upload = _begin(first, LARGE)
    _send_part(first, upload, 0)

    told = gc(root, "--dry-run")
    assert "local/vision/2026: 1 payloads" in told
    assert "In all 2 payloads" in told
    assert first.blobs.exists(garbage)
    assert "Aborted" in gc(root, answer="n\n", code=EXIT_FAILED)
    assert first.blobs.exists(garbage)
    removed = rows(root, "--workspace", "local")

    assert {name: row["payload_count"] for name, row in removed.items()} == {
        "vision/2026": 1, "other": 1,
    }  # fmt: skip
    assert not first.blobs.exists(garbage)
    assert not second.blobs.exists(others)
    assert first.blobs.claim_all([kept, claimed]) == {kept, claimed}
    for number in (1, 2):
        _send_part(first, upload, number)
    first.http.request("POST", first.http.path("uploads", upload["upload_id"], "complete"))
    digest = new_sha256(LARGE).hexdigest()
    assert rows(root)["vision/2026"]["payload_count"] == 0
    assert first.blobs.exists(digest), "it has just come"
    age(root)
    assert rows(root)["vision/2026"]["payload_count"] == 2, "a day later nothing refers to them"
    assert not first.blobs.exists(digest)
    assert first.blobs.exists(kept)
    _assert_audited(root, garbage_runs=3)
    first.close()
    second.close()


def test_what_a_living_run_is_putting_together_stays_and_damage_is_told(
    service: RunningService, root: Path
) -> None:
    store, damaged = service.store("living"), service.store("damaged")
    began = format_timestamp(SYSTEM_CLOCK.time_us() - 3 * 86_400_000_000)
    create_run(store, created_at=began, updated_at=began)
    coming = store.blobs.put(b"logged at the end of the run")[0]
    damaged_store = version(damaged, b"damaged")
    age(root)
    for path in (root / "workspaces" / "local" / "stores" / "damaged").rglob("blobs/??/??/*"):
        if path.name != damaged_store:
            path.unlink()  # the manifest

    told = gc(root, "--yes", code=EXIT_FAILED)

    assert "local/damaged: nothing is removed" in told
    assert "1 of" in told
    assert store.blobs.exists(coming)
    assert damaged.blobs.exists(damaged_store)
    assert "nobody" in gc(root, "--workspace", "nobody", code=EXIT_FAILED)
    assert "x>=1" in gc(root, "--grace-hours", "0.5", code=2)
    store.close()
    damaged.close()


def _begin(store: HttpStore, payload: bytes) -> dict[str, Any]:
    wanted = {"sha256": new_sha256(payload).hexdigest(), "size_bytes": len(payload)}
    found: dict[str, Any] = store.http.post(store.http.path("uploads"), wanted)
    return found


def _send_part(store: HttpStore, upload: dict[str, Any], number: int) -> None:
    start = number * upload["part_bytes"]
    path = store.http.path("uploads", upload["upload_id"], "parts", str(number))
    part = LARGE[start : start + upload["part_bytes"]]
    with store.http.stream("PUT", path, content=part) as answer:
        answer.read()


def _assert_audited(root: Path, garbage_runs: int) -> None:
    stores = Stores(ServiceConfig(root=root))
    entries = Identity(stores.control).audit.page("local").entries
    stores.close()
    mine = [entry for entry in entries if entry.action == "payload.collect"]
    assert len(mine) == 2 * garbage_runs
    assert all(entry.by.user.startswith("local:") for entry in mine)
    assert {entry.detail["storage_dir"] for entry in mine} == {"vision/2026", "other"}
