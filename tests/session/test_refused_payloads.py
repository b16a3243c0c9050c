"""A payload that a service refuses for good holds up no other, and is not lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import quark
from quark import jsonio
from quark.cli.leftovers import find_leftovers
from quark.errors import PermissionDeniedError
from quark.persistence.http_store import HttpStore
from quark.persistence.service_client import ServiceClient
from quark.pipeline.faults import FaultLog
from quark.session.sending import Sending
from quark.settings import Settings
from tests.support.service import RunningService, running_service, service_config

MOST_BYTES = 300_000


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    config = service_config(
        tmp_path / "service", max_payload_bytes=MOST_BYTES, max_part_bytes=100_000
    )
    with running_service(config) as service:
        yield service


class Machine:
    """A storage directory in which payloads wait for a service."""

    def __init__(self, folder: Path, url: str, key: str | None) -> None:
        self.root = folder / ".quark"
        self.settings = Settings(
            persistence_url=url, user_key=key, storage_dir=str(folder), quiet=True
        )
        self.faults = FaultLog()
        self.store = HttpStore(ServiceClient(url, key), outbox=self.root / "outbox")
        self.sending = Sending(self.root, self.settings, self.faults)

    def keep(self, payloads: list[bytes]) -> list[str]:
        """Have payloads wait, as if the service were away."""
        client = ServiceClient("http://127.0.0.1:9", None)
        away = HttpStore(client, outbox=self.root / "outbox", offline=True)
        digests = [away.blobs.put(payload)[0] for payload in payloads]
        away.close()
        return digests


def test_payloads_that_are_too_large_are_set_aside_and_counted_and_all_others_go_on(
    service: RunningService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{service.url}?storage_dir=refused"
    here = Machine(tmp_path / "here", url, service.key)
    # The last one fits no body that this service takes, and goes in parts.
    small = [*(bytes([number]) * 1000 for number in range(11)), b"p" * 250_000]
    large = [b"l" * (MOST_BYTES + 1), b"m" * (2 * MOST_BYTES)]
    digests = here.keep([*small, *large])

    here.sending.work(here.store)

    assert not (here.root / "outbox").exists()
    assert not here.sending.waits, "what was refused is not sent again and again"
    assert here.faults.counts() == {"a payload was refused and set aside": 2}
    assert str(MOST_BYTES) in next(iter(here.faults.last().values()))
    alone = here.store.service.blobs
    assert [alone.exists(sha256) for sha256 in digests] == [True] * 12 + [False] * 2
    for sha256, payload in zip(digests[12:], large, strict=True):  # who is here reads it still
        with here.store.blobs.open(sha256) as stream:
            assert stream.read() == payload
        reason = (here.root / "outbox-quarantine" / f"{sha256}.json").read_bytes()
        assert " bytes" in jsonio.loads(reason)["reason"]
    found = find_leftovers(here.root)
    assert (found.payload_count, found.refused_payload_count, found.waits) == (0, 2, False)

    # A sync leaves them alone unless it is to try again, and says what came of that.
    monkeypatch.setenv("QUARK_USER_KEY", service.key or "")
    quiet = quark.sync(tmp_path / "here", url=url)
    assert (quiet.refused_count, quiet.waiting) == (0, ())
    again = quark.sync(tmp_path / "here", url=url, quarantined=True)
    assert (again.payload_count, again.refused_count, len(again.waiting)) == (0, 2, 2)
    assert all("outbox-quarantine" in text for text in again.waiting)
    here.store.close()

    with running_service(service_config(tmp_path / "larger")) as larger:
        monkeypatch.setenv("QUARK_USER_KEY", larger.key or "")
        taken = quark.sync(tmp_path / "here", url=larger.url, quarantined=True)
        assert (taken.payload_count, taken.refused_count) == (2, 0)
        store = HttpStore(ServiceClient(larger.url, larger.key))
        assert all(store.blobs.exists(sha256) for sha256 in digests[12:])
        store.close()
    assert not (here.root / "outbox-quarantine").exists()


def test_a_key_that_may_send_nothing_sets_nothing_aside(
    service: RunningService, tmp_path: Path
) -> None:
    store = HttpStore(ServiceClient(service.url, service.key))
    reader = store.http.post("/api/v1/workspaces/-/user_keys", {"scope": "read", "label": "t"})
    store.close()
    here = Machine(tmp_path / "here", service.url, reader["user_key"])
    digests = here.keep([b"one", b"two"])

    here.sending.work(here.store)

    assert isinstance(here.sending.last_error, PermissionDeniedError)
    here.store.close()
    right = Machine(tmp_path / "here", service.url, service.key)
    right.sending.work(right.store)
    assert all(right.store.service.blobs.exists(sha256) for sha256 in digests)
    assert not right.sending.waits
    right.store.close()
