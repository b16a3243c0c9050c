"""Limits of the configuration that hold in a running service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from quark.records import EventRecord
from quark.service.limits import GuardLimits
from quark.service.record_pages import read_records
from quark.storage.embedded import EmbeddedStore
from quark.storage.model import RecordFilter
from tests.storage.building import batch, create_run, record
from tests.support.service import running_service, service_config


def test_json_is_small_but_documents_may_be_large(tmp_path: Path) -> None:
    config = service_config(tmp_path, guards=GuardLimits(max_json_bytes=10_000))
    with running_service(config) as running:
        headers = {"Authorization": f"Bearer {running.key}"}
        base = f"{running.url}/api/v1/workspaces/-"
        with httpx.Client(trust_env=False, base_url=base, headers=headers, timeout=60) as client:
            client.post("/runs", json={"project": "p", "run_id": "r"}).raise_for_status()
            rows = [{"step": step, "values": {"loss": 0.5}} for step in range(1000)]
            refused = client.post("/runs/r/metrics", json={"rows": rows})
            assert refused.status_code == 413
            assert "10000 bytes" in refused.json()["error"]["message"]
            client.post("/runs/r/metrics", json={"rows": rows[:100]}).raise_for_status()
            change = {"kind": "sweep", "name": "n", "body": {"text": "x" * 50_000}}
            client.post(
                "/documents", json={"name": "large", "changes": [change]}
            ).raise_for_status()


def test_pages_of_large_records_are_cut_by_their_bytes(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path / ".quark")
    try:
        create_run(store)
        for seq in range(1, 61):
            store.append(
                batch(seq, seq, record(seq, step=seq, payload={"seq": seq, "text": "x" * 10**6}))
            )
        parts = store.records.scan("run-1", ["event"])
        sizes = [sum(len(one.body) for one in part) for part in parts]
        assert len(sizes) > 2
        assert max(sizes) < 18_000_000
        page = read_records(store.records, EventRecord, "run-1", RecordFilter(), None)
        assert 30 < len(page.records) < 40
        found: list[Any] = list(page.records)
        while page.next is not None:
            page = read_records(store.records, EventRecord, "run-1", RecordFilter(), page.next)
            found += page.records
        assert [one.payload["seq"] for one in found] == list(range(1, 61))
    finally:
        store.close()
