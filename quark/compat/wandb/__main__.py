"""``python -m quark.compat.wandb script.py``: a script as it is, with Quark as its ``wandb``."""

from __future__ import annotations

import sys

from quark.compat.launching import launch

if __name__ == "__main__":
    sys.exit(launch("python -m quark.compat.wandb", sys.argv[1:]))
