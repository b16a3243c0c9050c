"""What the Api gives several of: a sequence that is complete when it is made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar, overload

from quark.compat.wandb.symbols import refuse_attribute

T = TypeVar("T")


class Listed(Generic[T]):
    """Several things that were read: a sequence. ``SHOWN`` is what W&B calls it."""

    SHOWN = ""

    def __init__(self, found: Sequence[T]) -> None:
        self._found = found

    @property
    def more(self) -> bool:
        """Whether there are pages to be read yet: no."""
        return False

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[T]:
        return iter(self._found)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        return self._found[index]

    def __getattr__(self, name: str) -> Any:
        raise refuse_attribute(self.SHOWN or type(self).__name__, name)

    def __repr__(self) -> str:
        return f"<{self.SHOWN or type(self).__name__} ({len(self)})>"
