"""Which methods of other libraries are replaced at the moment: ``wandb.patched``."""

from __future__ import annotations

#: Library by library, pairs of a module and a name in it.
PATCHED: dict[str, list[list[str]]] = {"tensorboard": [], "keras": [], "gym": []}
