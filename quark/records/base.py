"""What every record is: frozen data with an envelope.

The envelope (``id``, ``run_id``, ``timestamp``) is not part of a journaled body: the store derives
it from who wrote the record, when, and as which frame. So a record costs its own fields only.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar

from quark import jsonio

#: The fields that the pipeline and the store fill in, not the body.
ENVELOPE = frozenset({"id", "run_id", "timestamp"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The envelope that all records share.

    ``KIND`` names the family for ever: it is written to disk. ``ESSENTIAL`` records are accepted
    even when the disk budget of a journal is used up. ``FILTERS`` names the fields, besides step
    and epoch, that a store can select by.
    """

    KIND: ClassVar[str] = ""
    ESSENTIAL: ClassVar[bool] = False
    FILTERS: ClassVar[tuple[str, ...]] = ()

    id: str
    run_id: str
    timestamp: str  # ISO 8601, UTC

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain dicts, lists, strings, numbers, booleans and None."""
        return {field.name: jsonio.to_plain(getattr(self, field.name)) for field in fields(self)}
