"""What a container may use: the limits of the cgroup (version 2) that this process is in.

In a container, ``/proc/meminfo`` shows the host's memory. What ends the process is the cgroup's
limit, and limits nest: the tightest on the way up counts. Cgroups of version 1 are not read.

Source: Linux kernel documentation, "Control Group v2": ``memory.max`` is "Memory usage hard limit",
``memory.current`` "The total amount of memory currently being used by the cgroup and its
descendants", ``cpu.max`` "The maximum bandwidth limit", quota and period in microseconds.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

_NO_LIMIT = "max"


class MemoryLimit(NamedTuple):
    """The tightest limit on this process's memory, and what counts against it.

    ``given_back_bytes`` is the part of ``used_bytes`` that the kernel takes back before it ends a
    process: file cache that was not used for a while.
    """

    limit_bytes: int
    used_bytes: int
    given_back_bytes: int


class Cgroup:
    """Reads the files of this process's cgroup and of those above it. ``root`` is for tests."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._folders = _own_and_above(root)

    def memory(self) -> MemoryLimit | None:
        """Return the limit on memory; None if there is none."""
        limited = [
            (int(text), folder)
            for folder in self._folders
            if (text := _read(folder / "memory.max")).isdigit()
        ]
        if not limited:
            return None
        limit_bytes, folder = min(limited, key=lambda pair: pair[0])
        used = _read(folder / "memory.current")
        if not used.isdigit():
            return None
        words = _read(folder / "memory.stat").split()
        stat = dict(zip(words[::2], words[1::2], strict=False))
        cache_bytes = int(stat.get("inactive_file", "0"))
        return MemoryLimit(limit_bytes, int(used), min(cache_bytes, int(used)))

    def cpu_count(self) -> float | None:
        """Return how many cores' time may be used; None if that is not limited."""
        shares = []
        for folder in self._folders:
            words = _read(folder / "cpu.max").split()
            if len(words) == 2 and words[0] != _NO_LIMIT and int(words[1]) > 0:
                shares.append(int(words[0]) / int(words[1]))
        return min(shares, default=None)


def _own_and_above(root: Path) -> tuple[Path, ...]:
    """Return the folder of this process's cgroup and those above it, up to the mount point."""
    mount = _mount(root)
    own = next(
        (
            line.removeprefix("0::")
            for line in _read(root / "proc/self/cgroup").splitlines()
            if line.startswith("0::/")
        ),
        None,
    )
    if mount is None or own is None:
        return ()
    top, mounted = mount
    # A container may see its path from the host's view, while only its own part is mounted.
    below = own.removeprefix(mounted.rstrip("/")) if own.startswith(mounted) else own
    folder = top / below.lstrip("/")
    if not folder.is_dir():
        folder = top
    found = [folder]
    while folder != top:
        folder = folder.parent
        found.append(folder)
    return tuple(found)


def _mount(root: Path) -> tuple[Path, str] | None:
    """Return where version 2 is mounted, and which cgroup is mounted there."""
    for line in _read(root / "proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        words = before.split()
        if after.split(" ")[0] == "cgroup2" and len(words) > 4:
            return root / words[4].lstrip("/"), words[3]
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""
