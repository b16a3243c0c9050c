"""Which GPUs a process may use: ``CUDA_VISIBLE_DEVICES``, as CUDA reads it.

NVML sees all GPUs of the machine, also those of other people's jobs. So what is measured is what
CUDA would use, in CUDA's order: ``gpu_index=0`` is ``cuda:0``. The numbers that are recorded are
NVML's, as ``nvidia-smi`` shows them. Where GPUs of different models are mixed, CUDA counts the
fastest first unless ``CUDA_DEVICE_ORDER=PCI_BUS_ID``, and numbers in the variable then mean others
than here; names (``GPU-…``) never do.

Source: CUDA C++ Programming Guide, "CUDA Environment Variables": "Only the devices whose index is
present in the sequence are visible to CUDA applications and they are enumerated in the order of the
sequence. If one of the indices is invalid, only the devices whose index precedes the invalid index
are visible".
"""

from __future__ import annotations

from collections.abc import Sequence

VARIABLE = "CUDA_VISIBLE_DEVICES"
_MIG = "MIG-"


def visible_devices(text: str | None, uuids: Sequence[str]) -> tuple[int, ...]:
    """Return which of the GPUs with ``uuids`` are visible, in order.

    Args:
        text: The variable; None if it is not set. An empty one hides everything.
        uuids: The names of all GPUs, as NVML counts them.

    A part of a GPU stands for the whole. Its old name, ``MIG-GPU-<uuid>/…``, says of which; with
    the new one, ``MIG-<uuid>``, which does not, all GPUs are taken.

    >>> visible_devices("1,0", ("GPU-aa", "GPU-bb", "GPU-cc"))
    (1, 0)
    >>> visible_devices("GPU-c,7,0", ("GPU-aa", "GPU-bb", "GPU-cc"))
    (2,)
    """
    everything = tuple(range(len(uuids)))
    if text is None:
        return everything
    found: list[int] = []
    for word in (part.strip() for part in text.split(",")):
        if word.startswith(_MIG) and not word.startswith(f"{_MIG}GPU-"):
            return everything
        index = _index(word.removeprefix(_MIG).partition("/")[0], uuids)
        if index is None:
            break
        if index not in found:
            found.append(index)
    return tuple(found)


def _index(word: str, uuids: Sequence[str]) -> int | None:
    if word.isascii() and word.isdigit():
        return int(word) if int(word) < len(uuids) else None
    if not word:
        return None
    fitting = [index for index, uuid in enumerate(uuids) if uuid.startswith(word)]
    return fitting[0] if len(fitting) == 1 else None
