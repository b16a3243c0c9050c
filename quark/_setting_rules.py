"""What the value of a setting must be: each rule returns the words after "must", or nothing."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

Rule = Callable[[Any], str]

_URL = re.compile(r"[a-z][a-z0-9+.-]*:\S+", re.IGNORECASE)
_EXTENSION = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)


def no_rule(value: Any) -> str:
    """Accept anything."""
    return ""


def is_a(kind: type, words: str) -> Rule:
    """Return the rule that a value is of a type."""
    return lambda value: "" if isinstance(value, kind) else f"be {words}"


def whole(value: Any) -> str:
    """Take whole numbers."""
    return "" if isinstance(value, int) and not isinstance(value, bool) else "be a whole number"


def finite(value: Any) -> str:
    """Take numbers that are neither NaN nor infinite."""
    fine = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return "" if fine else "be a finite number"


def texts(value: Any) -> str:
    """Take tuples of strings."""
    fine = isinstance(value, tuple) and all(isinstance(part, str) for part in value)
    return "" if fine else "be a tuple of strings"


def one_of(words: tuple[str, ...]) -> Rule:
    """Return the rule that a value is one of ``words``."""
    return lambda value: "" if value in words else f"be one of {', '.join(map(repr, words))}"


def at_least(lowest: float) -> Rule:
    """Return the rule that a number is not below ``lowest``."""
    return lambda value: "" if value >= lowest else f"be at least {lowest}"


def above(lowest: float) -> Rule:
    """Return the rule that a number is more than ``lowest``."""
    return lambda value: "" if value > lowest else f"be above {lowest}"


def not_blank(value: str) -> str:
    """Take texts that hold something."""
    return "" if value.strip() else "not be blank (leave it unset instead)"


def a_key(value: str) -> str:
    """Take what an HTTP header can hold."""
    fine = value.isascii() and value.isprintable() and value.strip() == value != ""
    return "" if fine else "be printable ASCII without blanks around it, as an HTTP header needs"


def a_url(value: str) -> str:
    """Take URLs; those of a service without a user or password."""
    if _URL.fullmatch(value) is None:
        return "be a URL such as 'https://quark.example.com' or 'file:/data/runs'"
    if value.lower().startswith(("http://", "https://")):
        host = value.partition("://")[2].partition("/")[0]
        if not host:
            return "name a host"
        if "@" in host:
            return "not hold a user or password; the key goes into QUARK_USER_KEY"
        if "qk_" in value:
            return "not hold a user key, which goes into QUARK_USER_KEY"
    return ""


def a_workspace(value: str) -> str:
    """Take what can be a part of a path."""
    fine = value.strip() == value != "" and value.isprintable() and "/" not in value
    return "" if fine else "be printable, without '/' and without blanks around it"


def extension_names(value: tuple[str, ...]) -> str:
    """Take names of the form ``module:attribute``."""
    wrong = next((name for name in value if _EXTENSION.fullmatch(name) is None), None)
    return "" if wrong is None else f"hold names like 'package.module:attribute', not {wrong!r}"
