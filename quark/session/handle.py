"""One process's hold on one run: the way in for what is logged, the way out for what is read.

A :class:`RunHandle` knows nothing of lifecycles: :class:`~quark.session.TrainingSession` has one
and adds that; a writer that was given a :class:`~quark.records.RunContext` of a run that is not
open in this process opens one for itself.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from quark import ids, ui
from quark.clock import SYSTEM_CLOCK, format_timestamp
from quark.errors import SessionStoreError
from quark.persistence.open import open_store
from quark.pipeline.deferred import Deferred, DeferredQueue
from quark.pipeline.diagnostics import Diagnostics, LossCounter
from quark.pipeline.disabled_journal import DisabledJournal
from quark.pipeline.faults import FaultLog
from quark.pipeline.frames import SegmentMeta
from quark.pipeline.journal import Journal, JournalConfig
from quark.pipeline.payloads import PayloadQueue
from quark.pipeline.shipper import Shipper, ShipperConfig
from quark.pipeline.unsynced import UnsyncedPayloads
from quark.records import Record
from quark.session.costs import CostMeter
from quark.session.intake import Intake
from quark.session.letting_go import take_in_and_pack, unsent
from quark.session.places import is_remote, local_root
from quark.session.reading import deliver_tail
from quark.session.sending import Sending
from quark.settings import Settings, distributed_rank
from quark.storage.layout import journal_path, run_path, shared_mark_path

if TYPE_CHECKING:
    from pathlib import Path

    from quark.session.console import ConsoleCapture
    from quark.storage.batch import Batch
    from quark.storage.protocols import Store

R = TypeVar("R", bound=Record)

#: A local disk that refused this often in a row will not relent within a deadline.
_LOCAL_CLOSE_ATTEMPTS = 3
#: What may still be waited for when the time that the end of a run may take is over.
_LAST_WAIT_SECONDS = 0.5


class RunHandle(Intake):
    """Logs into a run and reads it back. Owns its store, journal and shipper."""

    def __init__(
        self,
        *,
        run_id: str,
        project: str,
        workspace: str,
        settings: Settings,
        owner: bool,
        strict: bool,
        store: Store | None = None,
        on_batch: Callable[[Batch], None] | None = None,
    ) -> None:
        self.settings = settings
        self.run_id = run_id
        self.faults = FaultLog(strict=strict)
        self.losses = LossCounter()
        self.costs = CostMeter()
        self.quiet = settings.quiet  # whether the end of the run is to be told to nobody
        self.reported = False  # whether it was told
        self.root = local_root(settings)
        self.run_dir = run_path(self.root, run_id)
        self.owner = owner
        self._store: Store | None = store or open_store(settings)
        self._closed = False
        self._ending, self._waited_seconds = False, 0.0
        self._console: ConsoleCapture | None = None
        meta = SegmentMeta(
            run_id=run_id,
            writer_id=ids.new_writer_id(),
            project=project,
            workspace=workspace,
            rank=distributed_rank(),
            owner=owner,
            created_at=format_timestamp(SYSTEM_CLOCK.time_us()),
            store_target=self._store.target,
            host=os.uname().nodename,
            pid=os.getpid(),
        )
        make_journal = DisabledJournal if settings.mode == "disabled" else Journal
        self.journal = make_journal(
            journal_path(self.root, run_id),
            meta,
            JournalConfig(
                segment_bytes=settings.segment_bytes,
                max_bytes=settings.spool_max_bytes,
                ring_bytes=settings.memory_ring_bytes,
            ),
            losses=self.losses,
            on_trouble=self._on_trouble,
            on_new_writer=self._on_new_writer,
        )
        if not owner:
            self._mark_shared()
        self._deferred = DeferredQueue(self.faults)
        self.sending = Sending(self.root, settings, self.faults, wake=lambda: self._payloads.wake())
        self._payloads = PayloadQueue(
            self.faults,
            unsynced=lambda: UnsyncedPayloads(self.at_rest, self.faults),
            quiet=lambda: self.quiet,
            duty=lambda: self.sending.work(self._store),
        )
        self._shipper = Shipper(
            self.journal,
            self._store,
            ShipperConfig(
                interval_seconds=settings.ship_interval_seconds,
                fsync=settings.durability == "fsync",
                deliver=settings.mode != "offline",
                close_attempts=1_000_000 if is_remote(settings) else _LOCAL_CLOSE_ATTEMPTS,
            ),
            faults=self.faults,
            losses=self.losses,
            on_batch=on_batch,
        )
        self._shipper.add_duty(self._deferred.work)
        self._shipper.start()
        if self.sending.waits:
            self._payloads.start()  # an earlier run left something for the service

    # -- the console ---------------------------------------------------------------------------

    def capture_console(self, log_path: Path | None = None, *, listening: bool = True) -> None:
        """Keep what is written to stdout and stderr until :meth:`stop_console` or the end.

        The lines are also put at the end of ``log_path``. Without ``listening`` there is only what
        :meth:`write_console` is given. A second call does nothing.
        """
        from quark.session.console import ConsoleCapture

        if self._console is None and not self._closed:
            self._console = ConsoleCapture(
                self.log_console_line, log_path, self.faults, listening=listening
            )
            self._shipper.add_duty(self._console.work)

    def write_console(self, text: str) -> None:
        """Keep ``text`` as if it had been printed, after :meth:`capture_console`."""
        if self._console is not None:
            self._console.write(text)

    def stop_console(self) -> None:
        """Give stdout and stderr back and keep what is left of their lines."""
        if self._console is not None:
            self._console.close()

    # -- out ---------------------------------------------------------------------------------

    def flush(self, timeout_seconds: float | None = None) -> int:
        """Have the store take what was logged so far; return how many frames it has not taken."""
        if self._closed:
            return 0
        if self._console is not None:
            self._console.work()
        self.settle()
        seconds = (
            self.settings.finish_timeout_seconds if timeout_seconds is None else timeout_seconds
        )
        begun = SYSTEM_CLOCK.monotonic()
        pending = self._shipper.flush(self._limited(seconds))
        if not pending:
            left = seconds - (SYSTEM_CLOCK.monotonic() - begun)
            self.sending.await_own(self._limited(max(0.0, left)))
        self._waited_seconds += SYSTEM_CLOCK.monotonic() - begun
        return pending

    def begin_end(self) -> None:
        """The run ends: give stdout and stderr back, and wait for deliveries no longer than
        ``finish_timeout_seconds`` from now on, all waits together."""
        self.stop_console()
        self._ending, self._waited_seconds = True, 0.0

    def _limited(self, seconds: float) -> float:
        """Return how long a delivery may be waited for; at the end a little in any case."""
        if not self._ending:
            return seconds
        left = self.settings.finish_timeout_seconds - self._waited_seconds
        return min(seconds, max(_LAST_WAIT_SECONDS, left))

    def await_delivery(self, timeout_seconds: float) -> int:
        """Wait until the background has delivered what was logged so far; return how many frames
        it has not.

        It takes no lock, unlike :meth:`flush`, so it can be called where code that holds one may
        have been interrupted: in a signal handler.
        """
        deadline = SYSTEM_CLOCK.monotonic() + timeout_seconds
        target = self.journal.last_seq
        pause = threading.Event()
        while self.settings.mode == "online" and self.journal.shipped_seq < target:
            if SYSTEM_CLOCK.monotonic() >= deadline:
                break
            pause.wait(0.005)
        return max(0, target - self.journal.shipped_seq)

    def request_flush(self) -> None:
        """Have the store take what was logged so far soon, without waiting."""
        if not self._closed:
            self._shipper.wake()

    @contextlib.contextmanager
    def at_rest(self) -> Iterator[Store]:
        """Give the store as it is, without waiting for what was logged: for payloads."""
        if self._store is not None:
            yield self._store
            return
        store = open_store(self.settings)
        try:
            yield store
        finally:
            store.close()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Store]:
        """Give the store, with everything logged so far in it.

        Raises:
            SessionStoreError: The store could not take what was logged.
        """
        if self._store is None:
            store = open_store(self.settings)
            try:
                deliver_tail(store, self.run_id, self.settings)
                yield store
            finally:
                store.close()
            return
        pending = self.flush()
        if pending:
            error = self._shipper.last_error
            raise SessionStoreError(
                f"{pending} records of run {self.run_id!r} have not reached the store "
                f"({self._store.target}), so reading now would be incomplete. They are safe in "
                f"{self.journal.folder}. Reason: {error or self._why_pending()}."
            ) from error
        yield self._store

    def _why_pending(self) -> str:
        if self.settings.mode != "online":
            return f"the mode is {self.settings.mode!r}; deliver them with 'quark sync'"
        return self.journal.degraded or "the store did not answer in time"

    @property
    def last_error(self) -> Exception | None:
        """Why the latest delivery failed; None if it did not."""
        return self._shipper.last_error

    @property
    def store_target(self) -> str:
        """Where the store is, as a URL without secrets."""
        return self.journal.meta.store_target

    @property
    def closing(self) -> bool:
        """Whether the run is being closed: chores should come to their end."""
        return self._shipper.closing

    def add_chore(self, chore: Callable[[], None]) -> None:
        """Have ``chore`` called once in the background, when nothing waits for delivery."""
        self._shipper.add_chore(chore)

    def add_duty(self, duty: Callable[[], None]) -> None:
        """Have ``duty`` called in the background again and again, a few times a second, until the
        run is closed. It should be quick, or look at the clock first. A forked child has none."""
        self._shipper.add_duty(duty)

    def defer(self, work: Deferred) -> bool:
        """Have ``work`` resolved in the background once it is ready, in order, and before any
        :meth:`flush` returns; False (and counted) if too much waits already, or the run has
        ended."""
        if self._deferred.add(work):
            return True
        reason = "closed" if self._deferred.closed else "behind"
        if self.losses.add(work.what, reason, work.record_count) and reason == "behind":
            ui.say("measurements are being dropped: they come faster than they can be kept.")
        return False

    def defer_payload(self, work: Deferred) -> None:
        """Have ``work``, which takes long, resolved on a thread of its own, in order, and before
        any :meth:`flush` returns. It is done in the call if too much waits, or the run has ended.
        """
        self._payloads.add(work)

    def sync_later(self, digests: Iterable[str]) -> None:
        """Bring payloads that were put into the store unsynced through to the disk: soon, together
        with others, and before the run is closed."""
        self._payloads.sync_later(digests)

    def settle(self) -> None:
        """Wait for everything that was deferred, and journal it. Not for the store."""
        self._deferred.drain()
        self._payloads.drain()

    def diagnostics(self) -> Diagnostics:
        """Return what was accepted, delivered and lost so far."""
        return self._shipper.diagnostics()

    # -- end ---------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._closed

    def close(self, *, merge: bool = False) -> int:
        """Deliver what is left, by the deadline of ``finish_timeout_seconds``, and let go.

        Returns how many frames are still undelivered; they stay in the journal's folder. ``merge``
        packs what the store has of the run. A second call does nothing.

        Raises:
            Exception: What a measurement failed with, in strict mode. Everything is closed.
        """
        if self._closed:
            return self.journal.pending
        self.stop_console()
        try:
            self._deferred.close()
            self._payloads.close(self.settings.finish_timeout_seconds)
        finally:
            pending = self._deliver_and_let_go(merge=merge)
        return pending

    def _deliver_and_let_go(self, *, merge: bool) -> int:
        pending = self._shipper.close(self._limited(self.settings.finish_timeout_seconds))
        self._closed = True
        store = self._store
        if self.settings.mode != "disabled":  # what is in memory can be read to the end
            self._store = None
        if store is not None and self.settings.mode == "online" and not pending:
            if merge:
                take_in_and_pack(self, store)
            self.sending.finish(store, self._limited(self.settings.finish_timeout_seconds))
        pending = self.journal.close()
        if store is not None and self._store is None:
            store.close()
        told = unsent(self, pending) if self.settings.mode == "online" else None
        if told is not None:
            ui.say(told)
        return pending

    def mark_forked(self) -> None:
        """In a forked child: begin anew with the first record that is logged.

        What it prints is not followed; the streams are given back already.
        """
        self._console = None
        self._deferred = DeferredQueue(self.faults)
        self._payloads.reset_after_fork()
        self._shipper.reset_after_fork()
        self._shipper.add_duty(self._deferred.work)

    @property
    def shared(self) -> bool:
        """Whether another process on this machine has written, or writes, into the run too."""
        return shared_mark_path(self.root, self.run_id).exists()

    def _mark_shared(self) -> None:
        if self.settings.mode != "disabled":
            with contextlib.suppress(OSError):  # said by the journal, which cannot write either
                shared_mark_path(self.root, self.run_id).touch()

    def _on_new_writer(self) -> None:
        self._mark_shared()
        self._shipper.start()

    def _on_trouble(self, reason: str, message: str) -> None:
        from quark.records import EventRecord

        if reason == "spool_full":
            self.emit(
                EventRecord,
                event_type="records_dropped",
                severity="error",
                payload={"reason": reason, "message": message},
            )
