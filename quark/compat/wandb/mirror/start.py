"""Starts the process that mirrors a run, and says at the end where it is with it."""

from __future__ import annotations

import importlib.metadata
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from quark._own_python import own_python
from quark.compat.wandb import term

if TYPE_CHECKING:
    from quark.session import TrainingSession

LOG = "mirror.log"


class MirrorProcess:
    """The process that mirrors one run. It outlives this one until everything is sent."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    def end(self) -> None:
        """Say how far it is. Never waits."""
        code = self._process.poll()
        if code:
            term.termwarn(
                f"the mirror to W&B ended with exit code {code}; {self._log} says why. The run is "
                "kept here all the same."
            )
        elif code is None:
            term.termlog(
                f"the mirror to W&B goes on in process {self._process.pid} until it has sent "
                f"everything; see {self._log}"
            )
            # It is not this process's to wait for, also not when the object goes.
            self._process.returncode = 0


def start_mirror(session: TrainingSession, *, mode: str) -> MirrorProcess | None:
    """Start to mirror a run; None, and a warning, where there is no real ``wandb``."""
    if not _is_installed():
        term.warn_once(
            "mirror",
            "QUARK_WANDB_MIRROR is set, but the package wandb is not installed: the run is kept "
            "here alone. Install it with: pip install wandb",
        )
        return None
    log = session.run_path / LOG
    place = ("--storage-dir", session.context.storage_dir)
    sending = ("--mode", "offline" if mode == "offline" else "online")
    command = own_python("quark.compat.wandb.mirror", session.run_id, *place, *sending)
    try:
        with log.open("ab") as stream:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal is for the training
            )
    except OSError as error:
        term.termwarn(f"the mirror to W&B could not be started: {error}")
        return None
    return MirrorProcess(process, log)


def _is_installed() -> bool:
    """Say whether the real package is there. (The alias has only some of its files.)"""
    return any(
        Path(str(distribution.locate_file("wandb/sdk/wandb_run.py"))).is_file()
        for distribution in importlib.metadata.distributions(name="wandb")
    )
