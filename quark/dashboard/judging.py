"""Judging a run because somebody asks a page for it: in a process of its own, with bounds.

What a reader would get wrong: the thread of the view waits for that process, so only a few may run
at once; who comes while they do is told to come again.
"""

from __future__ import annotations

import contextlib
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from quark import errors, ids, jsonio
from quark._own_python import own_python
from quark.errors import QuarkError, SessionStoreError
from quark.storage.layout import storage_dir

if TYPE_CHECKING:
    from quark.storage.protocols import Store

#: Judgements that may go on at once, by all dashboards of this process.
MAX_AT_ONCE = 2
TIMEOUT_SECONDS = 300.0
MEMORY_BYTES = 4 << 30
_COMMAND = own_python("quark.dashboard.judging_child")
_EMBEDDED = "file:"

_lock = threading.Lock()
_judged: set[tuple[str, str]] = set()


class Judge(Protocol):
    """Has runs of one store analysed. Its methods wait, and are called on a thread of a view."""

    def judge(self, run_id: str) -> dict[str, Any]:
        """Analyse a run, keep the outcome in it, and return it in short.

        Raises:
            RunNotFoundError: There is no such run.
            SessionStoreError: It cannot be done, or not now.
        """
        ...

    def is_judging(self, run_id: str) -> bool:
        """Say whether that goes on now."""
        ...


class ChildJudge:
    """Judges runs of a store that is in a folder of this machine.

    Args:
        timeout_seconds: After how long a judgement is ended.
        memory_bytes: How much it may ask for.
    """

    def __init__(
        self,
        store: Store,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        self._store = store
        self._timeout_seconds = timeout_seconds
        self._memory_bytes = memory_bytes

    def judge(self, run_id: str) -> dict[str, Any]:
        """Judge a run in a process of its own; see :class:`Judge`."""
        target = self._store.target
        root = Path(target.removeprefix(_EMBEDDED))
        if not target.startswith(_EMBEDDED) or storage_dir(root) == root:
            raise SessionStoreError(
                f"Runs in {target} are not judged from here; ask its service, or analyse the run "
                "with quark.AnalyzerEngine."
            )
        self._store.records.get_run(run_id)
        told = {
            "storage_dir": str(storage_dir(root)),
            "run_id": run_id,
            "job_id": ids.random_id(12),
            "memory_bytes": self._memory_bytes,
        }
        place = (target, run_id)
        with _lock:
            if place in _judged:
                raise SessionStoreError(f"Run {run_id!r} is being judged already; wait for it.")
            if len(_judged) >= MAX_AT_ONCE:
                raise SessionStoreError(
                    f"{MAX_AT_ONCE} runs are being judged, which is as many as this dashboard "
                    "judges at once; try again when one of them is done."
                )
            _judged.add(place)
        try:
            return self._answer(told)
        finally:
            with _lock:
                _judged.discard(place)

    def is_judging(self, run_id: str) -> bool:
        """Say whether a process judges the run now."""
        with _lock:
            return (self._store.target, run_id) in _judged

    def _answer(self, told: dict[str, Any]) -> dict[str, Any]:
        try:
            child = subprocess.Popen(_COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except OSError as error:
            raise SessionStoreError(f"No process can be started for it: {error}.") from error
        try:
            said, _ = child.communicate(jsonio.dumps(told), timeout=self._timeout_seconds)
        except subprocess.TimeoutExpired:
            raise SessionStoreError(
                f"It took longer than {self._timeout_seconds:g} s, which is all that the "
                "dashboard lets a judgement take. quark.AnalyzerEngine has no such limit."
            ) from None
        finally:
            child.kill()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):  # what it did not read is of no use
                        pipe.close()
            child.wait()
        if child.returncode != 0 or not said:
            raise SessionStoreError(
                f"The process that judged it ended with code {child.returncode}: it may have "
                f"needed more than {self._memory_bytes >> 20} MiB of memory."
            )
        answered: dict[str, Any] = jsonio.loads(said)
        failure = answered.get("error")
        if failure is not None:
            kind = getattr(errors, failure["type"], SessionStoreError)
            raise (
                kind(failure["message"])
                if issubclass(kind, QuarkError)
                else SessionStoreError(failure["message"])
            )
        result: dict[str, Any] = answered["result"]
        return result
