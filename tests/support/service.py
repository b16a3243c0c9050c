"""A real service on a real port, in this process; and stores that speak to it."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
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
    stop: Callable[[], None] = lambda: None  # begin to stop, as the first signal does

    def store(self, storage_dir: str | None = None) -> HttpStore:
        """Return a store of its own, empty unless ``storage_dir`` names one that is not."""
        name = storage_dir or f"test-{next(_numbers)}"
        return HttpStore(ServiceClient(f"{self.url}?storage_dir={name}", self.key))


@contextlib.contextmanager
def running_service(config: ServiceConfig) -> Iterator[RunningService]:
    """Serve until the block ends, on the port that ``config`` names; 0 takes a free one."""
    # A child that hangs is ended before the test gives up.
    seconds = min(config.shutdown_timeout_seconds, 5.0)
    app = create_app(replace(config, shutdown_timeout_seconds=seconds))
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=config.host,
            port=config.port,
            ssl_certfile=config.tls_cert,
            ssl_keyfile=config.tls_key,
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
        scheme = "http" if config.tls_cert is None else "https"
        yield RunningService(
            f"{scheme}://{config.host}:{port}", first_key(app), app.state.service.begin_to_stop
        )
    finally:
        app.state.service.begin_to_stop()  # as a signal does: nobody waits for changes any more
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive(), "the service did not stop"


def service_config(root: Path, **changes: object) -> ServiceConfig:
    """Return a configuration on a free port of this machine."""
    return ServiceConfig(**{"root": root, "port": 0, **changes})  # type: ignore[arg-type]
