"""What the routes of one service share."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from quark.clock import SYSTEM_CLOCK, Clock
from quark.service.config import ServiceConfig
from quark.service.merging import Merging
from quark.service.stores import Stores

if TYPE_CHECKING:
    from fastapi import Request


class ServiceState:
    """The parts of a running service. Owns them."""

    def __init__(self, config: ServiceConfig, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self.config = config
        self.clock = clock
        self.stores = Stores(config)
        self.merging = Merging()
        self.ingest_slots = threading.BoundedSemaphore(config.ingest_queue)

    def start(self) -> None:
        """Begin what goes on in the background."""
        self.merging.start()

    def close(self) -> None:
        """Finish what was begun, and close everything."""
        self.merging.close(self.config.shutdown_timeout_seconds)
        self.stores.close()


def state_of(request: Request) -> ServiceState:
    """Return what the service of a request shares."""
    state: ServiceState = request.app.state.service
    return state
