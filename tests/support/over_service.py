"""Fixtures that have a test's runs kept by a real service: import them into the test module."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from quark.persistence.http_store import HttpStore
from quark.persistence.service_client import ServiceClient
from quark.storage.protocols import Store
from tests.support.service import RunningService, running_service, service_config
from tests.support.threads import lasting_threads

_numbers = itertools.count(1)


@dataclass
class ServicePlace:
    """A store of its own behind a service, which the variables of the environment name."""

    running: RunningService
    storage_dir: str
    key: str

    @property
    def port(self) -> int:
        """Where the service listens."""
        return int(self.running.url.rpartition(":")[2])

    @property
    def url(self) -> str:
        """What ``QUARK_PERSISTENCE_URL`` is."""
        return self.url_by_way_of(self.running.url)

    def url_by_way_of(self, url: str) -> str:
        """Return the URL of the same store, with a proxy in between."""
        return f"{url}?storage_dir={self.storage_dir}"

    def store(self) -> Store:
        """Return the store, to be closed."""
        return HttpStore(ServiceClient(self.url, self.key))

    def issue_key(self, scope: str = "write") -> tuple[str, str]:
        """Return the id and the text of another key."""
        answer = self._ask("POST", "", {"scope": scope, "label": "test"})
        return answer["key_id"], answer["user_key"]

    def revoke_key(self, key_id: str) -> None:
        """Let a key be refused from now on."""
        self._ask("DELETE", f"/{key_id}", None)

    def _ask(self, method: str, rest: str, body: object) -> dict[str, str]:
        url = f"{self.running.url}/api/v1/workspaces/-/user_keys{rest}"
        headers = {"Authorization": f"Bearer {self.running.key}"}
        answer = httpx.request(method, url, json=body, headers=headers)
        assert answer.is_success, answer.text
        found: dict[str, str] = answer.json()
        return found


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """One service for all tests of the process."""
    config = service_config(tmp_path_factory.mktemp("service"))
    with lasting_threads():
        context = running_service(config)
        service = context.__enter__()
    yield service
    context.__exit__(None, None, None)


@pytest.fixture
def place(running: RunningService) -> ServicePlace:
    """A store of its own; nothing leads there yet."""
    assert running.key is not None
    return ServicePlace(running, f"test-{next(_numbers)}", running.key)


@pytest.fixture
def over_service(
    place: ServicePlace, _isolated: None, monkeypatch: pytest.MonkeyPatch
) -> ServicePlace:
    """Have runs kept there."""
    monkeypatch.setenv("QUARK_PERSISTENCE_URL", place.url)
    monkeypatch.setenv("QUARK_USER_KEY", place.key)
    return place
