"""The summary of a run that ``wandb.Api`` gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from quark.compat.wandb.values import plain


class ApiSummary(dict[str, Any]):
    """A run's summary. Items are set here only; ``update`` (or the run's) stores them too."""

    def __init__(self, values: Mapping[str, Any], save: Callable[[], None]) -> None:
        super().__init__(values)
        self._save = save
        self.changed: dict[str, Any] = {}
        self.removed: set[str] = set()

    @property
    def _json_dict(self) -> dict[str, Any]:
        return dict(self)

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, plain(value))
        self.changed[key] = self[key]
        self.removed.discard(key)

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        self.changed.pop(key, None)
        self.removed.add(key)

    def take_over(self, other: ApiSummary) -> None:
        """Change here what was changed in ``other``."""
        for key, value in other.changed.items():
            self[key] = value
        for key in other.removed & self.keys():
            del self[key]

    def update(self, values: Mapping[str, Any] | None = None) -> None:  # type: ignore[override]
        """Set several keys, and store everything that was set."""
        for key, value in (values or {}).items():
            self[key] = value
        self._save()
