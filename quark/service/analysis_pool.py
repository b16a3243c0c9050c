"""Does analyses in worker processes: only so many at once, each within its time and memory."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from quark import jsonio
from quark._own_memory import EXIT_NO_MEMORY
from quark._own_python import own_python
from quark.clock import Clock
from quark.errors import QuarkError, SchemaValidationError, SessionStoreError
from quark.pipeline.faults import FaultLog
from quark.pipeline.worker import BackgroundWorker
from quark.service.analysis_jobs import Jobs
from quark.service.config import MIB, ServiceConfig
from quark.service.ingest import PutOffError, RunPlace
from quark.storage.protocols import Store

_ENGINES = ("db_url", "points_url", "blobs_url")
_LOOK_SECONDS = 60.0
_COMMAND = own_python("quark.service.analysis_worker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job that waits: its document, its run, and what its process is told."""

    kind: str
    name: str
    place: RunPlace
    store: Store
    task: dict[str, Any]


class AnalysisPool:
    """Starts processes for jobs, ends those that take too long, and notes what became of them.

    Owns its threads, one for each process that may run at once, and the processes.
    """

    def __init__(
        self,
        config: ServiceConfig,
        clock: Clock,
        *,
        faults: FaultLog,
        on_end: Callable[[RunPlace], None],
        command: tuple[str, ...] = _COMMAND,
    ) -> None:
        self._config = config
        self._clock = clock
        self._on_end = on_end
        self._command = command
        self._lock = threading.Lock()
        self._waiting: deque[Job] = deque()
        self._children: set[subprocess.Popen[bytes]] = set()
        self._closing = False
        self._workers = [
            BackgroundWorker(
                self._work,
                name=f"quark-analysis-{n}",
                interval_seconds=_LOOK_SECONDS,
                faults=faults,
            )
            for n in range(config.analysis_workers)
        ]

    def jobs(self, store: Store) -> Jobs:
        """Return the jobs of a store."""
        turns = 2 + len(self._waiting) / self._config.analysis_workers
        lease_seconds = self._config.analysis_timeout_seconds * turns + 60
        return Jobs(store, self._clock, int(lease_seconds * 1e6))

    def check_room(self) -> None:
        """Refuse a job for which there is no room.

        Raises:
            SessionStoreError: Too many wait; come again later.
        """
        if self._closing or len(self._waiting) >= self._config.analysis_queue:
            raise PutOffError(
                "analyses",
                f"{len(self._waiting)} analyses wait, which is as many as this service lets wait.",
                seconds=10.0,
            )

    def submit(self, job: Job) -> None:
        """Have a job done, whose document is there, when its turn comes."""
        with self._lock:
            self._waiting.append(job)
        for worker in self._workers:
            worker.wake()

    def close(self, timeout_seconds: float) -> None:
        """End what runs and drop what waits; their documents say so."""
        with self._lock:
            self._closing = True
            dropped = list(self._waiting)
            self._waiting.clear()
            children = list(self._children)
        for child in children:
            child.kill()
        for worker in self._workers:
            worker.close(timeout_seconds)
        for job in dropped:
            self._end(job, reason="The service stopped before its turn came. Ask again.")

    def _work(self) -> None:
        while True:
            with self._lock:
                if self._closing or not self._waiting:
                    return
                job = self._waiting.popleft()
            self._do(job)

    def _do(self, job: Job) -> None:
        try:
            self.jobs(job.store).running(job.kind, job.name)
            answered = self._answer(job)
        except QuarkError as error:
            self._end(job, reason=str(error))
            return
        failure = answered.get("error")
        if failure is not None:
            self._end(job, reason=f"{failure['type']}: {failure['message']}")
        else:
            self._end(job, result=answered["result"])

    def _answer(self, job: Job) -> dict[str, Any]:
        """Have a process of its own do a job.

        Raises:
            SessionStoreError: It was ended, or ended itself, without an answer.
        """
        told = {
            "root": str(self._config.root),
            "engines": {name: getattr(self._config, name) for name in _ENGINES},
            "place": [job.place.workspace, job.place.storage_dir],
            "task": job.task,
            "memory_bytes": self._config.analysis_memory_bytes,
        }
        seconds = self._config.analysis_timeout_seconds
        try:
            child = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except OSError as error:
            raise SessionStoreError(f"No process can be started for it: {error}.") from error
        with self._lock:
            self._children.add(child)
            if self._closing:
                child.kill()
        try:
            said, _ = child.communicate(jsonio.dumps(told), timeout=seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
            raise SessionStoreError(
                f"It took longer than {seconds:g} s, which is all that this service lets an "
                "analysis take."
            ) from None
        finally:
            with self._lock:
                self._children.discard(child)
        return self._answered(child.returncode, said)

    def _answered(self, code: int, said: bytes) -> dict[str, Any]:
        if self._closing and code != 0:
            raise SessionStoreError("The service stopped meanwhile. Ask again.")
        if code == EXIT_NO_MEMORY:
            raise SessionStoreError(
                f"It needed more than {self._config.analysis_memory_bytes // MIB} MiB of memory, "
                "which is all that this service lets an analysis have (analysis_memory_bytes)."
            )
        try:
            answered: dict[str, Any] = jsonio.loads(said)
        except SchemaValidationError:
            raise SessionStoreError(f"Its process ended with {code} and no answer.") from None
        return answered

    def _end(self, job: Job, *, result: Any = None, reason: str | None = None) -> None:
        jobs = self.jobs(job.store)
        try:
            jobs.ended(job.kind, job.name, result=result, reason=reason)
        except SchemaValidationError as error:  # the result is too large for a document
            jobs.ended(job.kind, job.name, reason=str(error))
        except SessionStoreError:
            with contextlib.suppress(SessionStoreError):  # it counts as lost when its time is over
                jobs.ended(job.kind, job.name, result=result, reason=reason)
        self._on_end(job.place)
