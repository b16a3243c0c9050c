"""What the routes of one service share."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from quark.clock import SYSTEM_CLOCK, Clock
from quark.pipeline.faults import FaultLog
from quark.service.analysis_pool import AnalysisPool
from quark.service.config import ServiceConfig
from quark.service.housekeeping import Housekeeping
from quark.service.identity.engine import Identity
from quark.service.ingest import IngestQueue
from quark.service.ingest_store import BatchIntake
from quark.service.live import KeyCounts
from quark.service.live_waiting import LiveWaiting
from quark.service.logs import JsonLog
from quark.service.merge_child import MergeChild
from quark.service.merging import Merging, mergers
from quark.service.metrics import Metrics
from quark.service.pages_views import HeavyViews
from quark.service.readiness import Readiness
from quark.service.reading import Reading
from quark.service.stores import Stores

if TYPE_CHECKING:
    from fastapi import Request


#: What ending takes at most after the last request, merges under way included: a merge that is
#: ended is one transaction, done or never begun. systemd is told 60 s for all of a stop.
_CLOSING_SECONDS = 8.0
_READS_SECONDS = 1.0


class ServiceState:
    """The parts of a running service. Owns them."""

    def __init__(self, config: ServiceConfig, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self.config = config
        self.clock = clock
        self.log = JsonLog(clock=clock)
        self.stores = Stores(config)
        self.identity = Identity(
            self.stores.control, clock, audit_retention_days=config.audit_retention_days
        )
        self.stopping = threading.Event()  # what waits for changes answers now
        self.faults = FaultLog()
        self.metrics = Metrics()
        self.merging = Merging(
            mergers(config.merge_processes, lambda: MergeChild(config)),
            faults=self.faults,
            observe=self.metrics.merge_seconds.observe,
        )
        self.reading = Reading(
            config,
            faults=self.faults,
            backlog_points=self.merging.backlog_points,
            clock=clock,
        )
        self.views = HeavyViews(config)
        self.intake = BatchIntake(config, self.merging, self.metrics)
        self.ingest = IngestQueue(
            max_batches=config.ingest_queue,
            max_bytes=config.ingest_queue_bytes,
            threads=config.ingest_threads,
        )
        self.live = LiveWaiting(clock)
        self.key_counts = KeyCounts()
        self.analyses = AnalysisPool(config, clock, faults=self.faults, on_end=self.live.touched)
        self.readiness = Readiness(self)
        self.housekeeping = Housekeeping(self)

    def start(self) -> None:
        """Begin what goes on in the background."""
        self.housekeeping.start()
        self.merging.start()

    def begin_to_stop(self) -> None:
        """Answer whoever waits for changes. Any thread may say so, and signal handlers."""
        self.stopping.set()
        self.live.end()

    def close(self) -> None:
        """Finish what was begun, and close everything."""
        self.begin_to_stop()
        most = min(self.config.shutdown_timeout_seconds, _CLOSING_SECONDS)
        deadline = SYSTEM_CLOCK.monotonic() + most

        def left(at_most: float = most) -> float:
            return max(0.1, min(at_most, deadline - SYSTEM_CLOCK.monotonic()))

        # Requests had their time: whoever still waits for a read or a judgement is not there.
        self.reading.close(left(_READS_SECONDS))
        self.views.close(left(_READS_SECONDS))
        self.analyses.close(left())
        self.merging.close(left())
        self.housekeeping.close(left())
        self.stores.close()


def state_of(request: Request) -> ServiceState:
    """Return what the service of a request shares."""
    state: ServiceState = request.app.state.service
    return state
