"""Follows every ``SummaryWriter`` of the process: what it writes is logged too.

The place to listen is the class that writes event files, which torch, tensorboardX and tensorboard
itself come down to. Its methods are replaced, not the class, so it does not matter who has imported
what before. A module that is not imported yet is not imported for this either: it is patched when
somebody does.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import weakref
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from quark.compat.wandb import current, term
from quark.compat.wandb.integration.event_files import event_file_names, read_events
from quark.compat.wandb.integration.event_rows import EventRows, follow
from quark.compat.wandb.integration.when_imported import WhenImported
from quark.session import TrainingSession

if TYPE_CHECKING:
    from quark.compat.wandb.run import Run

CLASS = "EventFileWriter"
MODULES = ("tensorboard.summary.writer.event_file_writer", "tensorboardX.event_file_writer")

#: Where TensorFlow opens a writer. It writes past Python, so its files are read in the end.
TENSORFLOW = "tensorflow.python.ops.gen_summary_ops"
TENSORFLOW_OPENS = "create_summary_file_writer"


class WrittenFolder:
    """The folder of one writer, and what its keys are put under."""

    def __init__(self, path: str, writer: Any = None, *, whole: bool = False) -> None:
        self.path = os.path.abspath(path)
        self.namespace: str | None = None  # known with the first event
        self.writer = None if writer is None else weakref.ref(writer)
        self._earlier = frozenset[str]() if whole else frozenset(event_file_names(self.path))

    def new_files(self) -> list[str]:
        """Return the names of the event files that were made since."""
        return [name for name in event_file_names(self.path) if name not in self._earlier]


class EventWriters:
    """Replaces the methods of event writers, from :meth:`patch` to :meth:`unpatch`.

    ``run`` is the run that gets the events; without it the one that the module means.
    """

    def __init__(self, *, root: str = "", save: bool = True, run: Run | None = None) -> None:
        self._given_root = os.path.abspath(root) if root else ""
        self._root = self._given_root
        self.only_for_one_run = run is not None
        self._save = save
        self._run = None if run is None else weakref.ref(run)
        self._folders: weakref.WeakKeyDictionary[Any, WrittenFolder] = weakref.WeakKeyDictionary()
        self._all: list[WrittenFolder] = []
        self._originals: list[tuple[Any, str, Callable[..., Any]]] = []
        self._modules = WhenImported((*MODULES, TENSORFLOW), self._patch_module)

    def patch(self) -> None:
        """Listen from now on."""
        self._modules.start()

    def unpatch(self) -> None:
        """Give the classes their own methods back."""
        self._modules.stop()
        for owner, name, method in reversed(self._originals):
            setattr(owner, name, method)
        self._originals.clear()

    def target(self) -> Run | None:
        """Return the run that gets the events, if it is open."""
        run = current.bound_run() if self._run is None else self._run()
        return None if run is None or run.over or run.disabled else run

    def keep_files(self, run: Run, *, read: bool = True) -> None:
        """Take what is only in files, and copy them into the run's folder, below the namespace of
        their writer."""
        for folder in self._all:
            if read and folder.writer is None:
                self._read(run, folder)
        for folder in self._all if self._save else ():
            writer = None if folder.writer is None else folder.writer()
            if writer is not None:
                with contextlib.suppress(OSError, ValueError):  # closed: all of it is in the file
                    writer.flush()
            target = Path(run.dir, folder.namespace or "")
            for name in folder.new_files():
                target.mkdir(parents=True, exist_ok=True)
                shutil.copy2(os.path.join(folder.path, name), target / name)
        self._all.clear()
        self._root = self._given_root

    def read_all(self, run: Run, root: str) -> None:
        """Log every event of every file in ``root`` and below, folder by folder."""
        for path, _, _ in sorted(os.walk(root)):
            folder = WrittenFolder(path, whole=True)
            self._all.append(folder)
            self._read(run, folder)

    # -- inside ------------------------------------------------------------------------------

    def _patch_module(self, module: ModuleType) -> None:
        if module.__name__ == TENSORFLOW:
            self._patch_tensorflow(module)
            return
        owner = getattr(module, CLASS, None)
        if owner is None or any(known is owner for known, _, _ in self._originals):
            return
        construct, add_event = owner.__init__, owner.add_event
        writers = self

        def __init__(self: Any, logdir: Any, *args: Any, **keywords: Any) -> None:  # noqa: N807
            writers._opened(os.fspath(logdir), self)
            construct(self, logdir, *args, **keywords)

        def add_event_and_log(self: Any, event: Any, *args: Any, **keywords: Any) -> Any:
            result = add_event(self, event, *args, **keywords)
            writers._listen(self, event)
            return result

        for name, method in (("__init__", __init__), ("add_event", add_event_and_log)):
            self._originals.append((owner, name, getattr(owner, name)))
            method.__name__ = name
            setattr(owner, name, method)

    def _patch_tensorflow(self, module: Any) -> None:
        open_writer = getattr(module, TENSORFLOW_OPENS, None)
        if open_writer is None or any(known is module for known, _, _ in self._originals):
            return

        def open_and_note(*args: Any, **keywords: Any) -> Any:
            path = keywords["logdir"] if "logdir" in keywords else args[1]
            path = path.numpy() if hasattr(path, "numpy") else path
            self._opened(os.fsdecode(path))
            return open_writer(*args, **keywords)

        self._originals.append((module, TENSORFLOW_OPENS, open_writer))
        setattr(module, TENSORFLOW_OPENS, open_and_note)

    def _opened(self, path: str, writer: Any = None) -> WrittenFolder:
        folder = WrittenFolder(path, writer)
        if writer is not None:
            self._folders[writer] = folder
        self._all.append(folder)
        if self._given_root and not Path(folder.path).is_relative_to(self._root):
            term.warn_once(
                f"writer outside {self._root}",
                f"the folder {path} lies outside of root_logdir {self._root}.",
            )
        return folder

    def _read(self, run: Run, folder: WrittenFolder) -> None:
        for name in folder.new_files():
            for event in read_events(os.path.join(folder.path, name)):
                self._take(run, folder, event)

    def _listen(self, writer: Any, event: Any) -> None:
        run = self.target()
        if run is not None:
            folder = self._folders.get(writer)
            if folder is None:  # made before it was listened to
                folder = self._opened(writer.get_logdir(), writer)
            self._take(run, folder, event)

    def _take(self, run: Run, folder: WrittenFolder, event: Any) -> None:
        try:
            self._log(run, folder, event)
        except Exception as error:  # a hook: what somebody's writer is given may be anything
            if isinstance(run._session, TrainingSession):
                cause = "an event of a SummaryWriter was not kept"
                run._session.handle.faults.record(cause, error)

    def _log(self, run: Run, folder: WrittenFolder, event: Any) -> None:
        from quark.compat.wandb.integration.event_values import (
            event_values,
            hyperparameters,
            merged,
        )

        found = hyperparameters(event)
        if found:
            run.config.setdefaults(found)
        values = event_values(event)
        if values:
            if folder.namespace is None:
                folder.namespace = self._namespace(folder.path)
            rows: EventRows = follow(run)
            rows.add(run, folder, int(event.step), merged(values, folder.namespace))

    def _namespace(self, path: str) -> str:
        """Return the part of a folder's path that tells its writer from others.

        As in W&B a folder that torch has named by time and machine has none, and otherwise it is
        the path below ``root_logdir``, or below the folder that all writers have in common.
        """
        named = re.search(rf"-\d+_{re.escape(socket.gethostname())}", path)
        root = path[: named.end()] if named else self._root
        if not root:
            known = [folder.path for folder in self._all]
            root = self._root = os.path.commonpath(known)
        if not Path(path).is_relative_to(root):
            root = os.path.commonpath([root, path])
        return "" if path == root else Path(path).relative_to(root).as_posix()
