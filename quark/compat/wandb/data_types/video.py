"""``wandb.Video``: a file, or frames that are encoded later."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, ClassVar

from quark._optional import available, require
from quark.compat.wandb.data_types.base import Keeper, captions_of
from quark.compat.wandb.data_types.contents import Content
from quark.compat.wandb.data_types.file_media import FileMedia
from quark.compat.wandb.data_types.pixels import is_tensor
from quark.compat.wandb.term import warn_once

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Frames = NDArray[np.uint8]

DEFAULT_FPS = 4


class Video(FileMedia):
    """One video.

    Args:
        data_or_path: The path of a file; a ``BytesIO`` with one; frames as an array or a tensor
            ``(time, channels, height, width)`` of bytes with 1 or 3 channels; or several such,
            ``(n, time, channels, height, width)``, which are shown side by side.
        caption: A text to show with it.
        fps: Frames a second, for frames; 4 if it is left out.
        format: ``gif``, ``mp4``, ``webm`` or ``ogg``; has to be given unless there is a path. A
            gif is exact in up to 256 colours a frame; the others are lossy, need moviepy, and
            ffmpeg may round the height and width to even numbers.

    Raises:
        ValueError: The shape, the format or the file's extension is none of these.
        OSError: The file cannot be read.
        MissingDependencyError: moviepy or PIL is needed and not installed.
    """

    _log_type = "video-file"
    _folder = "media/videos"
    EXTS: ClassVar[tuple[str, ...]] = ("gif", "mp4", "webm", "ogg")

    def __init__(
        self,
        data_or_path: Any,
        caption: str | None = None,
        fps: int | None = None,
        format: str | None = None,
    ) -> None:
        self._width: int | None = None
        self._height: int | None = None
        if isinstance(data_or_path, (str, os.PathLike, io.BytesIO)) and fps:
            warn_once(
                "video fps",
                "fps= says how fast frames are shown; a video that is a file already has its own.",
            )
        if isinstance(data_or_path, (str, os.PathLike)):
            path = PurePath(os.fspath(data_or_path))
            self._format = self._checked(path.suffix[1:].lower(), "a path")
            content = Content.at(path)
        elif isinstance(data_or_path, io.BytesIO):
            self._format = self._checked(format, "a BytesIO")
            content = Content.of(data_or_path.read())
        else:
            self._format = self._checked(format, "frames")
            content = self._content_of(data_or_path, fps or DEFAULT_FPS)
        super().__init__(content, f".{self._format}", caption)

    @classmethod
    def _checked(cls, format: str | None, given: str) -> str:
        if format not in cls.EXTS:
            raise ValueError(
                f"The format of a video that is given as {given} is {format!r}, but must be one of "
                f"{', '.join(cls.EXTS)}; pass it as format=."
            )
        return format

    def _content_of(self, data: Any, fps: float) -> Content:
        import numpy as np

        if is_tensor(data):
            data = data.detach().cpu()
        if hasattr(data, "numpy"):  # a tensor of torch or TensorFlow
            data = data.numpy()
        if not isinstance(data, np.ndarray):
            raise ValueError(
                f"A video is made of a path, a BytesIO, an array or a tensor, not of "
                f"{type(data).__name__}."
            )
        if data.ndim not in (4, 5):
            raise ValueError(
                f"Frames of shape {list(data.shape)} are no video: it must be (time, channels, "
                "height, width), with a number of videos before it if there are several."
            )
        if data.shape[-3] not in (1, 3, 4) or 0 in data.shape:
            raise ValueError(
                f"Frames of shape {list(data.shape)} have {data.shape[-3]} channels or are empty: "
                "the third axis from the end must be 1, 3 or 4 channels."
            )
        format = self._format
        if format != "gif" and not available("moviepy"):
            require("moviepy", purpose=f"wandb.Video of frames as {format}")
        if format == "gif":
            require("PIL.Image", purpose="wandb.Video of frames as gif")
        frames = np.array(data)
        _, self._height, self._width, _ = _tiled_shape(frames.shape)

        def encode() -> bytes:
            tiled = _tiled(frames.astype(np.uint8, copy=False))
            return _gif(tiled, fps) if format == "gif" else _film(tiled, fps, format)

        return Content.made_by(encode, frames.nbytes)

    def _details(self, keeper: Keeper) -> dict[str, Any]:
        return {} if self._width is None else {"width": self._width, "height": self._height}

    def _take_details(self, fields: Any, source: Any) -> None:
        self._format = self._extension.lstrip(".")
        self._width, self._height = fields.get("width"), fields.get("height")

    @classmethod
    def _listed(cls, values: Sequence[Any], kept: list[dict[str, Any]]) -> dict[str, Any]:
        captions = captions_of(values)
        return {"_type": "videos", "count": len(kept), "videos": kept, "captions": captions}


def _tiled_shape(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return the shape of all videos of ``shape`` side by side, channels last."""
    count, (time, channels, height, width) = (shape[0] if len(shape) == 5 else 1), shape[-4:]
    padded = 1 << (count - 1).bit_length()
    rows = 1 << (count.bit_length() - 1) // 2
    return time, rows * height, padded // rows * width, channels


def _tiled(frames: Frames) -> Frames:
    """Return frames as ``(time, height, width, channels)``; several videos side by side in a grid
    of a power of 2, as tensorboardX has it."""
    import numpy as np

    videos = frames if frames.ndim == 5 else frames[None]
    count, time, channels, height, width = videos.shape
    _, total_height, total_width, _ = _tiled_shape(videos.shape)
    canvas = np.zeros((time, total_height, total_width, channels), dtype=np.uint8)
    columns = total_width // width
    for position in range(count):
        row, column = divmod(position, columns)
        top, left = row * height, column * width
        canvas[:, top : top + height, left : left + width] = videos[position].transpose(0, 2, 3, 1)
    return canvas


def _gif(frames: Frames, fps: float) -> bytes:
    pil = require("PIL.Image", purpose="wandb.Video of frames as gif")
    images = [
        pil.fromarray(frame.squeeze(-1) if frame.shape[-1] == 1 else frame) for frame in frames
    ]
    first, *rest = [image.quantize(256) if image.mode != "L" else image for image in images]
    buffer = io.BytesIO()
    first.save(
        buffer,
        "GIF",
        save_all=True,
        append_images=rest,
        duration=1000 / fps,
        loop=0,
        optimize=False,
    )
    return buffer.getvalue()


def _film(frames: Frames, fps: float, format: str) -> bytes:
    import tempfile

    module = "moviepy.video.io.ImageSequenceClip"
    moviepy = require(module, purpose=f"wandb.Video of frames as {format}")
    if frames.shape[-1] == 1:
        frames = frames.repeat(3, axis=-1)
    clip = moviepy.ImageSequenceClip(list(frames), fps=fps)
    with tempfile.TemporaryDirectory(prefix="quark-video-") as folder:
        path = Path(folder) / f"video.{format}"
        clip.write_videofile(str(path), logger=None)
        clip.close()
        return path.read_bytes()
