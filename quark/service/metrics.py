"""What a service counts of itself, for Prometheus. No name of a tenant, a run or a key is a label.

Several worker processes count into files of one folder, and whichever is asked adds them up; that
is how prometheus_client does it, and it reads from the environment where the folder is, when it is
imported.
"""

from __future__ import annotations

import shutil
import tempfile
from typing import TYPE_CHECKING

from quark import __version__
from quark._optional import require
from quark.settings import environment, set_environment_variable

if TYPE_CHECKING:
    from prometheus_client import Counter, Histogram

    from quark.service.state import ServiceState

_FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The counters of one process. Threads may share it."""

    def __init__(self) -> None:
        client = require("prometheus_client", purpose="/metrics")
        self.registry = client.CollectorRegistry()

        def counter(name: str, doc: str, *labels: str) -> Counter:
            found: Counter = client.Counter(f"quark_{name}", doc, labels, registry=self.registry)
            return found

        def histogram(name: str, doc: str, *labels: str) -> Histogram:
            found: Histogram = client.Histogram(
                f"quark_{name}", doc, labels, registry=self.registry, buckets=_SECONDS
            )
            return found

        self.requests = counter("requests", "Answers.", "method", "route", "status")
        self.request_seconds = histogram(
            "request_seconds", "From a request's headers to the end of its answer.", "route"
        )
        self.ingest_batches = counter("ingest_batches", "Batches stored.")
        self.ingest_points = counter("ingest_points", "Points in them.")
        self.ingest_bytes = counter("ingest_bytes", "Bytes of them, as sent.")
        self.ingest_refused = counter("ingest_refused", "Batches not stored.", "reason")
        self.merge_seconds = histogram("merge_seconds", "Packing a run's points.")
        self._gauges = {
            name: client.Gauge(f"quark_{name}", doc, registry=self.registry, multiprocess_mode=mode)
            for name, doc, mode in (
                ("ingest_queue_batches", "Batches that wait or are being stored.", "livesum"),
                ("ingest_queue_bytes", "Bytes of them.", "livesum"),
                ("merge_backlog_points", "Points that wait to be packed.", "livesum"),
                ("open_stores", "Stores that are open.", "livesum"),
                ("faults", "Faults of the background work so far.", "livesum"),
                ("disk_free_bytes", "Free below the root.", "livemin"),
            )
        }
        build = client.Gauge(
            "quark_build_info", "Always 1.", ["version"], registry=self.registry,
            multiprocess_mode="livemax",
        )  # fmt: skip
        build.labels(__version__).set(1)
        self._client = client

    def look(self, state: ServiceState) -> None:
        """Set what is not counted but looked at."""
        for name, value in (
            ("ingest_queue_batches", state.ingest.batches),
            ("ingest_queue_bytes", state.ingest.size_bytes),
            ("merge_backlog_points", state.merging.backlog_points()),
            ("open_stores", state.stores.open_count),
            ("faults", sum(state.faults.counts().values())),
            ("disk_free_bytes", shutil.disk_usage(state.config.root).free),
        ):
            self._gauges[name].set(value)

    def text(self) -> bytes:
        """Return everything as Prometheus reads it."""
        registry = self.registry
        folder = environment((_FOLDER_VARIABLE,)).get(_FOLDER_VARIABLE)
        if folder:
            from prometheus_client.multiprocess import MultiProcessCollector

            registry = self._client.CollectorRegistry()
            MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
        text: bytes = self._client.generate_latest(registry)
        return text


class WorkerMetrics:
    """The folder into which worker processes count, for as long as they run. Owns it."""

    def __enter__(self) -> WorkerMetrics:
        self._folder = tempfile.mkdtemp(prefix="quark-metrics-")
        set_environment_variable(_FOLDER_VARIABLE, self._folder)
        return self

    def __exit__(self, *error: object) -> None:
        set_environment_variable(_FOLDER_VARIABLE, None)
        shutil.rmtree(self._folder, ignore_errors=True)

    def forget(self, pid: int) -> None:
        """Leave out what a process that died showed; what it counted stays."""
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(pid, self._folder)  # type: ignore[no-untyped-call]
