"""``python -m quark.compat.wandb.mirror RUN``: send a run to the real ``wandb`` until it ends.

What can go wrong here ends this process and nothing else.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from typing import Any

from quark.compat.wandb.mirror.follow import Mirror


def main(arguments: list[str] | None = None) -> int:
    """Mirror one run; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m quark.compat.wandb.mirror")
    parser.add_argument("run", help="the run's id, or its path")
    parser.add_argument("--storage-dir", help="the folder whose .quark has the run")
    parser.add_argument("--mode", choices=("online", "offline"), default="online")
    parser.add_argument("--poll-seconds", type=float, default=2.0)
    given = parser.parse_args(arguments)
    Mirror(
        given.run,
        wandb=_real_wandb(),
        storage_dir=given.storage_dir,
        mode=given.mode,
        poll_seconds=given.poll_seconds,
    ).follow()
    return 0


def _real_wandb() -> Any:
    """Import the package that is installed, also where the alias stands in for it."""
    from quark.compat.wandb.alias.installing import uninstall

    uninstall()
    return import_module("wandb")


if __name__ == "__main__":
    sys.exit(main())
