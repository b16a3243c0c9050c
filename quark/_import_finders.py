"""Finders of modules that come and go while other threads import.

The import system goes through ``sys.meta_path`` as it stands. Whoever takes a finder out of that
list in place has a thread that imports at this moment pass over the next one: Python says then that
there is no module which is there. So a finder that goes leaves a new list behind, and so does a
folder that goes from ``sys.path``.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

_changing = threading.Lock()


def add_finder(finder: Any) -> None:
    """Let ``finder`` be asked first; nothing if it is there.

    >>> add_finder(finder := object())
    >>> sys.meta_path[0] is finder
    True
    >>> remove_finder(finder)
    """
    with _changing:
        if not has_finder(finder):
            sys.meta_path.insert(0, finder)


def remove_finder(finder: Any) -> None:
    """Let ``finder`` be asked no longer; nothing if it is not there."""
    with _changing:
        if has_finder(finder):
            sys.meta_path = [one for one in sys.meta_path if one is not finder]


def has_finder(finder: Any) -> bool:
    """Say whether ``finder`` is asked."""
    return any(one is finder for one in sys.meta_path)


def remove_from_path(folder: str) -> None:
    """Let no module be looked for in ``folder``; nothing if none is."""
    with _changing:
        if folder in sys.path:
            sys.path = [one for one in sys.path if one != folder]
