"""How much memory a process of Quark's own may ask for."""

from __future__ import annotations

import sys

#: The exit code of a process that was refused memory.
EXIT_NO_MEMORY = 77


def limit_memory(limit_bytes: int) -> None:
    """Have allocations fail that would take this process beyond what it has now and so much.

    Libraries are imported before: they reserve memory that they do not use. Only Linux can say what
    a process has; elsewhere this does nothing.
    """
    if sys.platform != "linux":
        return
    import resource

    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[0])
    limit = pages * resource.getpagesize() + limit_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
