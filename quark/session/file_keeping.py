"""Files of a script that are kept in a run's folder, as copies that follow their sources.

A small file is copied in the call. A large one gets a second name in the folder at once, which
costs nothing and outlives the first, and becomes a copy in the background.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from quark import ids
from quark.pipeline.deferred import Deferred
from quark.pipeline.worker import BackgroundWorker
from quark.session.copying import copy_file, copy_open_file

if TYPE_CHECKING:
    from quark.session.handle import RunHandle

#: How often files that are followed are looked at.
FOLLOW_SECONDS = 2.0
#: What is copied in the call.
SMALL_BYTES = 1 << 20

Policy = Literal["live", "now", "end"]
#: Gives files that are to be followed: each with its place in the run's folder.
Places = Callable[[], Iterable[tuple[Path, Path]]]


class FileKeeper:
    """Keeps copies of files for one run. Owns the worker that follows them, which starts with the
    first :meth:`follow_later`; :meth:`close` ends it. Any thread may call.

    ``on_trouble`` is told of files that could not be copied.
    """

    def __init__(self, handle: RunHandle, on_trouble: Callable[[Path, OSError], None]) -> None:
        self._handle = handle
        self._on_trouble = on_trouble
        self._lock = threading.RLock()  # reentrant: a signal handler may end the run
        self._pid = os.getpid()
        self._copied: dict[Path, _Stamp] = {}  # by target: how its source was when it was copied
        self._live: dict[Path, Path] = {}  # target: source
        self._at_end: dict[Path, Path] = {}
        self._places: list[Places] = []
        self._worker: BackgroundWorker | None = None

    @property
    def inherited(self) -> bool:
        """Whether this is the parent's, after a fork."""
        return self._pid != os.getpid()

    def keep(self, source: Path, target: Path, policy: Policy) -> None:
        """Copy a file: once (``now``), again whenever it has changed (``live``), or when the run
        ends, until when a link stands for it (``end``)."""
        work: Deferred | None = None
        with self._lock:
            self._live.pop(target, None)
            self._at_end.pop(target, None)
            if os.path.realpath(source) == os.path.realpath(target) and not target.is_symlink():
                return  # it is in the folder already
            try:
                if policy == "end":
                    self._at_end[target] = source
                    _link(target, os.path.abspath(source))
                    return
                if policy == "live":
                    self._live[target] = source
                work = self._copy(source, target)
            except OSError as error:
                self._on_trouble(source, error)
        if work is not None:
            self._handle.defer_payload(work)  # may be done in the call, and takes the lock itself

    def follow_later(self, places: Places) -> None:
        """Follow what ``places`` gives, too, each time files are looked at."""
        with self._lock:
            self._places.append(places)
            if self._worker is None:
                self._worker = BackgroundWorker(
                    self.follow,
                    name="quark-saved-files",
                    interval_seconds=FOLLOW_SECONDS,
                    faults=self._handle.faults,
                )
                self._worker.start()

    def follow(self) -> None:
        """Copy what has changed or come since. Called in the background.

        The lock is not held meanwhile: a script that saves a file does not wait for these.
        """
        with self._lock:
            followed = tuple(self._places)
        found = [place for places in followed for place in places()]
        with self._lock:
            for source, target in found:
                self._live.setdefault(target, source)
            live = dict(self._live)
        for target, source in live.items():
            self._bring_up_to_date(source, target)

    def catch_up(self, timeout_seconds: float) -> None:
        """Bring everything up to date as fast as that goes: a large file gets a second name only.
        For a process that is about to be ended."""
        if not self._lock.acquire(timeout=timeout_seconds):
            return
        try:
            for target, source in {**self._live, **self._at_end}.items():
                with contextlib.suppress(OSError):
                    stamp = _Stamp.of(source)
                    if stamp != self._copied.get(target):
                        keep = copy_file if stamp.size_bytes <= SMALL_BYTES else _second_name
                        keep(source, target)
                        self._copied[target] = stamp
        finally:
            self._lock.release()

    def close(self) -> None:
        """Bring everything up to date and follow it no longer. A second call does nothing more."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close(self._handle.settings.finish_timeout_seconds)
        self.follow()
        for target, source in dict(self._at_end).items():
            self._bring_up_to_date(source, target)
        with self._lock:
            self._live.clear()
            self._at_end.clear()
            self._places.clear()

    def put(
        self, copy: Callable[[Path], None], target: Path, stamp: _Stamp, *, after: _Stamp | None
    ) -> None:
        """Have ``copy`` make the file of ``stamp``, and put it in the place of the one of ``after``
        at ``target``; not if another has come there meanwhile.

        Raises:
            OSError: It cannot be made.
        """
        draft = _draft(target)
        try:
            copy(draft)
            with self._lock:
                if self._copied.get(target) == after:
                    draft.replace(target)
                    self._copied[target] = stamp
        finally:
            draft.unlink(missing_ok=True)

    def _copy(self, source: Path, target: Path) -> Deferred | None:
        """Copy a file; return what is to be done later of that, if anything."""
        stamp = _Stamp.of(source)
        if stamp == self._copied.get(target):
            return None
        work: Deferred | None = None
        if stamp.size_bytes <= SMALL_BYTES:
            copy_file(source, target)
        else:
            work = _Copy(self, source, target, stamp)
            _second_name(source, target)
        self._copied[target] = stamp
        return work

    def _bring_up_to_date(self, source: Path, target: Path) -> None:
        try:
            known, stamp = self._copied.get(target), _Stamp.of(source)
            if stamp != known:
                self.put(partial(copy_file, source), target, stamp, after=known)
        except FileNotFoundError as error:
            if target not in self._copied:
                self._on_trouble(source, error)
        except OSError as error:
            self._on_trouble(source, error)


class _Stamp(NamedTuple):
    """What changes when a file does."""

    inode: int
    size_bytes: int
    modified_ns: int

    @classmethod
    def of(cls, path: Path) -> _Stamp:
        about = path.stat()
        return cls(about.st_ino, about.st_size, about.st_mtime_ns)


class _Copy(Deferred):
    """A large file on its way into the run's folder. It is open, so it can be removed meanwhile."""

    what = "saved file"

    def __init__(self, keeper: FileKeeper, source: Path, target: Path, stamp: _Stamp) -> None:
        super().__init__(1)
        self._descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
        self._keeper = keeper
        self._target = target
        self._stamp = stamp

    def _journal(self) -> None:
        copy = partial(copy_open_file, self._descriptor)
        try:
            self._keeper.put(copy, self._target, self._stamp, after=self._stamp)
        finally:
            os.close(self._descriptor)


def _second_name(source: Path, target: Path) -> None:
    """Have the file at ``target`` at once, while its copy is made."""
    draft = _draft(target)
    try:
        draft.hardlink_to(os.path.realpath(source))
    except OSError:  # another file system
        draft.symlink_to(os.path.abspath(source))
    draft.replace(target)


def _link(target: Path, source: str) -> None:
    draft = _draft(target)
    draft.symlink_to(source)
    draft.replace(target)


def _draft(target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.with_name(f".{ids.random_id()}.tmp")
