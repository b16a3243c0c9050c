"""What a disabled run gives in the place of an artifact: it takes everything and does nothing."""

from __future__ import annotations

from typing import Any, Self


class Nothing:
    """Every attribute and every call of it is itself."""

    def __getattr__(self, name: str) -> Self:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *_: Any, **__: Any) -> Self:
        return self

    def __getitem__(self, key: Any) -> Self:
        return self

    def __setitem__(self, key: Any, value: Any) -> None:
        return None

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return "<nothing: the run is disabled>"
