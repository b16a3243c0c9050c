"""Event files that were written past Python, as TensorFlow's own writers do: read when a run ends.

Their rows come after all others, so a run is best followed with a writer of torch or tensorboardX.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from quark.compat.wandb.integration.requirement import library


def event_file_names(folder: str) -> list[str]:
    """Return the names of the event files in ``folder``; none if there is no such folder."""
    try:
        return sorted(name for name in os.listdir(folder) if "tfevents" in name)
    except OSError:
        return []


def read_events(path: str) -> Iterator[Any]:
    """Yield the events of a file in their order, as far as it is complete.

    Raises:
        MissingLibraryError: tensorboard, whose loader this needs, is not installed.
    """
    loader = library(
        "tensorboard.backend.event_processing.event_file_loader", integration="tensorboard"
    )
    yield from loader.EventFileLoader(path).Load()
