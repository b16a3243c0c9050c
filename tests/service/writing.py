"""Somebody who logs to a service while a test does something to it."""

from __future__ import annotations

import threading

from quark.errors import SessionStoreError
from quark.persistence.http_store import HttpStore
from tests.storage.building import batch, losses


class Writer:
    """Appends frames of one value each to a run, as a shipper does, until it is told to stop."""

    def __init__(self, store: HttpStore) -> None:
        self.store = store
        self.seq = 0
        self.failures = 0
        self._stop = threading.Event()
        self._reached = threading.Condition()
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def await_frames(self, count: int) -> None:
        with self._reached:
            wanted = self.seq + count
            assert self._reached.wait_for(lambda: self.seq >= wanted, 60)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(60)

    def _write(self) -> None:
        while not self._stop.is_set():
            seq = self.seq + 1
            try:
                self.store.append(batch(seq, seq, losses(seq, [float(seq)])))
            except SessionStoreError:
                self.failures += 1
                self._stop.wait(0.02)
                continue
            with self._reached:
                self.seq = seq
                self._reached.notify_all()
