"""SQL literals: old servers know no bound parameters, so every value in a statement is one."""

from __future__ import annotations

from collections.abc import Iterable


def text(value: str) -> str:
    r"""Return a string literal that stands for exactly these characters.

    >>> print(text("it's\n\\"))
    'it\'s\x0A\\'

    Raises:
        UnicodeEncodeError: ``value`` cannot be written as UTF-8.
    """
    value.encode()
    return "'" + "".join(map(_escaped, value)) + "'"


def texts(values: Iterable[str]) -> str:
    """Return an array literal of strings.

    >>> texts(["a", "b"])
    "['a', 'b']"
    """
    return "[" + ", ".join(map(text, values)) + "]"


def integer(value: int) -> str:
    """Return a literal of an Int64.

    >>> integer(-5)
    'toInt64(-5)'
    """
    return f"toInt64({value:d})"


def name(value: str) -> str:
    """Return an identifier: of a database, a table or a cluster.

    >>> name("my db")
    '`my db`'
    """
    return "`" + "".join(_escaped(letter, quote="`") for letter in value) + "`"


def _escaped(character: str, quote: str = "'") -> str:
    if character in ("\\", quote):
        return "\\" + character
    return f"\\x{ord(character):02X}" if character < " " else character
