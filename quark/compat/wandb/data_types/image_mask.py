"""A mask on an image: the class of each pixel, kept as a grey PNG."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Self

from quark._optional import require
from quark.compat.wandb.data_types.base import ArtifactFiles, Keeper, Source
from quark.compat.wandb.data_types.classes import checked_labels, default_labels, read_labels
from quark.compat.wandb.data_types.contents import Content
from quark.compat.wandb.data_types.file_media import FileMedia, extension_of, read_file
from quark.compat.wandb.data_types.pixels import is_tensor
from quark.compat.wandb.data_types.png import png_as_wandb
from quark.compat.wandb.errors import MissingKeyError


class ImageMask(FileMedia):
    """A layer on an image that says what each pixel belongs to.

    Args:
        val: ``mask_data``, numbers from 0 to 255 of the image's height and width, or ``path``, a
            grey image of them; and optionally ``class_labels``, names by number.
        key: The name of the layer.

    Raises:
        TypeError: ``mask_data`` has not two dimensions, or holds other numbers; or
            ``class_labels`` are no names by number.
        KeyError: There is neither ``mask_data`` nor ``path``.
        OSError: ``path`` cannot be read.
    """

    _log_type = "mask"
    _folder = "media/images/mask"
    _is_drawn = False  # whether its file was made here

    def __init__(self, val: Mapping[str, Any], key: str) -> None:
        self._key = key
        labels = val.get("class_labels")
        self._given_labels = None if labels is None else checked_labels(labels)
        if "path" in val:
            path = str(val["path"])
            super().__init__(Content.at(path), PurePath(path).suffix)
            return
        if "mask_data" not in val:
            raise MissingKeyError("A mask needs mask_data, a 2D array of class ids, or path.")
        numbers = _checked(val["mask_data"])
        self._is_drawn = True
        super().__init__(Content.made_by(lambda: _png(numbers), numbers.nbytes), ".mask.png")

    @classmethod
    def type_name(cls) -> str:
        return cls._log_type

    def _details(self, keeper: Keeper) -> dict[str, Any]:
        if not self._given_labels:
            return {}
        return {"class_labels": {str(key): name for key, name in self._given_labels.items()}}

    def _details_in_artifact(self, keeper: ArtifactFiles) -> dict[str, Any]:
        return {}  # the labels are among the classes of the image

    def _as_wandb(self, content: bytes) -> bytes:
        return png_as_wandb(content) if self._is_drawn else content

    @property
    def class_labels(self) -> dict[Any, str]:
        """The names of the classes: those that were given, else made of their numbers."""
        if self._given_labels is None:
            import numpy as np

            self._given_labels = default_labels(np.unique(self.pixels()).tolist())
        return self._given_labels

    def labels_of_data(self) -> dict[Any, str]:
        """Return the names of the classes, none if the mask is somebody's file: W&B reads none."""
        return self.class_labels if self._is_drawn or self._given_labels else {}

    def take_names(self, names: Mapping[Any, str]) -> None:
        """Take the names of an image's classes if the mask was given none."""
        if self._given_labels is None:
            self._given_labels = dict(names)

    def pixels(self) -> Any:
        """Return the class of each pixel, shape ``(height, width)``."""
        import numpy as np

        pil = require("PIL.Image", purpose="wandb.Image")
        with pil.open(io.BytesIO(self.read_bytes())) as image:
            return np.array(image.convert("L"))

    @classmethod
    def from_json(cls, fields: Mapping[str, Any], source: Source) -> Self:
        mask = cls.__new__(cls)
        path = str(fields["path"])
        FileMedia.__init__(mask, read_file(source, path), extension_of(path))
        mask._key = ""
        labels = fields.get("class_labels")
        mask._given_labels = None if labels is None else read_labels(labels)
        return mask


def _checked(data: Any) -> Any:
    """Return a copy of the numbers of a mask as bytes."""
    import numpy as np

    if is_tensor(data):
        data = data.detach().cpu().numpy()
    numbers = np.asarray(data)
    if numbers.ndim != 2:
        raise TypeError(f"mask_data must have two dimensions, not the shape {numbers.shape}.")
    if numbers.dtype.kind not in "biuf":
        raise TypeError(f"mask_data must hold numbers, not {numbers.dtype}.")
    if numbers.dtype != np.uint8 and numbers.size and not ((numbers >= 0) & (numbers <= 255)).all():
        raise TypeError("mask_data must hold numbers from 0 to 255.")
    return numbers.astype(np.uint8)  # a copy


def _png(numbers: Any) -> bytes:
    pil = require("PIL.Image", purpose="wandb.Image")
    buffer = io.BytesIO()
    pil.fromarray(numbers).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
