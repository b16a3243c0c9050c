"""Which kind of file system a path lies on.

Shared memory maps and SQLite's write-ahead log need a local one: on a network file system two
machines would each see their own copy.
"""

from __future__ import annotations

import os
from pathlib import Path

_MOUNTS = Path("/proc/mounts")
_NETWORK_TYPES = frozenset(
    {
        "9p", "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "cvmfs", "davfs", "gfs2", "gpfs",
        "glusterfs", "lustre", "ncpfs", "nfs", "nfs3", "nfs4", "ocfs2", "orangefs", "panfs",
        "pvfs2", "smb3", "smbfs", "virtiofs", "vboxsf", "wekafs",
    }
)  # fmt: skip
_LOCAL_FUSE_TYPES = frozenset({"fuse.fuse-overlayfs", "fuse.bindfs", "fuse.ntfs-3g", "fuseblk"})


def is_network_path(path: Path, mounts: str | None = None) -> bool:
    """Say whether ``path`` (which need not exist) lies on a network file system.

    Unknown FUSE file systems count as network ones. Where there is no ``/proc/mounts``, or
    ``path`` is on nothing it lists, the answer is no.

    Args:
        path: Any path.
        mounts: The text of ``/proc/mounts``; read from there if None.

    >>> is_network_path(Path("/home/me"), "/dev/sda1 / ext4 rw 0 0\\nhost:/x /home nfs4 rw 0 0")
    True
    """
    return _is_network_type(_type_of(os.path.realpath(path), _read_mounts(mounts)))


def _read_mounts(mounts: str | None) -> str:
    if mounts is not None:
        return mounts
    try:
        return _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""


def _type_of(path: str, mounts: str) -> str:
    best_point, best_type = "", ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = _unescaped(fields[1])
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        # A later mount on the same point hides the earlier one.
        if inside and len(point) >= len(best_point):
            best_point, best_type = point, fields[2]
    return best_type


def _unescaped(field: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(code, character)
    return field


def _is_network_type(name: str) -> bool:
    if name.startswith("fuse"):
        return name not in _LOCAL_FUSE_TYPES
    return name in _NETWORK_TYPES
