"""What a TensorBoard event holds, as values to log.

Works on the event objects of tensorboard, torch and tensorboardX alike: they are looked at by
their fields, and none of the three packages is needed here.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Mapping
from typing import Any

from quark.compat import wandb

#: The numbers that TensorBoard's ``DataType`` has for what a tensor holds: numpy's name for it, and
#: the field that lists the elements where they are not packed.
_NUMBERS = {
    1: ("float32", "float_val"),
    2: ("float64", "double_val"),
    3: ("int32", "int_val"),
    4: ("uint8", "int_val"),
    5: ("int16", "int_val"),
    6: ("int8", "int_val"),
    9: ("int64", "int64_val"),
    10: ("bool", "bool_val"),
}
#: Below this every whole number is one of 32 bits.
_ALL_WHOLE = 2.0**24

#: What is taken of a tensor, by the plugin it is for; of others nothing.
_SCALARS = ("scalars", "")


def event_values(event: Any) -> dict[str, Any]:
    """Return the values of an event by their tags, without those that are not kept.

    Scalars are numbers, images a list of ``wandb.Image`` (or ``wandb.Video`` for a GIF), histograms
    a ``wandb.Histogram``, texts their text, and a precision-recall curve is a ``wandb.Table``.
    """
    return summary_values(event.summary) if event.WhichOneof("what") == "summary" else {}


def summary_values(summary: Any) -> dict[str, Any]:
    """Return the values of a ``Summary`` by their tags."""
    values: dict[str, Any] = {}
    for part in summary.value:
        kind = part.WhichOneof("value")
        if kind == "simple_value":
            values[part.tag] = shortest(part.simple_value)
        elif kind == "histo":
            values[part.tag] = _histogram(
                part.histo.bucket, [part.histo.min, *part.histo.bucket_limit]
            )
        elif kind == "image":
            images = [_image(part.image.encoded_image_string)]
            _add_images(part.tag, images, values)
        elif kind == "tensor":
            _add_tensor(part, values)
    return values


def hyperparameters(event: Any) -> dict[str, Any]:
    """Return what ``add_hparams`` was told, by name; empty for other events."""
    if event.WhichOneof("what") != "summary":
        return {}
    for part in event.summary.value:
        if part.tag == "_hparams_/session_start_info":
            data = _hyperparameter_message(event)
            if data is not None:
                data.ParseFromString(part.metadata.plugin_data.content)
                return {
                    name: getattr(value, kind)
                    for name, value in data.session_start_info.hparams.items()
                    if (kind := value.WhichOneof("kind")) in _HYPERPARAMETERS
                }
    return {}


_HYPERPARAMETERS = ("number_value", "string_value", "bool_value")


def shortest(number: float) -> float:
    """Return the number with the fewest digits that is ``number`` in 32 bits.

    TensorBoard keeps 32 bits of a scalar, so 0.1 comes out of an event as 0.10000000149.

    >>> shortest(0.10000000149011612)
    0.1
    """
    if abs(number) < _ALL_WHOLE and number == number // 1:
        return number
    packed = struct.pack("f", number)
    for digits in (7, 8):
        shown = float(f"{number:.{digits}g}")
        if struct.pack("f", shown) == packed:
            return shown
    return float(f"{number:.9g}")


def _add_tensor(part: Any, values: dict[str, Any]) -> None:
    plugin = part.metadata.plugin_data.plugin_name
    if plugin in _SCALARS:
        numbers = _array(part.tensor)
        if numbers is not None and numbers.size == 1:
            values[part.tag] = shortest(float(numbers.item()))
    elif plugin == "images":
        encoded = part.tensor.string_val[2:]  # the first two are width and height
        _add_images(part.tag, [_image(data) for data in encoded], values)
    elif plugin == "text":
        texts = [data.decode("utf-8", "replace") for data in part.tensor.string_val]
        values[part.tag.removesuffix("/text_summary")] = "\n".join(texts)
    elif plugin == "histograms":
        ranges = _array(part.tensor)
        if ranges is not None and len(ranges):
            edges = [ranges[0][0], *ranges[:, 1]]
            values[part.tag] = _histogram(ranges[:, 2], edges)
    elif plugin == "pr_curves":
        curves = _array(part.tensor)
        if curves is not None:
            values[part.tag] = _precision_recall(curves)


def _add_images(tag: str, images: list[Any], values: dict[str, Any]) -> None:
    """Add images; those of tags that end in a number, as ``gan/0`` and ``gan/1``, go together."""
    name, _, last = tag.rpartition("/")
    key = name if name and last.isdigit() else tag
    values.setdefault(key, []).extend(images)


def _image(encoded: bytes) -> Any:
    if encoded.startswith(b"GIF"):
        return wandb.Video(io.BytesIO(encoded), format="gif")
    from quark._optional import require

    pillow = require("PIL.Image", purpose="An image of a SummaryWriter")
    return wandb.Image(pillow.open(io.BytesIO(encoded)))


def _histogram(counts: Iterable[float], edges: Iterable[float]) -> Any:
    """Return a histogram; neighbouring ranges are joined if there are more than it may have."""
    heights, limits = [float(count) for count in counts], [float(edge) for edge in edges]
    if len(heights) > 1 and not heights[0]:  # only says where the first range begins
        heights, limits = heights[1:], limits[1:]
    together = -(-len(heights) // wandb.Histogram.MAX_LENGTH)
    if together > 1:
        starts = range(0, len(heights), together)
        limits = [*(limits[start] for start in starts), limits[-1]]
        heights = [sum(heights[start : start + together]) for start in starts]
    return wandb.Histogram(np_histogram=(heights, limits))


def _precision_recall(curves: Any) -> Any:
    """Return the points of a curve by rising recall; the last two rows are precision and recall."""
    points = zip(curves[-1].tolist(), curves[-2].tolist(), strict=True)
    kept = sorted((p for p in points if any(p)), key=lambda point: (point[0], -point[1]))
    return wandb.Table(columns=["recall", "precision"], data=[list(point) for point in kept])


def _array(tensor: Any) -> Any:
    """Return a tensor's numbers as an array, or None if it holds something else."""
    import numpy

    if tensor.dtype not in _NUMBERS:
        return None
    name, field = _NUMBERS[tensor.dtype]
    shape = [dimension.size for dimension in tensor.tensor_shape.dim]
    if tensor.tensor_content:
        return numpy.frombuffer(tensor.tensor_content, dtype=name).reshape(shape)
    listed = numpy.array(getattr(tensor, field), dtype=name)
    if listed.size == 1:
        return numpy.full(shape, listed[0])  # one element stands for all of them
    return listed.reshape(shape)


def _hyperparameter_message(event: Any) -> Any:
    """Return an empty message of the kind that hyperparameters are kept in, or None."""
    from importlib import import_module

    own = "tensorboardX.proto.plugin_hparams_pb2"
    usual = "tensorboard.plugins.hparams.plugin_data_pb2"
    places = (own, usual) if type(event).__module__.startswith("tensorboardX") else (usual, own)
    for place in places:
        try:
            message: type = import_module(place).HParamsPluginData
        except ImportError:
            continue
        return message()
    return None


def merged(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Return ``values`` under the folder of their writer."""
    return {f"{prefix}/{tag}": value for tag, value in values.items()} if prefix else dict(values)
