"""The number that every file of a store carries; it grows when old files must be rewritten."""

from __future__ import annotations

from typing import Final

CURRENT_SCHEMA_VERSION: Final = 1
