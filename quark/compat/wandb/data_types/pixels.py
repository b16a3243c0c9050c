"""From arrays, tensors and figures to the pixels of an image.

Whether an array can be an image is said at once, by its shape; everything that looks at each of its
numbers waits until the pixels are needed. Only what is needed of numpy is imported, and only then.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from quark.compat.wandb.term import warn_once

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_CHANNELS = frozenset(_MODES)
_GRID_COLUMNS, _GRID_PADDING = 8, 2


class PixelSource:
    """An array or a tensor, copied, that becomes pixels later.

    ``mode`` is the mode of an image of it; ``width`` and ``height`` are its size.
    """

    __slots__ = ("_arrive", "_is_batch", "_normalize", "height", "mode", "size_bytes", "width")

    def __init__(self, data: Any, *, normalize: bool) -> None:
        """Take a copy of ``data``.

        Raises:
            ValueError: It does not have the shape of an image.
            TypeError: It does not hold numbers, or has too many dimensions.
        """
        self._normalize = normalize
        self._is_batch = False
        shape = self._take_tensor(data) if is_tensor(data) else self._take_array(data)
        self.height, self.width, channels = shape
        self.mode = _MODES[channels]

    def _take_tensor(self, tensor: Any) -> tuple[int, int, int]:
        from quark.hooks.transfer import Transfer  # torch is there: somebody made the tensor

        shape = tuple(tensor.shape)
        if len(shape) == 4 and shape[1] in _CHANNELS and shape[0] > 1:
            self._is_batch = True
        else:
            while len(shape) > 3 and shape[0] == 1:
                tensor, shape = tensor[0], shape[1:]
            if len(shape) not in (2, 3) or (len(shape) == 3 and shape[0] not in _CHANNELS):
                raise _bad_shape(shape, "(height, width) or (channels, height, width)")
        _refuse_empty(shape)
        transfer = Transfer(tensor.detach(), keep=True)
        self.size_bytes = transfer.size_bytes

        def arrive() -> NDArray[Any]:
            arrived = transfer.wait()
            if arrived.is_floating_point():
                arrived = arrived.float()  # numpy has no bfloat16
            array: NDArray[Any] = arrived.numpy()
            return array if array.ndim == 2 else array.swapaxes(-3, -1).swapaxes(-3, -2)

        self._arrive: Callable[[], NDArray[Any]] = arrive
        if self._is_batch:
            return _grid_size(shape[0], shape[2], shape[3], shape[1])
        return (*shape, 1) if len(shape) == 2 else (shape[1], shape[2], shape[0])

    def _take_array(self, data: Any) -> tuple[int, int, int]:
        import numpy as np

        if hasattr(data, "numpy"):  # an eager tensor of TensorFlow, or of jax
            data = data.numpy()
        array = np.array(data)
        if array.dtype.kind not in "biuf":
            raise TypeError(
                f"An image is made of numbers, not of {type(data).__name__} ({array.dtype}). Pass "
                "an array, a tensor, a PIL image, a figure or the path of a file."
            )
        if array.ndim > 2 and not _is_image(array.shape):
            array = array.squeeze()
        if array.ndim == 3 and array.shape[-1] == 1:
            array = array[..., 0]
        if not _is_image(array.shape):
            raise _bad_shape(np.shape(data), "(height, width) or (height, width, channels)")
        _refuse_empty(array.shape)
        self.size_bytes = array.nbytes
        self._arrive = lambda: array
        height, width, *channels = array.shape
        return height, width, channels[0] if channels else 1

    def pixels(self) -> Pixels:
        """Return the pixels, shape ``(height, width)`` or ``(height, width, channels)``."""
        array = self._arrive()
        pixels = as_bytes(array, normalize=self._normalize)
        if self._is_batch:
            pixels = _grid(pixels)
        return pixels[..., 0] if pixels.ndim == 3 and pixels.shape[-1] == 1 else pixels


def is_tensor(value: Any) -> bool:
    """Say whether ``value`` is a tensor of torch's."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, getattr(torch, "Tensor", ()))


def as_bytes(array: NDArray[Any], *, normalize: bool) -> Pixels:
    """Return numbers as bytes.

    Integers and floats between 0 and 255 are kept as they are. Floats that are all within [0, 1]
    are multiplied by 255, and floats within [-1, 1] are brought to 0 to 255, as W&B did before
    0.31; booleans become 0 and 255. What is beyond 255 or below 0 is cut off, with a warning; the
    infinities are 0 and 255, and NaN is 0. Without ``normalize`` floats and booleans are taken as
    they are.
    """
    import numpy as np

    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.dtype == bool:
        return array.astype(np.uint8) * np.uint8(255 if normalize else 1)
    finite = array
    if array.dtype.kind == "f":
        array = array.astype(np.float32)
        finite = array[np.isfinite(array)]
    low, high = (finite.min(), finite.max()) if finite.size else (0, 0)
    if array.dtype.kind == "f" and normalize and low >= -1 and high <= 1:
        array = np.rint(array * 255 if low >= 0 else (array + 1) * 127.5)
    elif low < 0 or high > 255:
        warn_once(
            "image range",
            f"an image has values from {low:g} to {high:g}; what is below 0 or above 255 was cut "
            "off. Scale it to [0, 1] or to [0, 255] before it is given to wandb.Image.",
        )
    if array.dtype.kind == "f":
        array = np.nan_to_num(array, nan=0.0)
    return array.clip(0, 255).astype(np.uint8)


def _is_image(shape: tuple[int, ...]) -> bool:
    return len(shape) == 2 or (len(shape) == 3 and shape[-1] in _CHANNELS)


def _refuse_empty(shape: tuple[int, ...]) -> None:
    if 0 in shape:
        raise ValueError(f"An array of shape {list(shape)} has no pixels; an image needs some.")


def _bad_shape(shape: tuple[int, ...], wanted: str) -> Exception:
    return (TypeError if len(shape) > 3 else ValueError)(
        f"An array of shape {list(shape)} is no image: it must be {wanted} with 1, 3 or 4 channels."
    )


def _grid_size(count: int, height: int, width: int, channels: int) -> tuple[int, int, int]:
    columns = min(_GRID_COLUMNS, count)
    rows = -(-count // columns)
    padding = _GRID_PADDING
    return rows * (height + padding) + padding, columns * (width + padding) + padding, channels


def _grid(images: Pixels) -> Pixels:
    """Return images of shape ``(n, height, width, channels)`` side by side, eight in a row, with
    two black pixels around each."""
    import numpy as np

    count, height, width, channels = images.shape
    total_height, total_width, _ = _grid_size(count, height, width, channels)
    canvas = np.zeros((total_height, total_width, channels), dtype=np.uint8)
    columns = min(_GRID_COLUMNS, count)
    for position, image in enumerate(images):
        row, column = divmod(position, columns)
        top = _GRID_PADDING + row * (height + _GRID_PADDING)
        left = _GRID_PADDING + column * (width + _GRID_PADDING)
        canvas[top : top + height, left : left + width] = image
    return canvas
