"""``wandb.Image``: pixels with a caption, boxes, masks and classes.

The constructor checks what it is given and copies it; encoding waits until the image is stored.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, ClassVar

from quark._optional import require
from quark.compat.wandb.data_types import figures
from quark.compat.wandb.data_types.base import ArtifactFiles, Keeper, Source, captions_of
from quark.compat.wandb.data_types.bounding_boxes import BoundingBoxes2D
from quark.compat.wandb.data_types.classes import Classes
from quark.compat.wandb.data_types.contents import Content
from quark.compat.wandb.data_types.file_media import FileMedia
from quark.compat.wandb.data_types.image_mask import ImageMask
from quark.compat.wandb.data_types.pixels import PixelSource
from quark.compat.wandb.data_types.png import png_as_wandb
from quark.compat.wandb.data_types.references import Reference, is_reference

FILE_TYPES = ("png", "jpg", "jpeg", "bmp")

#: PNG is exact at every level; this one takes a third of the time of the usual 6 and makes photos
#: about a sixth larger.
PNG_LEVEL = 1
_NO_ALPHA = frozenset({"jpg", "jpeg"})


class Image(FileMedia):
    """One image.

    Args:
        data_or_path: The path of a file; a numpy array, ``(height, width)`` or ``(height, width,
            channels)``; a torch tensor, ``(channels, height, width)``, ``(height, width)`` or a
            batch, which becomes a grid; a PIL image; a figure of matplotlib, or pyplot; another
            Image, whose boxes and masks are not taken over. There are 1, 3 or 4 channels.
        mode: A mode of PIL's, such as ``L``, ``RGB`` or ``RGBA``; it follows from the channels.
        caption: A text to show with it.
        grouping: Kept with it.
        classes: Names of classes: :class:`Classes`, or dicts with ``id`` and ``name``.
        boxes: Layers of boxes by name: :class:`BoundingBoxes2D`, or dicts as it takes them.
        masks: Layers of masks by name: :class:`ImageMask`, or dicts as it takes them.
        file_type: ``png``, ``jpg``, ``jpeg`` or ``bmp``; has no effect on files.
        normalize: Whether floats in [0, 1] or [-1, 1] and booleans are brought to 0 to 255. Bytes
            and numbers from 0 to 255 are kept exactly.

    Raises:
        ValueError: The shape is not that of an image, or the file type is none of these.
        TypeError: The data are no numbers, or boxes, masks or classes are not as described.
        OSError: The file cannot be read, or is no image.
        MissingDependencyError: PIL is not installed.

    >>> import numpy as np
    >>> image = Image(np.zeros((4, 6, 3), dtype=np.uint8), caption="black")
    >>> image.width, image.height, image.format
    (6, 4, 'png')
    """

    _log_type = "image-file"
    _folder = "media/images"
    MAX_DIMENSION: ClassVar[int] = 65500
    _is_drawn = False  # whether its file was made here

    def __init__(
        self,
        data_or_path: Any,
        mode: str | None = None,
        caption: str | None = None,
        grouping: int | None = None,
        classes: Classes | Sequence[Mapping[str, Any]] | None = None,
        boxes: Mapping[str, Any] | None = None,
        masks: Mapping[str, Any] | None = None,
        file_type: str | None = None,
        normalize: bool | None = True,
    ) -> None:
        self.format: str = file_type or "png"
        self._grouping: int | None = None
        self._given_classes: Classes | None = None
        self._inherited_classes: Classes | None = None
        self._merged: Classes | None = None
        self._boxes: dict[str, BoundingBoxes2D] = {}
        self._masks: dict[str, ImageMask] = {}
        self._width: int | None = None
        self._height: int | None = None
        if isinstance(data_or_path, Image):
            self._take_image(data_or_path)
            caption = data_or_path._caption if caption is None else caption
            super().__init__(data_or_path._content, data_or_path._extension, caption)
        elif is_reference(data_or_path):
            content: Content = Reference(data_or_path)
            extension = PurePath(data_or_path.partition("?")[0]).suffix
            self.format = extension[1:]
            super().__init__(content, extension, caption)
        elif isinstance(data_or_path, (str, os.PathLike)):
            path = PurePath(os.fspath(data_or_path))
            content = Content.at(path)
            self._take_size(content)
            self.format = path.suffix[1:]
            super().__init__(content, path.suffix, caption)
        else:
            content = self._content_of(data_or_path, mode, normalize is not False)
            super().__init__(content, f".{self.format}", caption)
        self._take_layers(grouping, classes, boxes, masks)

    # -- what it is --------------------------------------------------------------------------

    @property
    def width(self) -> int | None:
        """In pixels; None if the file is elsewhere."""
        return self._width

    @property
    def height(self) -> int | None:
        """In pixels; None if the file is elsewhere."""
        return self._height

    @property
    def image(self) -> Any:
        """The image as one of PIL's, decoded from the file."""
        if isinstance(self._content, Reference):
            return None
        pil = require("PIL.Image", purpose="wandb.Image")
        image = pil.open(io.BytesIO(self.read_bytes()))
        image.load()
        return image

    def to_data_array(self) -> list[Any]:
        """Return the pixels row by row, each a number or a tuple of channels."""
        image = self.image
        pixels = list(image.getdata())
        return [pixels[start : start + image.width] for start in range(0, len(pixels), image.width)]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Image)
            and (self._caption, self._grouping) == (other._caption, other._grouping)
            and (self._width, self._height) == (other._width, other._height)
            and self._classes == other._classes
            and self._same_pixels(other)
        )

    __hash__ = None  # as with W&B

    def _same_pixels(self, other: Image) -> bool:
        if isinstance(self._content, Reference) or isinstance(other._content, Reference):
            return self._content is other._content or self.read_bytes() == other.read_bytes()
        return bool(self.image == other.image)

    @property
    def _classes(self) -> Classes | None:
        """The names of all classes: of boxes, then of masks, then those that were given. Of two
        for one number the last counts. If there are none, those of the image it is made from."""
        if self._merged is None:
            given = self._given_classes
            merged = Classes.of(
                *(boxes._class_labels for boxes in self._boxes.values()),
                *(mask.labels_of_data() for mask in self._masks.values()),
                {} if given is None else given.labels(),
            )
            self._merged = merged or self._inherited_classes
        return self._merged

    # -- making it ---------------------------------------------------------------------------

    def _content_of(self, data: Any, mode: str | None, normalize: bool) -> Content:
        pil = require("PIL.Image", purpose="wandb.Image")
        file_type = self.format
        self._is_drawn = True
        if file_type not in FILE_TYPES:
            raise ValueError(
                f"file_type is {file_type!r}, but must be one of {', '.join(FILE_TYPES)}."
            )
        if figures.is_matplotlib(data):
            content = Content.of(figures.drawn(data, file_type))
            self._take_size(content)
            return content
        if isinstance(data, pil.Image):
            image = data.copy()
            self._width, self._height = image.size
            size_bytes = image.width * image.height * len(image.getbands())
            return Content.made_by(lambda: _encoded(image, file_type), size_bytes)
        source = PixelSource(data, normalize=normalize)
        self._width, self._height = source.width, source.height
        if mode is not None and mode != source.mode:
            pil.new(source.mode, (1, 1)).convert(mode)  # refused here if it is refused at all
        wanted = mode or source.mode

        def encode() -> bytes:
            made = pil.fromarray(source.pixels())
            return _encoded(made if made.mode == wanted else made.convert(wanted), file_type)

        return Content.made_by(encode, source.size_bytes)

    def _take_image(self, other: Image) -> None:
        self.format = other.format
        self._is_drawn = other._is_drawn
        self._grouping = other._grouping
        self._inherited_classes = other._classes
        self._width, self._height = other._width, other._height

    def _take_size(self, content: Content) -> None:
        pil = require("PIL.Image", purpose="wandb.Image")
        file = content.get()
        with pil.open(io.BytesIO(file) if isinstance(file, bytes) else file) as image:
            self._width, self._height = image.size

    def _take_layers(self, grouping: int | None, classes: Any, boxes: Any, masks: Any) -> None:
        self._grouping = self._grouping if grouping is None else grouping
        for name, layers in (("boxes", boxes), ("masks", masks)):
            if layers and not isinstance(layers, Mapping):
                raise ValueError(f"{name} must be a dict of layers by name, not {layers!r}.")
        for key, layer in (boxes or {}).items():
            made = layer if isinstance(layer, BoundingBoxes2D) else BoundingBoxes2D(layer, key)
            self._boxes[key] = made
        for key, layer in (masks or {}).items():
            self._masks[key] = layer if isinstance(layer, ImageMask) else ImageMask(layer, key)
        if classes is not None:
            given = classes if isinstance(classes, Classes) else Classes(classes)
            self._given_classes = given.merged()
        parts = (*self._boxes.values(), *self._masks.values())
        self.size_bytes += sum(part.size_bytes for part in parts)

    # -- keeping it --------------------------------------------------------------------------

    def prepare(self) -> None:
        super().prepare()
        for mask in self._masks.values():
            mask.prepare()

    def stored(self, keeper: Keeper) -> dict[str, Any]:
        if isinstance(self._content, Reference):
            return {**self._content.fields(self._log_type, self._caption), **self._details(keeper)}
        return super().stored(keeper)

    def _details(self, keeper: Keeper) -> dict[str, Any]:
        fields: dict[str, Any] = {"format": self.format}
        if self._width is not None:
            fields |= {"width": self._width, "height": self._height}
        if self._grouping:
            fields["grouping"] = self._grouping
        if self._boxes:
            fields["boxes"] = {
                key: boxes.stored(keeper.within(f"boxes/{key}"))
                for key, boxes in self._boxes.items()
            }
        if self._masks:
            fields["masks"] = {
                key: mask.stored(keeper.within(f"masks/{key}")) for key, mask in self._masks.items()
            }
        has_layers = bool(self._boxes or self._masks)  # whose labels are kept with them
        classes = self._given_classes if has_layers else self._classes
        if classes is not None:
            fields["classes"] = classes.stored(keeper)
        return fields

    def _details_in_artifact(self, keeper: ArtifactFiles) -> dict[str, Any]:
        fields: dict[str, Any] = {"format": self.format}
        if self._width is not None:
            fields |= {"width": self._width, "height": self._height}
        if self._grouping:
            fields["grouping"] = self._grouping
        if self._classes is not None:
            fields["classes"] = self._classes.of_image_in_artifact(keeper)
        if self._boxes:
            fields["boxes"] = {key: boxes._val for key, boxes in self._boxes.items()}
        if self._masks:
            fields["masks"] = {
                key: mask.in_artifact(keeper.within(f"masks/{key}"))
                for key, mask in self._masks.items()
            }
        return fields

    def _as_wandb(self, content: bytes) -> bytes:
        return png_as_wandb(content) if self._is_drawn and self.format == "png" else content

    @classmethod
    def _listed(cls, values: Sequence[Any], kept: list[dict[str, Any]]) -> dict[str, Any]:
        listed: dict[str, Any] = {
            "_type": "images/separated",
            "width": values[0].width,
            "height": values[0].height,
            "format": values[0].format,
            "count": len(values),
            "filenames": [fields["path"] for fields in kept],
        }
        captions = captions_of(values)
        if captions:
            listed["captions"] = captions
        for name, part in (("all_masks", "masks"), ("all_boxes", "boxes")):
            layers = [fields.get(part) for fields in kept]
            if any(layers):
                listed[name] = layers
        if any("classes" in fields for fields in kept):
            listed["all_classes"] = [fields.get("classes") for fields in kept]
        return listed

    def _take_details(self, fields: Mapping[str, Any], source: Source) -> None:
        self.format = str(fields.get("format") or self._extension.lstrip("."))
        self._width, self._height = fields.get("width"), fields.get("height")
        elsewhere = isinstance(self._content, Reference)
        if self._width is None and not elsewhere:  # one of several
            self._take_size(self._content)
        self._grouping = fields.get("grouping")
        classes = fields.get("classes") or {}
        if "class_set" not in classes and "path" in classes:  # in an artifact
            from quark import jsonio

            with source.open(classes["path"]) as file:
                classes = jsonio.loads(file.read())
        self._given_classes = Classes(classes["class_set"]) if classes else None
        self._inherited_classes = self._merged = None
        self._boxes = {
            key: BoundingBoxes2D.from_json(layer, source)
            for key, layer in (fields.get("boxes") or {}).items()
        }
        self._masks = {
            key: ImageMask.from_json(layer, source)
            for key, layer in (fields.get("masks") or {}).items()
        }
        if self._given_classes is not None:  # in an artifact the layers do not have them
            names = self._given_classes.labels()
            for boxes in self._boxes.values():
                boxes.take_names(names)
            for mask in self._masks.values():
                mask.take_names(names)


def _encoded(image: Any, file_type: str) -> bytes:
    buffer = io.BytesIO()
    if file_type in _NO_ALPHA and image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("RGB")
    if file_type == "png":
        image.save(buffer, "PNG", compress_level=PNG_LEVEL)
    else:
        image.save(buffer, "JPEG" if file_type in _NO_ALPHA else "BMP")
    return buffer.getvalue()
