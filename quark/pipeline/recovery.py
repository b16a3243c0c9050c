"""Delivering what other writers left behind: after a crash, from a copy, or while they run.

A writer holds a lock for as long as it lives. Who gets that lock may deliver the writer's segments
and remove them. Segments of a living writer may be delivered too (a reader wants to see them): the
store's memory of each writer's last seq makes that harmless; its files are left alone.

A segment says which store it was logged for. It goes to no other one by itself: half of the run may
be there already.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from quark.clock import SYSTEM_CLOCK, Clock, format_timestamp
from quark.errors import DamagedFileError, RunNotFoundError, SchemaValidationError
from quark.pipeline.delivery import Delivery
from quark.pipeline.frames import Frame, FrameScan, SegmentMeta, decode_segment_header
from quark.pipeline.recovered import Recovered
from quark.pipeline.segment_file import WriterLock
from quark.records import EventRecord, RunStatus, RunUpdateRecord
from quark.records.codec import encode_body
from quark.storage.batch import NO_STEP, Batch, EncodedRecord

if TYPE_CHECKING:
    from quark.storage.protocols import Store

_FRAMES_PER_DELIVERY = 20_000
_BYTES_PER_DELIVERY = 1 << 20
_HEADER_BYTES = 4096
PROCESS_LOST = "process_lost"


@dataclass(frozen=True, slots=True)
class WriterFiles:
    """The segments of one writer in one folder, in the order of their first frames."""

    writer_id: str
    folder: Path
    segments: tuple[Path, ...]

    @property
    def lock_path(self) -> Path:
        return self.folder / f"{self.writer_id}.lock"


def find_writers(journal_dir: Path) -> list[WriterFiles]:
    """Return the writers that have segments in a journal folder, in the order in which they began;
    none if there is no folder."""
    placed: dict[str, list[tuple[int, str, Path]]] = defaultdict(list)
    for path in journal_dir.glob("*.qj"):
        writer_id, _, number = path.stem.rpartition("-")
        if writer_id and number.isdigit():
            placed[writer_id].append((*_place(path), path))
    ordered = sorted(placed.items(), key=lambda item: (min(item[1])[1], item[0]))
    return [
        WriterFiles(writer_id, journal_dir, tuple(path for *_, path in sorted(found)))
        for writer_id, found in ordered
    ]


def _place(path: Path) -> tuple[int, str]:
    """Return where a segment belongs among its writer's, and when the writer began; last if that
    cannot be read."""
    try:
        with path.open("rb") as file:
            header = decode_segment_header(file.read(_HEADER_BYTES))
    except (OSError, DamagedFileError, SchemaValidationError):
        header = None
    return (header[1], header[0].created_at) if header else (2**63, "~")


def deliver_leftovers(
    store: Store,
    journal_dir: Path,
    *,
    living_too: bool = False,
    remove: bool = True,
    any_target: bool = False,
    on_frames: Callable[[int], None] = lambda count: None,
    clock: Clock = SYSTEM_CLOCK,
) -> Recovered:
    """Deliver what dead writers (and, if asked, living ones) have in ``journal_dir``.

    What dead ones had is removed from there, unless ``remove`` is false: for a store that only
    looks. A run whose owner died while it was running becomes ``failed`` with the reason
    ``process_lost``.

    Args:
        any_target: Also what was logged for another store.
        on_frames: Told after each delivery how many frames it had.

    Raises:
        SessionStoreError: The store cannot take it now; everything stays where it is.
    """
    result = Recovered()
    waiting = []
    for files in find_writers(journal_dir):
        meta = segment_meta(files.segments[0])
        if meta is not None and not any_target and not is_meant_for(meta, store):
            waiting.append(
                f"Records of run {meta.run_id!r} in {journal_dir} were logged for "
                f"{meta.store_target}, not for {store.target}; quark.sync delivers them with that "
                "URL."
            )
            continue
        lock = WriterLock(files.lock_path)
        try:
            dead = lock.acquire()
        except OSError:
            dead = False  # a read-only place: deliver without touching the files
        try:
            if dead or living_too:
                delivery = Delivery(store, files.folder.parent, on_frames=on_frames)
                _deliver_writer(delivery, files, result, dead=dead, remove=remove, clock=clock)
                result.refused += delivery.refused
            else:
                waiting.append(f"A process still writes into {files.lock_path.with_suffix('')}.")
        except RunNotFoundError as error:
            waiting.append(str(error))
            dead = False
        finally:
            lock.release(remove=dead and remove)
    if remove:
        with contextlib.suppress(OSError):
            journal_dir.rmdir()
    result.waiting = tuple(waiting)
    return result


def is_meant_for(meta: SegmentMeta, store: Store) -> bool:
    """Say whether a segment was logged for a store.

    Embedded stores may be moved and copied, so one is as good as another. A service is known by its
    URL and, where that was known, by the workspace.
    """
    meant, target = meta.store_target, store.target
    if not (_is_remote(meant) and _is_remote(target)):
        return _is_remote(meant) == _is_remote(target)
    unknown = ("local", "-")
    workspace = getattr(store, "workspace", "-")
    same = meta.workspace == workspace or meta.workspace in unknown or workspace in unknown
    return meant == target and same


def _is_remote(target: str) -> bool:
    return target.startswith(("http://", "https://"))


def segment_meta(path: Path) -> SegmentMeta | None:
    """Return what a segment belongs to; None if that cannot be read, or it was never used."""
    try:
        with path.open("rb") as file:
            header = decode_segment_header(file.read(_HEADER_BYTES))
    except (OSError, DamagedFileError, SchemaValidationError):
        return None
    return header[0] if header else None


def find_journals(root: Path) -> Iterator[Path]:
    """Yield the journal folders of all runs of an embedded store that have one."""
    runs = root / "runs"
    try:
        run_ids = sorted(path.name for path in runs.iterdir())
    except OSError:
        return
    for run_id in run_ids:
        journal_dir = runs / run_id / "journal"
        if journal_dir.is_dir():
            yield journal_dir


def _deliver_writer(
    delivery: Delivery,
    files: WriterFiles,
    result: Recovered,
    *,
    dead: bool,
    remove: bool,
    clock: Clock,
) -> None:
    meta: SegmentMeta | None = None
    position: int | None = None
    last = Frame(0, clock.time_us(), NO_STEP, 0, b"")
    for path in files.segments:
        try:
            found, frames, damaged = read_segment(path)
        except FileNotFoundError:
            continue  # its writer delivered and removed it meanwhile
        except (DamagedFileError, SchemaValidationError):
            result.damaged += 1
            if dead and remove:
                _keep_damaged(path)
            continue
        result.damaged += damaged if dead else 0
        meta = found or meta
        if found is None or not frames:
            continue
        if position is None:
            position = delivery.store.position(found.run_id, found.writer_id)
        new = [frame for frame in frames if frame.seq > position]
        _append(delivery, found, new)
        result.frames += len(new)
        result.known_frames += len(frames) - len(new)
        last = frames[-1]
        position = max(position, last.seq)
    result.writers += 1
    if meta is not None and meta.run_id not in result.run_ids:
        result.run_ids += (meta.run_id,)
    if not dead:
        return
    if meta is not None and meta.owner:
        _close_lost_run(delivery.store, meta, files, last)
    if not remove:
        return
    for path in files.segments:
        with contextlib.suppress(OSError):
            path.unlink()


def read_segment(path: Path) -> tuple[SegmentMeta | None, list[Frame], int]:
    """Return what a segment belongs to, its frames, and how many places in it are damaged.

    Raises:
        DamagedFileError: The header cannot be believed.
        OSError: The file cannot be read.
    """
    data = path.read_bytes()
    header = decode_segment_header(data)
    if header is None:
        return None, [], 0
    meta, _, start = header
    scan = FrameScan(data[start:])
    frames = list(scan.frames())
    return meta, frames, scan.damaged


def _append(delivery: Delivery, meta: SegmentMeta, frames: list[Frame]) -> None:
    """Append frames, as many at once as a shipper would."""
    start = 0
    while start < len(frames):
        end, size_bytes = start, 0
        while end < len(frames) and size_bytes < _BYTES_PER_DELIVERY:
            size_bytes += len(frames[end].body)
            end += 1
            if end - start == _FRAMES_PER_DELIVERY:
                break
        delivery.deliver(meta, frames[start:end])
        start = end


def _close_lost_run(store: Store, meta: SegmentMeta, files: WriterFiles, last: Frame) -> None:
    """Say that the run ended with its process, in the dead writer's own name.

    So a second recovery says the same once more and the store ignores it.
    """
    run = store.records.get_run(meta.run_id)
    if run.status != RunStatus.RUNNING or has_living_owner(files.folder, files.writer_id):
        return
    seq = max(last.seq, store.position(meta.run_id, meta.writer_id)) + 1
    changes = {
        "status": RunStatus.FAILED.value,
        "end_reason": PROCESS_LOST,
        "ended_at": format_timestamp(last.time_us),
    }
    update = RunUpdateRecord(id="", run_id=meta.run_id, timestamp="", changes=changes)
    payload = {
        "message": "The process that trained this run ended without closing it.",
        "host": meta.host,
        "pid": meta.pid,
    }
    event = EventRecord(
        id="",
        run_id=meta.run_id,
        timestamp="",
        event_type="run_lost",
        severity="error",
        status="failed",
        payload=payload,
    )
    records = tuple(
        EncodedRecord(seq, ordinal, record.KIND, None, None, last.time_us, encode_body(record))
        for ordinal, record in enumerate((update, event))
    )
    store.append(
        Batch(
            run_id=meta.run_id,
            writer_id=meta.writer_id,
            first_seq=seq,
            last_seq=seq,
            records=records,
        )
    )


def has_living_owner(journal_dir: Path, besides: str = "") -> bool:
    """Say whether a process of this machine is there that ends the run; not ``besides``."""
    for other in find_writers(journal_dir):
        if other.writer_id == besides:
            continue
        lock = WriterLock(other.lock_path)
        try:
            if lock.acquire():
                lock.release(remove=False)
                continue
            meta, _, _ = read_segment(other.segments[-1])
        except (OSError, DamagedFileError, SchemaValidationError):
            continue
        if meta is not None and meta.owner:
            return True
    return False


def _keep_damaged(path: Path) -> None:
    """Move a segment whose header is unreadable out of the way, but keep it."""
    folder = path.parent.parent / "quarantine"
    with contextlib.suppress(OSError):
        folder.mkdir(exist_ok=True)
        path.rename(folder / path.name)
