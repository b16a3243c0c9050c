"""Copies of files under their final name: at any moment it is the old file or the whole new one."""

from __future__ import annotations

import os
from pathlib import Path

from quark import ids
from quark.storage import file_copy


def copy_file(source: Path, target: Path) -> None:
    """Copy ``source`` to ``target``, as cheaply as the file system can.

    Times and permissions are copied too; folders are made where they are missing.

    Raises:
        OSError: ``source`` cannot be read, or ``target`` cannot be written.
    """
    with source.open("rb") as opened:
        copy_open_file(opened.fileno(), target)


def copy_open_file(descriptor: int, target: Path) -> None:
    """Copy the file that is open as ``descriptor``, which may have lost its name by now.

    Raises:
        OSError: As :func:`copy_file`.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{ids.random_id()}.tmp")
    try:
        with draft.open("wb") as written:
            file_copy.copy_file(descriptor, written.fileno())
        about = os.fstat(descriptor)
        os.utime(draft, ns=(about.st_atime_ns, about.st_mtime_ns))
        draft.chmod(about.st_mode & 0o777)
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def link_file(source: Path, target: Path) -> None:
    """Give a file another name; copy it where that is not possible.

    Raises:
        OSError: As :func:`copy_file`.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        copy_file(source, target)
