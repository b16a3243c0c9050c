"""What a page asks of a view: words from the address and the body, checked as they are taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from quark.errors import SchemaValidationError


class Asked:
    """The parameters of one request.

    Args:
        path: Names in the path, such as ``run_id``.
        query: What comes behind the ``?``, in order; a name may come several times.
        body: The JSON body of a POST.

    >>> asked = Asked({"run_id": "r"}, [("key", "loss"), ("key", "lr"), ("limit", "20")])
    >>> asked["run_id"], asked.all("key"), asked.integer("limit", 100, 1, 1000)
    ('r', ['loss', 'lr'], 20)
    """

    def __init__(
        self,
        path: Mapping[str, str],
        query: Sequence[tuple[str, str]] = (),
        body: Mapping[str, Any] | None = None,
    ) -> None:
        self.path = path
        self.query = query
        self.body: Mapping[str, Any] = body or {}

    def __getitem__(self, name: str) -> str:
        return self.path[name]

    def all(self, name: str) -> list[str]:
        """Return every value of a parameter."""
        return [value for given, value in self.query if given == name]

    def text(self, name: str, default: str | None = None) -> str | None:
        """Return the last value of a parameter, ``default`` if it is missing or empty."""
        found = self.all(name)
        return found[-1] if found and found[-1] else default

    def choice(self, name: str, among: Sequence[str]) -> str:
        """Return a parameter that is one of some words; the first of them if it is missing.

        Raises:
            SchemaValidationError: It is none of them.
        """
        value = self.text(name) or among[0]
        if value not in among:
            raise SchemaValidationError(
                f"{name} {value[:80]!r} is not known; it must be one of {', '.join(among)}."
            )
        return value

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """Return a parameter that is a whole number.

        Raises:
            SchemaValidationError: It is none, or not between ``low`` and ``high``.
        """
        number = self.number(name)
        if number is None:
            return default
        if number != int(number) or not low <= number <= high:
            raise SchemaValidationError(
                f"{name} {number:g} is not valid; it must be a whole number from {low} to {high}."
            )
        return int(number)

    def number(self, name: str) -> float | None:
        """Return a parameter that is a finite number, None if it is missing.

        Raises:
            SchemaValidationError: It is no number.
        """
        text = self.text(name)
        if text is None:
            return None
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if number - number != 0:
            raise SchemaValidationError(f"{name} {text[:80]!r} is not a finite number.")
        return number
