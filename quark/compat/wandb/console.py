"""``Settings(console=)``: whether what a run's process prints is kept, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quark.compat.wandb.errors import InvalidSettingError
from quark.compat.wandb.run_place import FILES

if TYPE_CHECKING:
    from quark.compat.wandb.settings import Settings
    from quark.session import TrainingSession

#: All but ``off`` do the same here.
CONSOLES = ("auto", "off", "wrap", "redirect", "wrap_raw", "wrap_emu")
LOG_FILE = "output.log"


def check_console(console: Any) -> str:
    """Return ``console`` as the settings show it; ``auto`` becomes what it means.

    Raises:
        InvalidSettingError: It is not one of W&B's words.
    """
    if console not in CONSOLES:
        raise InvalidSettingError(
            f"console is {console!r}, but must be one of {', '.join(CONSOLES)}."
        )
    return "wrap" if console == "auto" else str(console)


def follow(session: TrainingSession, settings: Settings) -> None:
    """Keep what is printed until the run's end; with ``off`` only what ``write_logs`` is given."""
    log_path = (session.run_path / FILES / LOG_FILE).absolute()
    session.handle.capture_console(log_path, listening=settings.console != "off")
