"""Sends runs to the real ``wandb`` as well, for a team that moves step by step.

The training has nothing to do with it: :mod:`~quark.compat.wandb.mirror.start` starts a process
that reads the run from Quark's store, as any reader does, and logs it with the installed
``wandb``. It may be slow, fail or be killed; the run is kept, and
``python -m quark.compat.wandb.mirror RUN`` sends it again.
"""
