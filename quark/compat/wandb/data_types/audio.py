"""``wandb.Audio``: a file, or samples that become a WAV file later."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from quark._optional import available, require
from quark.compat.wandb.data_types.base import Keeper
from quark.compat.wandb.data_types.contents import Content
from quark.compat.wandb.data_types.file_media import FileMedia
from quark.compat.wandb.data_types.pixels import is_tensor
from quark.compat.wandb.data_types.references import Reference, is_reference

#: What the library takes; it writes 16 bits a sample.
_DTYPES = frozenset({"float64", "float32", "int32", "int16"})


class Audio(FileMedia):
    """One recording.

    Args:
        data_or_path: The path or the URL of a file; or samples as a list, an array or a tensor,
            ``(samples,)`` or ``(samples, channels)``: floats within [-1, 1], or integers of 16 or
            32 bits. They are kept with 16 bits.
        sample_rate: Samples a second; has to be given with samples.
        caption: A text to show with it.

    Raises:
        ValueError: ``sample_rate`` is missing, or the samples have another shape or type.
        OSError: The file cannot be read.
        MissingDependencyError: soundfile is needed and not installed.
    """

    _log_type = "audio-file"
    _folder = "media/audio"

    def __init__(
        self, data_or_path: Any, sample_rate: int | None = None, caption: str | None = None
    ) -> None:
        self._sample_rate = sample_rate
        self._duration: float | None = None
        if is_reference(data_or_path):
            content: Content = Reference(data_or_path)
            super().__init__(content, PurePath(data_or_path.partition("?")[0]).suffix, caption)
        elif isinstance(data_or_path, (str, os.PathLike)):
            path = PurePath(os.fspath(data_or_path))
            super().__init__(Content.at(path), path.suffix, caption)
        else:
            if sample_rate is None:
                raise ValueError("sample_rate= has to be given with samples: in samples a second.")
            samples = _checked(data_or_path)
            if not available("soundfile"):
                require("soundfile", purpose="wandb.Audio of samples")
            self._duration = len(samples) / float(sample_rate)
            content = Content.made_by(lambda: _wav(samples, sample_rate), samples.nbytes)
            super().__init__(content, ".wav", caption)

    def stored(self, keeper: Keeper) -> dict[str, Any]:
        if isinstance(self._content, Reference):
            return self._content.fields(self._log_type, self._caption)
        return super().stored(keeper)

    def samples(self) -> tuple[Any, int]:
        """Return the samples as floats within [-1, 1], ``(samples,)`` or ``(samples, channels)``,
        and how many a second there are."""
        soundfile = require("soundfile", purpose="Reading a wandb.Audio")
        found, rate = soundfile.read(io.BytesIO(self.read_bytes()))
        return found, int(rate)

    @classmethod
    def durations(cls, audio_list: Sequence[Audio]) -> list[float | None]:
        """Return how long each is, in seconds; None for files."""
        return [audio._duration for audio in audio_list]

    @classmethod
    def sample_rates(cls, audio_list: Sequence[Audio]) -> list[int | None]:
        """Return how many samples a second each has; None for files."""
        return [audio._sample_rate for audio in audio_list]

    @classmethod
    def _listed(cls, values: Sequence[Any], kept: list[dict[str, Any]]) -> dict[str, Any]:
        listed: dict[str, Any] = {"_type": "audio", "count": len(kept), "audio": kept}
        listed["sampleRates"] = cls.sample_rates(values)
        listed["durations"] = cls.durations(values)
        captions = [value._caption for value in values]
        if any(caption is not None for caption in captions):
            listed["captions"] = ["" if caption is None else caption for caption in captions]
        return listed

    def _take_details(self, fields: Any, source: Any) -> None:
        self._sample_rate = self._duration = None


def _checked(data: Any) -> Any:
    """Return a copy of samples."""
    import numpy as np

    if is_tensor(data):
        data = data.detach().cpu().numpy()
    samples = np.array(data)
    if samples.ndim not in (1, 2):
        raise ValueError(
            f"Samples of shape {list(samples.shape)} are no recording: it must be (samples,) or "
            "(samples, channels)."
        )
    if samples.dtype.name not in _DTYPES:
        raise ValueError(
            f"Samples are {samples.dtype}, but must be one of {', '.join(sorted(_DTYPES))}."
        )
    return samples


def _wav(samples: Any, sample_rate: int) -> bytes:
    soundfile = require("soundfile", purpose="wandb.Audio of samples")
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, sample_rate, format="WAV")
    return buffer.getvalue()
