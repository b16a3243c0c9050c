"""Text as PostgreSQL can hold it: any but a zero byte, which is escaped.

The escape changes texts with a zero byte or a backslash only, and no two texts into the same.
"""

from __future__ import annotations


def stored(text: str) -> str:
    r"""Return ``text`` as it rests in a table.

    >>> stored("train/loss"), stored("a\0b"), stored("a\\0")
    ('train/loss', 'a\\0b', 'a\\\\0')
    """
    if "\0" not in text and "\\" not in text:
        return text
    return text.replace("\\", "\\\\").replace("\0", "\\0")


def restored(text: str) -> str:
    r"""Return what :func:`stored` was given.

    >>> restored("a\\0b") == "a\0b", restored("a\\\\0") == "a\\0"
    (True, True)
    """
    if "\\" not in text:
        return text
    return "\\".join(part.replace("\\0", "\0") for part in text.split("\\\\"))


def storable(text: str) -> bool:
    """Say whether ``text`` is UTF-8 at all; what is not was never stored."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
