"""What became of journals that others left."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Recovered:
    """What a pass over a journal folder found: frames that were new to the store, that it knew,
    and that it refused for good. ``waiting`` says of writers why they were not delivered."""

    writers: int = 0
    frames: int = 0
    known_frames: int = 0
    refused: int = 0
    damaged: int = 0
    waiting: tuple[str, ...] = ()
    run_ids: tuple[str, ...] = ()
