"""``wandb.ArtifactTTL``."""

from __future__ import annotations

from enum import Enum


class ArtifactTTL(Enum):
    """How long a version lives, if not for a duration: as long as others of its team."""

    INHERIT = 0
