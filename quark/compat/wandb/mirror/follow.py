"""Reads a run as it grows and logs it with the real ``wandb``.

Rows are sent once they are closed: when a later row is there, or the run has ended. A row that
comes late, below one that was sent, is left out, because the real ``wandb`` would drop it.
"""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import Any

from quark.compat.wandb.api_run import ApiRun
from quark.compat.wandb.mirror.values import real_row, real_value
from quark.compat.wandb.public_api import Api
from quark.compat.wandb.reading import reading
from quark.records import MetricDefinitionRecord

_OWN_ARTIFACTS = frozenset({"run_table", "wandb-history"})


class Mirror:
    """Sends one run to the real ``wandb``, and follows it until it has ended.

    Args:
        run_path: As ``Api.run`` takes it.
        wandb: The real package.
        storage_dir: The folder whose ``.quark`` has the run; else as any reader finds it.
        mode: Of the real run: ``online`` or ``offline``.
        poll_seconds: How often to look for new rows.
    """

    def __init__(
        self,
        run_path: str,
        *,
        wandb: Any,
        storage_dir: str | None = None,
        mode: str = "online",
        poll_seconds: float = 2.0,
    ) -> None:
        self._wandb = wandb
        self._mode = mode
        self._poll_seconds = poll_seconds
        api = Api(overrides={"dir": storage_dir} if storage_dir else None)
        self._run: ApiRun = api.run(run_path)
        self._next_step = 0
        self._line_count = 0
        self._config: dict[str, Any] = {}
        self._definition_count = 0

    def follow(self) -> None:
        """Send what there is, wait for more, and return when the run has ended and all is sent."""
        real = self._open()
        pause = threading.Event()
        while True:
            self._run.load()
            over = self._run.state not in ("running", "preempting")
            self._send(real, everything=over)
            if over:
                break
            pause.wait(self._poll_seconds)
        self._send_end(real)
        code = self._run.exit_code
        real.finish(exit_code=code if code is not None else int(self._run.state != "finished"))

    def _open(self) -> Any:
        run = self._run
        self._config = dict(run.config)
        folder = self._folder() / "mirror"
        folder.mkdir(exist_ok=True)
        settings = {
            "console": "off",  # what this process prints is not the run's
            "disable_git": True,
            "save_code": False,
            "x_disable_meta": True,
            "x_disable_stats": True,
        }
        return self._wandb.init(
            project=run.project,
            entity=None if run.entity == "local" else run.entity,
            id=run.id,
            name=run.name,
            notes=run.notes,
            tags=list(run.tags) or None,
            group=run.group,
            job_type=run.job_type,
            config=self._config,
            dir=str(folder),
            mode=self._mode,
            resume="allow" if self._mode == "online" else None,
            settings=self._wandb.Settings(**settings),
        )

    def _send(self, real: Any, *, everything: bool) -> None:
        self._send_definitions(real)
        config = dict(self._run.config)
        if config != self._config:
            real.config.update(config, allow_val_change=True)
            self._config = config
        held: dict[str, Any] | None = None
        for row in self._run.scan_history(min_step=self._next_step):
            if held is not None and held["_step"] != row["_step"]:
                self._send_row(real, held)
                held = row
            else:
                held = row if held is None else {**held, **row}
        if held is not None and everything:
            self._send_row(real, held)
        lines = self._run.console_logs()
        new = [line.content for line in lines[self._line_count :]]
        if new:
            real.write_logs("\n".join(new) + "\n")
            self._line_count += len(new)

    def _send_row(self, real: Any, row: dict[str, Any]) -> None:
        step = int(row["_step"])
        real.log(real_row(self._wandb, row, self._find_file), step=step)
        self._next_step = step + 1

    def _send_definitions(self, real: Any) -> None:
        with reading(self._run._where, self._run.id) as store:
            definitions = store.records.read(MetricDefinitionRecord, self._run.id)
        for definition in definitions[self._definition_count :]:
            real.define_metric(
                definition.name,
                step_metric=definition.step_metric,
                step_sync=definition.step_sync,
                hidden=definition.hidden,
                summary=",".join(w for w in definition.summary if w != "best") or None,
                overwrite=definition.overwrite,
            )
        self._definition_count = len(definitions)

    def _send_end(self, real: Any) -> None:
        """Send what is known at the end: what the script set in the summary, files, artifacts."""
        for key, value in dict(self._run.summary).items():
            if not key.startswith("_"):
                real.summary[key] = real_value(self._wandb, value, self._find_file)
        files = self._folder() / "files"
        for file in self._run.files():
            if not file.name.startswith("media/") and (files / file.name).is_file():
                real.save(str(files / file.name), base_path=str(files), policy="now")
        for artifact in self._run.logged_artifacts():
            if artifact.type not in _OWN_ARTIFACTS:
                self._send_artifact(real, artifact)

    def _send_artifact(self, real: Any, artifact: Any) -> None:
        name = artifact.name.partition(":")[0]
        copy = self._wandb.Artifact(
            name, artifact.type, description=artifact.description, metadata=dict(artifact.metadata)
        )
        with tempfile.TemporaryDirectory() as folder:
            copy.add_dir(artifact.download(root=folder))
            aliases = [alias for alias in artifact.aliases if alias != "latest"]
            real.log_artifact(copy, aliases=aliases or None)

    def _find_file(self, path: str) -> Path | None:
        found = self._folder() / "files" / path
        return found if path and found.is_file() else None

    def _folder(self) -> Path:
        folder = self._run._folder()
        if folder is None:
            raise self._wandb.errors.UsageError(f"Run {self._run.id} has no folder here.")
        return folder
