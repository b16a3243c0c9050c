"""``WandbLogger``: logs what a Fabric training loop logs. Rows have ``trainer/global_step``."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from quark.compat import wandb
from quark.compat.wandb.environment import process_settings
from quark.compat.wandb.integration.requirement import library

_FABRIC = "lightning.fabric" if importlib.util.find_spec("lightning") else "lightning_fabric"
_Base: Any = library(f"{_FABRIC}.loggers.logger", integration="lightning.fabric").Logger
_rank_zero: Any = library(f"{_FABRIC}.utilities.rank_zero", integration="lightning.fabric")

DEFAULT_PROJECT = "lightning_fabric_logs"
GLOBAL_STEP = "trainer/global_step"


class WandbLogger(_Base):  # type: ignore[misc]
    """A logger for ``lightning.Fabric(loggers=...)``. Only the process of rank 0 logs.

    Args:
        name: The run's name.
        save_dir: The folder of the run, as ``wandb.init(dir=)``.
        version: The run's id.
        offline: Keep the run in the local store, as it is without this too.
        dir: As ``save_dir``, which wins.
        id: As ``version``, which wins.
        anonymous: Accepted; there are no accounts.
        project: The project; else ``WANDB_PROJECT``, else ``lightning_fabric_logs``.
        log_model: Log checkpoints as artifacts: ``"all"`` at once, True when the training ends.
        experiment: A run that is open already.
        prefix: What keys begin with, before a ``-``.
        checkpoint_name: The name of the artifact; else ``model-<id>``.
        log_checkpoint_on: ``"success"`` or ``"all"``: whether a training that failed logs too.
        keywords: Further arguments of ``wandb.init``.
    """

    LOGGER_JOIN_CHAR = "-"

    def __init__(
        self,
        name: str | None = None,
        save_dir: str | os.PathLike[str] | None = ".",
        version: str | None = None,
        offline: bool = False,
        dir: str | os.PathLike[str] | None = None,
        id: str | None = None,
        anonymous: bool | None = None,
        project: str | None = None,
        log_model: str | bool = False,
        experiment: Any = None,
        prefix: str = "",
        checkpoint_name: str | None = None,
        log_checkpoint_on: str = "success",
        **keywords: Any,
    ) -> None:
        super().__init__()
        self._log_model = log_model
        self._prefix = prefix
        self._experiment = experiment
        self._checkpoint_name = checkpoint_name
        self._log_checkpoint_on = log_checkpoint_on
        self._logged: dict[str, float] = {}
        self._checkpoint_callback: Any = None
        self._attach_id: str | None = None
        folder = save_dir if save_dir is not None else dir
        self._wandb_init: dict[str, Any] = {
            "name": name,
            "project": project or process_settings().get("project") or DEFAULT_PROJECT,
            "dir": None if folder is None else os.fspath(folder),
            "id": version or id,
            "resume": "allow",
            **({"mode": "offline"} if offline else {}),
            **keywords,
        }
        self._id: str | None = self._wandb_init["id"]

    @property
    def experiment(self) -> Any:
        """The run; it is opened when it is asked for first. Of rank 0 only: None elsewhere."""
        if _rank_zero.rank_zero_only.rank > 0:
            return None
        if self._experiment is None:
            if wandb.run is not None:
                self._experiment = wandb.run
            elif self._attach_id is not None:
                self._experiment = wandb.attach(self._attach_id)
            else:
                self._experiment = wandb.init(**self._wandb_init)
                self._experiment.define_metric(GLOBAL_STEP)
                self._experiment.define_metric("*", step_metric=GLOBAL_STEP, step_sync=True)
        return self._experiment

    def __getstate__(self) -> dict[str, Any]:
        """Leave the run itself behind: the other process attaches to it."""
        run = self.experiment
        found = {**vars(self), "_experiment": None}
        if run is not None:
            found |= {"_id": run.id, "_attach_id": run._attach_id}
        return found

    @property
    def name(self) -> str | None:
        """The project, as Lightning wants it; the run's name is ``experiment.name``."""
        project: str | None = self._wandb_init["project"]
        return project

    @property
    def version(self) -> str | None:
        """The run's id, if it is known."""
        return self._id if self._experiment is None else str(self._experiment.id)

    @property
    def save_dir(self) -> str | None:
        """The folder that the run was given."""
        folder: str | None = self._wandb_init["dir"]
        return folder

    @property
    def log_dir(self) -> str | None:
        """As :attr:`save_dir`."""
        return self.save_dir

    @property
    def root_dir(self) -> str | None:
        """As :attr:`save_dir`."""
        return self.save_dir

    @property
    def group_separator(self) -> str:
        """What stands between the parts of a key."""
        return self.LOGGER_JOIN_CHAR

    # -- logging -----------------------------------------------------------------------------

    def watch(
        self, model: Any, log: str = "gradients", log_freq: int = 100, log_graph: bool = True
    ) -> None:
        """Follow the gradients and parameters of ``model``."""
        if self.experiment is not None:
            self.experiment.watch(model, log=log, log_freq=log_freq, log_graph=log_graph)

    def log_hyperparams(self, params: Any, *_: Any, **__: Any) -> None:
        """Put a dict, a namespace or a dataclass into the config; functions by their names."""
        if self.experiment is not None:
            if is_dataclass(params) and not isinstance(params, type):
                params = asdict(params)
            given = params if isinstance(params, Mapping) else vars(params)
            values = {
                name: getattr(value, "__name__", str(value)) if callable(value) else value
                for name, value in given.items()
            }
            self.experiment.config.update(values, allow_val_change=True)

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log one row."""
        if self.experiment is None:
            return
        before = f"{self._prefix}{self.LOGGER_JOIN_CHAR}" if self._prefix else ""
        row = {f"{before}{key}": value for key, value in metrics.items()}
        if step is not None:
            row[GLOBAL_STEP] = step
        self.experiment.log(row)

    def log_table(
        self,
        key: str,
        columns: Sequence[str] | None = None,
        data: Sequence[Sequence[Any]] | None = None,
        dataframe: Any = None,
        step: int | None = None,
    ) -> None:
        """Log a table, of columns and rows or of a data frame."""
        names = None if columns is None else list(columns)
        rows = None if data is None else [list(row) for row in data]
        table = wandb.Table(columns=names, data=rows, dataframe=dataframe)
        self.log_metrics({key: table}, step)

    log_text = log_table

    def log_html(self, key: str, htmls: list[Any], step: int | None = None, **each: Any) -> None:
        """Log a list of pages; further arguments are lists, with one value for each."""
        self._log_media(wandb.Html, "htmls", key, htmls, step, each)

    def log_image(self, key: str, images: list[Any], step: int | None = None, **each: Any) -> None:
        """Log a list of images; further arguments are lists, with one value for each."""
        self._log_media(wandb.Image, "images", key, images, step, each)

    def log_audio(self, key: str, audios: list[Any], step: int | None = None, **each: Any) -> None:
        """Log a list of sounds; further arguments are lists, with one value for each."""
        self._log_media(wandb.Audio, "audios", key, audios, step, each)

    def log_video(self, key: str, videos: list[Any], step: int | None = None, **each: Any) -> None:
        """Log a list of videos; further arguments are lists, with one value for each."""
        self._log_media(wandb.Video, "videos", key, videos, step, each)

    def _log_media(
        self,
        kind: Any,
        argument: str,
        key: str,
        items: list[Any],
        step: int | None,
        each: Mapping[str, Sequence[Any]],
    ) -> None:
        if not isinstance(items, list):
            raise TypeError(f"{argument} is a {type(items).__name__}, but must be a list.")
        for name, values in each.items():
            if len(values) != len(items):
                raise ValueError(
                    f"{name} has {len(values)} values for {len(items)} {argument}: give one each."
                )
        media = [
            kind(item, **{name: values[number] for name, values in each.items()})
            for number, item in enumerate(items)
        ]
        self.log_metrics({key: media}, step)

    # -- artifacts ---------------------------------------------------------------------------

    @staticmethod
    def download_artifact(
        artifact: str,
        save_dir: str | os.PathLike[str] | None = None,
        artifact_type: str | None = None,
        use_artifact: bool | None = True,
    ) -> str:
        """Download an artifact and return the folder; with a run open it is one that it used."""
        if wandb.run is not None and use_artifact:
            found = wandb.run.use_artifact(artifact)
        else:
            found = wandb.Api().artifact(artifact, type=artifact_type)
        return str(found.download(root=None if save_dir is None else os.fspath(save_dir)))

    def use_artifact(self, artifact: str, artifact_type: str | None = None) -> Any:
        """Return an artifact that the run uses."""
        return self.experiment.use_artifact(artifact, type=artifact_type)

    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Log what Lightning's ``ModelCheckpoint`` has saved, if ``log_model`` asks for it."""
        every = getattr(checkpoint_callback, "save_top_k", 1) == -1
        if self._log_model == "all" or (self._log_model is True and every):
            self._log_checkpoints(checkpoint_callback)
        elif self._log_model is True:
            self._checkpoint_callback = checkpoint_callback

    def finalize(self, status: str) -> None:
        """Log the checkpoints that wait for the end, unless the training failed."""
        if self.experiment is None or self._checkpoint_callback is None:
            return
        if status == "success" or self._log_checkpoint_on == "all":
            self._log_checkpoints(self._checkpoint_callback)

    def _log_checkpoints(self, callback: Any) -> None:
        found = {str(path): score for path, score in getattr(callback, "best_k_models", {}).items()}
        best, last = (
            getattr(callback, name, "") for name in ("best_model_path", "last_model_path")
        )
        found |= {str(path): None for path in (last, best) if path and str(path) not in found}
        stamps = {path: os.path.getmtime(path) for path in found if os.path.exists(path)}
        for path in sorted(stamps, key=lambda path: stamps[path]):
            if self._logged.get(path, -1.0) >= stamps[path]:
                continue
            score = found[path]
            artifact = wandb.Artifact(
                name=self._checkpoint_name or f"model-{self.experiment.id}",
                type="model",
                metadata={
                    "score": None if score is None else float(score),
                    "original_filename": Path(path).name,
                },
            )
            artifact.add_file(path, name="model.ckpt")
            aliases = ["latest", "best"] if path == str(best) else ["latest"]
            self.experiment.log_artifact(artifact, aliases=aliases)
            self._logged[path] = stamps[path]
