"""What ``import wandb`` finds first in a process that was started with the alias.

It puts ``quark.compat.wandb`` in its own place. An interpreter that has no Quark goes on to the
W&B that it may have.
"""

import sys
from importlib import import_module
from pathlib import Path

try:
    from quark.compat.wandb import install
except ImportError as error:
    if (error.name or "").partition(".")[0] != "quark":
        raise
    _folder = str(Path(__file__).parent.parent)
    sys.path[:] = [place for place in sys.path if place != _folder]
    del sys.modules[__name__]
    import_module("wandb")
else:
    install()
