"""What the shim says on the terminal, and how loud it is. The channel is :mod:`quark.ui`."""

from __future__ import annotations

from quark import ui
from quark.compat.wandb.use_counts import warned

_silent = False


def set_silent(silent: bool) -> None:
    """Say nothing from now on (``WANDB_SILENT``, ``Settings(silent=True)``), or speak again."""
    global _silent
    _silent = silent


def termlog(string: str = "", newline: bool = True, repeat: bool = True, **_: object) -> None:
    """Say ``string``; with ``repeat=False`` only the first time."""
    _speak(string, "note", repeat)


def termwarn(string: str = "", newline: bool = True, repeat: bool = True, **_: object) -> None:
    """Warn with ``string``; with ``repeat=False`` only the first time."""
    _speak(string, "warning", repeat)


def termerror(string: str = "", newline: bool = True, repeat: bool = True, **_: object) -> None:
    """Say ``string``, which tells of an error; with ``repeat=False`` only the first time."""
    _speak(string, "warning", repeat)


def termsetup(*_: object, **__: object) -> None:
    """Accept what W&B's function takes; there is nothing to set up."""


def warn_once(key: str, message: str) -> None:
    """Warn the first time this process comes here with ``key``, and count it for
    ``wandb.compat_report()`` each time."""
    warned(key, message)
    if not _silent:
        ui.warn_once(f"wandb {key}", message)


def _speak(message: str, tone: ui.Tone, repeat: bool) -> None:
    if _silent:
        return
    if not repeat:
        ui.warn_once(f"wandb {message}", message)
    else:
        ui.say(message, tone=tone)
