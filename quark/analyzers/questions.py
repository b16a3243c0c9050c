"""What ``read_...`` methods check before they read."""

from __future__ import annotations

from collections.abc import Sequence

from quark.errors import SchemaValidationError


def check_word(name: str, word: str | None, words: Sequence[str]) -> None:
    """Check that ``word`` is one of ``words``, or None.

    Raises:
        SchemaValidationError: It is not.
    """
    if word is not None and word not in words:
        raise SchemaValidationError(
            f"{name} is {word!r}, but must be one of {', '.join(map(repr, words))}."
        )


def check_numbers_from_0(**numbers: int | None) -> None:
    """Check that each is a whole number of 0 or more, or None.

    Raises:
        SchemaValidationError: One is not.
    """
    for name, number in numbers.items():
        if number is not None and (
            isinstance(number, bool) or not isinstance(number, int) or number < 0
        ):
            raise SchemaValidationError(
                f"{name} is {number!r}, but must be a whole number of 0 or more."
            )
