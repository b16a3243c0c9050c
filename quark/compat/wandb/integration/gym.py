"""``wandb.gym``: videos that an environment's recorder writes are logged, under ``videos``.

W&B follows ``gym`` and ``gymnasium`` below 1.0; here ``RecordVideo`` of newer gymnasium and the
recorder of Stable-Baselines3 are followed too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from importlib.util import find_spec
from types import ModuleType
from typing import Any, NamedTuple

from quark.compat import wandb
from quark.compat.wandb.errors import Error
from quark.compat.wandb.integration.patched import PATCHED
from quark.compat.wandb.integration.when_imported import WhenImported

__all__ = ["monitor", "unmonitor"]


class Recorder(NamedTuple):
    """A class that writes videos, the method that ends one, and where the video is then."""

    owner: str
    method: str
    path: Callable[[Any], str | None]


def _record_video_path(recorder: Any) -> str | None:
    name = getattr(recorder, "_video_name", None)
    frames = getattr(recorder, "recorded_frames", ())
    return os.path.join(recorder.video_folder, f"{name}.mp4") if name and len(frames) else None


def _old_path(recorder: Any) -> str | None:
    return recorder.path if getattr(recorder, "enabled", False) else None


RECORDERS = {
    "gymnasium.wrappers.rendering": Recorder("RecordVideo", "stop_recording", _record_video_path),
    "gymnasium.wrappers.monitoring.video_recorder": Recorder("VideoRecorder", "close", _old_path),
    "gym.wrappers.monitoring.video_recorder": Recorder("VideoRecorder", "close", _old_path),
    "stable_baselines3.common.vec_env.vec_video_recorder": Recorder(
        "VecVideoRecorder", "_stop_recording", lambda recorder: recorder.video_path
    ),
}

_originals: list[tuple[type, str, Callable[..., Any]]] = []


def monitor() -> None:
    """Log every video that is recorded from now on, while a run is open.

    Raises:
        Error: Neither gymnasium nor gym is installed.
    """
    if find_spec("gymnasium") is None and find_spec("gym") is None:
        raise Error("wandb.gym.monitor() needs gymnasium: pip install gymnasium")
    monitor_if_installed()


def monitor_if_installed() -> None:
    """Do the same for ``wandb.init(monitor_gym=True)``, whatever is installed."""
    _modules.start()


def unmonitor() -> None:
    """Log videos no longer."""
    _modules.stop()
    for owner, name, method in reversed(_originals):
        setattr(owner, name, method)
    _originals.clear()
    PATCHED["gym"].clear()


def _patch(module: ModuleType) -> None:
    recorder = RECORDERS[module.__name__]
    owner = getattr(module, recorder.owner, None)
    if owner is None or any(known is owner for known, _, _ in _originals):
        return
    end = getattr(owner, recorder.method)

    def end_and_log(self: Any, *args: Any, **keywords: Any) -> Any:
        path = recorder.path(self)
        result = end(self, *args, **keywords)
        if path is not None and wandb.run is not None and os.path.isfile(path):
            found = re.match(r".+(video\.\d+).+", path)
            wandb.log({found.group(1) if found else "videos": wandb.Video(path)})
        return result

    end_and_log.__name__ = recorder.method
    _originals.append((owner, recorder.method, end))
    setattr(owner, recorder.method, end_and_log)
    PATCHED["gym"].append([f"{module.__name__}.{recorder.owner}", recorder.method])


_modules = WhenImported(RECORDERS, _patch)
