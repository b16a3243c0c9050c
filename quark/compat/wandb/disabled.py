"""What stands behind a run that keeps nothing: ``mode="disabled"``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from quark.records import Record


class NullSession:
    """Has the methods of a session that a run uses, and forgets whatever it is given."""

    def __init__(self, run_id: str, project: str) -> None:
        self.run_id = run_id
        self.project_name = project
        import tempfile  # only who disables a run needs it

        self.run_path = Path(tempfile.gettempdir()) / "wandb" / f"run-{run_id}"
        self.status = "running"
        self.ended = False

    def log_row(self, data: Mapping[str, Any], step: int) -> int:
        return 0

    def emit(self, kind: type[Record], **fields: Any) -> None:
        return None

    def update_run(self, **changes: Any) -> None:
        return None

    def update_config(self, values: Mapping[str, Any], removed: Iterable[str] = ()) -> None:
        return None

    def update_summary(
        self, values: Mapping[str, Any], removed: Iterable[str] = (), **place: Any
    ) -> None:
        return None

    def end_run(self, status: str = "completed", **_: Any) -> None:
        self.status = status
        self.ended = True

    def end_after(self, error: BaseException, **_: Any) -> None:
        self.end_run("failed")
