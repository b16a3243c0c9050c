"""A real service on a real port, in this process; and stores that speak to it."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from quark.persistence.http_store import HttpStore
from quark.persistence.service_client import ServiceClient
from quark.service.app import create_app
from quark.service.config import ServiceConfig
from quark.service.guards.protocol import uvicorn_options
from tests.support.identity import first_key

_numbers = itertools.count(1)


@dataclass
class RunningService:
    """A service that answers, and a key for it."""

    url: str
    key: str | None

    def store(self, storage_dir: str | None = None) -> HttpStore:
        """Return a store of its own, empty unless ``storage_dir`` names one that is not."""
        name = storage_dir or f"test-{next(_numbers)}"
        return HttpStore(ServiceClient(f"{self.url}?storage_dir={name}", self.key))


@contextlib.contextmanager
def running_service(config: ServiceConfig) -> Iterator[RunningService]:
    """Serve until the block ends, on the port that ``config`` names; 0 takes a free one."""
    app = create_app(config)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=config.host,
            port=config.port,
            **{**uvicorn_options(config), "timeout_graceful_shutdown": 10},
        )
    )
    thread = threading.Thread(target=server.run, name="test-service", daemon=True)
    thread.start()
    pause = threading.Event()
    while not server.started:
        assert thread.is_alive(), "the service did not start"
        pause.wait(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield RunningService(f"http://{config.host}:{port}", first_key(app))
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive(), "the service did not stop"


def service_config(root: Path, **changes: object) -> ServiceConfig:
    """Return a configuration on a free port of this machine."""
    return ServiceConfig(**{"root": root, "port": 0, **changes})  # type: ignore[arg-type]
