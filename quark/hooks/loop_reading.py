"""What the samples of one training step say: the fields of its record.

This is background work. Rows of a batch are compared by their samples, so two that differ elsewhere
alone would be taken for the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from quark.hooks.loss_shape import probability_rows, recognise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Samples = dict[str, NDArray[np.float32]]

#: Class counts are kept for this many classes at most.
_MAX_CLASSES = 1_000
_LEVEL_ROWS = 16
_CHANGES = {"parameter": "sampled_change_norm", "outside": "outside_change_norm"}


def reading(samples: Samples, before: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields of a record, and of its metadata.

    Args:
        samples: What was taken of one step, by name.
        before: What was taken of the step before; it is filled with what the next call needs.
    """
    row: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    if "input" in samples:
        row |= of_inputs(samples["input"].astype(np.float64))
    if "output" in samples:
        row |= of_outputs(samples["output"].astype(np.float64))
        if "gradient" in samples:
            of_loss(samples, row, metadata, before.get("loss"))
            before["loss"] = metadata.get("loss", before.get("loss"))
    if "gradient_norm" in samples:
        row["output_gradient_norm"] = _finite(samples["gradient_norm"])
    stale = [_finite(samples[name]) for name in samples if name.startswith("before ")]
    known = [norm for norm in stale if norm is not None]
    if known:
        row["stale_gradient_norm"] = min(known)
    for name, field in (("after", "backward_gradient_norm"), ("step", "step_gradient_norm")):
        if name in samples:
            row[field] = _finite(samples[name])
    for name, field in _CHANGES.items():
        now, last = samples.get(name), before.get(name)
        if now is not None:
            if last is not None and last.shape == now.shape:
                row[field] = _finite(now.astype(np.float64) - last)
            before[name] = now
    return row, metadata


def of_inputs(batch: Floats) -> dict[str, Any]:
    """Return what the sampled rows of a batch are like."""
    rows = batch.reshape(len(batch), -1)
    finite = rows.ravel()
    if not np.isfinite(finite.sum()):
        finite = finite[np.isfinite(finite)]
    row: dict[str, Any] = {
        "sampled_row_count": rows.shape[0],
        "sampled_column_count": rows.shape[1],
    }
    if len(finite):
        row["input_mean"], row["input_std"] = float(finite.mean()), float(finite.std())
        row["input_min"], row["input_max"] = float(finite.min()), float(finite.max())
    ordered = np.sort(rows[:_LEVEL_ROWS], axis=1)
    levels = np.sort((ordered[:, 1:] != ordered[:, :-1]).sum(axis=1) + 1)
    row["input_levels"] = int(levels[len(levels) // 2])
    if len(rows) > 1:
        marks = np.sort(row_marks(rows))
        row["duplicate_row_ratio"] = float((marks[1:] == marks[:-1]).sum() / len(rows))
    # Numbers in a row are no sequence, unless they are whole ones: tokens.
    if batch.ndim == 3 or (batch.ndim == 2 and not (rows[0] % 1).any()):
        row["padding_ratio"] = padding_ratio(batch)
    return row


def row_marks(rows: Floats) -> Floats:
    """Return a number for each row, the same for equal ones: a sum with odd weights is as good as
    the row itself, and soon compared.

    >>> first, other, again = row_marks(np.array([[1.0, 2.0], [2.0, 1.0], [1.0, 2.0]])).tolist()
    >>> first == again, first == other
    (True, False)
    """
    weights = np.sqrt(np.arange(2.0, rows.shape[1] + 2.0))
    return np.asarray((rows * weights).sum(axis=1))


def padding_ratio(batch: Floats) -> float | None:
    """Return the share of a batch that is the same token at the end of rows, or at their start.

    None where the batch is no sequences. Of sequences of vectors, padding is all zeros.

    >>> padding_ratio(np.array([[5.0, 3.0, 0.0, 0.0], [5.0, 1.0, 2.0, 0.0]]))
    0.25
    """
    if batch.ndim == 3:
        empty = (batch == 0).all(axis=2)
    elif batch.ndim == 2 and batch.shape[1] > 1:
        empty = None
    else:
        return None
    shares = []
    for side in (slice(None, None, -1), slice(None)):  # from the end, from the start
        if empty is None:
            from_side = batch[:, side]
            values, counts = np.unique(from_side[:, 0], return_counts=True)
            filled = from_side == values[counts.argmax()]
        else:
            filled = empty[:, side]
        length = np.cumprod(filled, axis=1).sum(axis=1)
        # One token alone is no padding, unless others are padded further.
        shares.append(float(np.where(length > 1, length, 0).sum() / filled.size))
    return max(shares)


def of_outputs(outputs: Floats) -> dict[str, Any]:
    """Return what the sampled rows of an output are like."""
    if not np.isfinite(outputs).all():
        return {}
    row: dict[str, Any] = {
        "output_min": float(outputs.min()),
        "output_max": float(outputs.max()),
        "probability_row_ratio": float(probability_rows(outputs).mean()),
    }
    if outputs.shape[1] > 1:
        counts = np.bincount(outputs.argmax(axis=1))
        row["top_prediction_ratio"] = float(counts.max() / len(outputs))
    return row


def of_loss(
    samples: Samples, row: dict[str, Any], metadata: dict[str, Any], expected: str | None = None
) -> None:
    """Add what the gradient of the outputs gives away of the loss and of the targets."""
    outputs, gradient = samples["output"], samples["gradient"]
    if outputs.shape != gradient.shape:
        return
    found = recognise(outputs.astype(np.float64), gradient.astype(np.float64), expected=expected)
    if found is None:
        return
    metadata["loss"] = found.kind
    row["loss_direction"] = float(found.direction)
    row["loss_row_scale"] = found.row_scale
    if found.targets is not None and found.direction >= 0 and outputs.shape[1] <= _MAX_CLASSES:
        classes, counts = np.unique(found.targets, return_counts=True)
        row["target_row_count"] = int(counts.sum())
        row["distinct_target_count"] = len(classes)
        row["top_target_ratio"] = float(counts.max() / counts.sum())
        pairs = zip(classes.tolist(), counts.tolist(), strict=True)
        metadata["target_counts"] = {str(one): count for one, count in pairs}


def _finite(values: Any) -> float | None:
    """Return the L2 norm; None if it is not finite."""
    norm = float(np.sqrt(np.square(np.asarray(values, np.float64)).sum()))
    return norm if np.isfinite(norm) else None
