"""What all writers share: records are journaled at once, and handed out again by ``flush``."""

from __future__ import annotations

from types import TracebackType
from typing import Generic, Self, TypeVar

from quark.errors import SchemaValidationError, SessionStoreError, WriterClosedError
from quark.records import Record
from quark.session.resolve import Target, resolve

R = TypeVar("R", bound=Record)


class RecordWriter(Generic[R]):
    """Writes records of one kind into a run.

    A record is safe from the moment ``log`` returns; ``batch_size`` says after how many of them the
    store is asked to take them without waiting for the next round. ``flush`` waits for the store.
    """

    def __init__(self, session: Target, *, batch_size: int) -> None:
        if type(batch_size) is not int or batch_size < 1:
            raise SchemaValidationError(
                f"batch_size {batch_size!r} is not valid: it must be an integer of 1 or more."
            )
        self._handle, self._owns_handle = resolve(session)
        self._batch_size = batch_size
        self._waiting: list[R] = []
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._closed

    def _check_open(self) -> None:
        if self._closed or self._handle.closed:
            what = "writer is closed" if self._closed else "run has ended"
            raise WriterClosedError(
                f"This {type(self).__name__}'s {what}; make a new one on a session that is open."
            )

    def _add(self, record: R) -> R:
        self._waiting.append(record)
        if len(self._waiting) >= self._batch_size:
            self._waiting.clear()
            self._handle.request_flush()
        return record

    def flush(self) -> tuple[R, ...]:
        """Have the store take what was written; return the records since the last flush or batch.

        If the store cannot take them now, they stay where they are (safe in the journal), and
        nothing is returned for them.

        Raises:
            SessionStoreError: The store cannot take them, and the run is strict.
        """
        pending = self._handle.flush()
        if pending:
            if self._handle.faults.strict:
                raise SessionStoreError(
                    f"{pending} records of run {self._handle.run_id!r} are not in the store yet: "
                    f"{self._handle.last_error or 'it did not answer in time'}."
                )
            return ()
        flushed = tuple(self._waiting)
        self._waiting.clear()
        return flushed

    def close(self) -> None:
        """Flush and close; a second call does nothing."""
        if self._closed:
            return
        try:
            self.flush()
        finally:
            self._closed = True
            if self._owns_handle:
                self._handle.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
