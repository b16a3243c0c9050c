"""A process that packs points, and this process's end of it."""

from __future__ import annotations

from typing import Any

from quark.errors import SessionStoreError
from quark.service.child_process import ChildProcess, NoAnswerError, be_child
from quark.service.config import ServiceConfig
from quark.service.ingest import RunPlace
from quark.service.stores import StoreKey, Stores
from quark.storage.protocols import Store

_NICENESS = 10
#: A child that packs one run for longer than this is given up.
_MERGE_SECONDS = 600.0


class MergeChild:
    """Packs in another process, which is started when there is something to pack. Owns it."""

    def __init__(self, config: ServiceConfig) -> None:
        self._process = ChildProcess("quark.service.merge_child", config)

    def merge(self, place: RunPlace, store: Store, *, final: bool) -> None:
        """Have a run packed, and wait for it.

        Raises:
            QuarkError: What the store raised there.
            SessionStoreError: The process died or hangs; the next call starts another one.
        """
        try:
            self._process.ask([*place, final], _MERGE_SECONDS)
        except NoAnswerError as error:
            raise SessionStoreError(f"Run {place.run_id!r} was not packed. {error}") from error

    def close(self, timeout_seconds: float) -> None:
        """Let the process end what it is doing, up to the deadline."""
        self._process.close(timeout_seconds)


def _pack(stores: Stores, told: list[Any]) -> bytes:
    workspace, storage_dir, run_id, final = told
    stores.get(StoreKey(workspace, storage_dir)).points.merge(run_id, final=final)
    return b""


if __name__ == "__main__":
    be_child(_pack, niceness=_NICENESS)
