"""``WandbCallback``: the one callback of older W&B, as far as Keras 3 has what it needs.

W&B 0.31 has removed it; scripts still use it. Each epoch is a row with ``epoch``, the metrics, and
if asked for weights, gradients and predictions.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from quark.compat import wandb
from quark.compat.wandb import term
from quark.compat.wandb.integration.keras.numbers import array
from quark.compat.wandb.integration.keras.predictions import prediction_images
from quark.compat.wandb.integration.open_run import open_run
from quark.compat.wandb.integration.requirement import library

_Base: Any = library("keras.callbacks", integration="keras").Callback

#: Arguments that are taken and have no effect with Keras 3, and why.
_WITHOUT_EFFECT = {
    "log_gradients": "Keras 3 shows a callback no gradients; with torch call wandb.watch(model)",
    "compute_flops": "it counts operations of a TensorFlow graph",
    "save_graph": "Keras 3 has no graph of layers that all its models share",
}
_RISING = ("acc", "fmeasure", "auc", "precision", "recall", "f1")


class WandbCallback(_Base):  # type: ignore[misc]
    """Logs every epoch, keeps the best value of one metric, and saves the best model.

    The summary has ``best_<monitor>`` and ``best_epoch``. Where ``monitor`` gets better the model
    is saved as ``model-best.keras`` (``model-best.weights.h5`` with ``save_weights_only``) in the
    run's folder.

    Args:
        monitor: The metric that says which model is best.
        verbose: 1 to hear of each save.
        mode: ``"min"``, ``"max"``, or ``"auto"``: by the name of the metric.
        save_weights_only: Save the weights alone.
        log_weights: Log a histogram of each layer's weights.
        log_gradients: Has no effect here; it warns.
        save_model: Save the best model.
        training_data: Not needed here.
        validation_data: Samples and their labels, for ``log_evaluation`` and ``data_type``.
        labels: The names of the classes.
        predictions: How many samples to log predictions of.
        generator: In place of ``validation_data``: gives samples and labels.
        data_type: ``"image"`` logs predictions as images with captions.
        log_batch_frequency: Log a row every so many batches too.
        log_best_prefix: What the summary's keys of the best epoch begin with; None for none.
        save_graph: Has no effect here.
        validation_steps: How many batches of ``generator`` to take.
        validation_row_processor: Accepted; rows are logged as they are.
        prediction_row_processor: As ``validation_row_processor``.
        infer_missing_processors: As ``validation_row_processor``.
        log_evaluation: Log a table of samples and predictions when the training ends.
        log_evaluation_frequency: Log it every so many epochs too.
        compute_flops: Has no effect here; it warns.

    Raises:
        Error: No run is open.
        ValueError: ``mode`` is unknown.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        verbose: int = 0,
        mode: str = "auto",
        save_weights_only: bool = False,
        log_weights: bool = False,
        log_gradients: bool = False,
        save_model: bool = True,
        training_data: Any = None,
        validation_data: Any = None,
        labels: Sequence[str] = (),
        predictions: int = 36,
        generator: Any = None,
        input_type: str | None = None,
        output_type: str | None = None,
        log_evaluation: bool = False,
        validation_steps: int | None = None,
        class_colors: Any = None,
        log_batch_frequency: int | None = None,
        log_best_prefix: str | None = "best_",
        save_graph: bool = True,
        validation_indexes: Any = None,
        validation_row_processor: Any = None,
        prediction_row_processor: Any = None,
        infer_missing_processors: bool = True,
        log_evaluation_frequency: int = 0,
        compute_flops: bool = False,
        data_type: str | None = None,
        **_: Any,
    ) -> None:
        super().__init__()
        open_run("WandbCallback()")
        self.monitor = monitor
        self.verbose = verbose
        self.save_weights_only = save_weights_only
        self.save_model = save_model
        self.log_weights = log_weights
        self.log_batch_frequency = log_batch_frequency
        self.log_best_prefix = log_best_prefix
        self.log_evaluation = log_evaluation
        self.log_evaluation_frequency = log_evaluation_frequency
        self.labels = list(labels)
        self.predictions = predictions
        self.data_type = data_type or input_type
        self._samples = _samples(validation_data, generator, validation_steps or 1, predictions)
        self._is_better, self.best = _comparison(mode, monitor)
        suffix = "weights.h5" if save_weights_only else "keras"
        self.filepath = str(Path(open_run("WandbCallback()").dir) / f"model-best.{suffix}")
        asked = {"log_gradients": log_gradients, "compute_flops": compute_flops}
        for name in (name for name, wanted in asked.items() if wanted):
            term.warn_once(
                f"keras {name}",
                f"WandbCallback({name}=True) has no effect: {_WITHOUT_EFFECT[name]}.",
            )

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Log a batch's row, if it is due."""
        if self.log_batch_frequency and batch % self.log_batch_frequency == 0:
            wandb.log(dict(logs or {}), commit=True)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Log the epoch's row, and save the model if it is the best so far."""
        logs = dict(logs or {})
        if self.log_weights:
            wandb.log(self._weights(), commit=False)
        if self.data_type in ("image", "images") and self._samples is not None:
            images = prediction_images(self.model, self._samples, self.labels)
            wandb.log({"examples": images}, commit=False)
        if self.log_evaluation_frequency and (epoch + 1) % self.log_evaluation_frequency == 0:
            self._log_evaluation(commit=False)
        wandb.log({"epoch": epoch, **logs}, commit=True)
        current = logs.get(self.monitor)
        if current is None:
            term.warn_once(
                f"keras monitor {self.monitor}",
                f"the metric {self.monitor!r} is not among {', '.join(logs) or 'none'}, so no "
                "model is the best. Pass monitor= with one of them.",
            )
        elif self._is_better(current, self.best):
            self.best = current
            if self.log_best_prefix is not None:
                wandb.summary[f"{self.log_best_prefix}{self.monitor}"] = current
                wandb.summary[f"{self.log_best_prefix}epoch"] = epoch
            if self.save_model:
                self._save(epoch, current)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Log the table of predictions, if it was asked for."""
        if self.log_evaluation and not self.log_evaluation_frequency:
            self._log_evaluation(commit=True)

    def _save(self, epoch: int, current: float) -> None:
        if self.save_weights_only:
            self.model.save_weights(self.filepath, overwrite=True)
        else:
            self.model.save(self.filepath, overwrite=True)
        if self.verbose:
            wandb.termlog(
                f"epoch {epoch}: {self.monitor} is {current:.5f}, the best so far; saved."
            )

    def _weights(self) -> dict[str, Any]:
        found = {}
        for layer in self.model.layers:
            weights = layer.weights
            for weight, kind in zip(weights, ("weights", "bias"), strict=False):
                key = f"parameters/{layer.name}" + (f".{kind}" if len(weights) > 1 else "")
                found[key] = wandb.Histogram(array(weight))
        return found

    def _log_evaluation(self, *, commit: bool) -> None:
        if self._samples is None:
            term.warn_once(
                "keras log_evaluation", "log_evaluation=True needs validation_data or generator."
            )
            return
        samples, truth = self._samples
        guesses = self.model.predict(samples, verbose=0)
        rows = [
            [number, array(label).tolist(), guess.tolist()]
            for number, (label, guess) in enumerate(zip(truth, guesses, strict=False))
        ]
        table = wandb.Table(columns=["index", "target", "output"], data=rows)
        wandb.log({"validation_predictions": table}, commit=commit)


def _comparison(mode: str, monitor: str) -> tuple[Callable[[Any, Any], bool], float]:
    if mode not in ("auto", "min", "max"):
        raise ValueError(f"mode is {mode!r}, but must be 'auto', 'min' or 'max'.")
    rising = mode == "max" or (mode == "auto" and any(word in monitor for word in _RISING))
    return (operator.gt, float("-inf")) if rising else (operator.lt, float("inf"))


def _samples(data: Any, generator: Any, batches: int, count: int) -> tuple[Any, Any] | None:
    """Return samples and their labels, at most ``count`` of each."""
    if data is None and generator is not None:
        import numpy

        source = iter(generator)
        taken = [next(source) for _ in range(batches)]
        data = tuple(numpy.concatenate([batch[part] for batch in taken]) for part in (0, 1))
    if not isinstance(data, (tuple, list)) or len(data) < 2:
        return None
    return data[0][:count], data[1][:count]
