"""Many tensors at once: their statistics, samples of them, and what that costs.

Small tensors are laid end to end, one flat tensor a device and type, and copied whole: one device
operation for all of them, where measuring takes a dozen for each. Large ones are measured where
they are, and what is sampled of them is laid beside the small ones. Everything else is done on the
copy, in the background.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from quark.hooks.kernels import as_plain_tensor
from quark.hooks.statistics import Numbers, Sent, Slot, Statistics, StatisticsBoard, Wanted, read
from quark.hooks.transfer import Transfer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, device, dtype

#: Tensors of up to this many elements are copied whole: on a CPU that takes 5 µs where measuring
#: takes 70, on a GPU one operation for all instead of a dozen each.
WHOLE_ELEMENTS = 2**16
#: Of a sparse gradient nothing is measured if it were larger than this when it is filled in.
_MAX_FILLED_BYTES = 256 * 1024 * 1024
#: What is kept of host memory to be used again.
_KEPT_BUFFERS = 2
_KEPT_BYTES = 64 * 1024 * 1024

_Group = tuple["device", "dtype"]


class Entry(NamedTuple):
    """Where the numbers of one tensor will be found."""

    element_count: int
    measured: Slot | Numbers | None  # by the board
    group: _Group | None = None  # of the copy
    start: int = 0
    stop: int = 0
    stride: int = 1  # of the sample within the copy
    from_copy: bool = False  # statistics are still to be made, of the copy
    sampled: bool = False


class Measured(NamedTuple):
    """What is known of one tensor. ``sample`` is ``sample_count`` of ``element_count`` elements,
    float32 or float64, evenly spaced; it may be overwritten once it was released."""

    element_count: int
    statistics: Statistics | None
    sample: NDArray[Any] | None

    def negated(self) -> Measured:
        """Return what is known of the tensor with all signs turned."""
        found = self.statistics
        if found is not None:
            found = found._replace(
                mean=_negative(found.mean),
                minimum=_negative(found.maximum),
                maximum=_negative(found.minimum),
            )
        return Measured(self.element_count, found, None if self.sample is None else -self.sample)


def _negative(value: float | None) -> float | None:
    return None if value is None else -value


class FlatBuffers:
    """Host memory that is used again, since fresh pages cost more than what is written to them.

    One thread takes; any may give back.
    """

    def __init__(self) -> None:
        self._free: dict[dtype, list[Tensor]] = {}

    def take(self, kind: dtype, count: int) -> Tensor:
        """Return a buffer of ``count`` elements or more, with anything in them."""
        import torch

        free = self._free.get(kind, [])
        while free:
            buffer = free.pop()
            if buffer.numel() >= count:
                return buffer
        return torch.empty(count, dtype=kind, device="cpu")

    def give_back(self, buffer: Tensor) -> None:
        """Take a buffer that nobody reads any more."""
        free = self._free.setdefault(buffer.dtype, [])
        if len(free) < _KEPT_BUFFERS and buffer.numel() * buffer.element_size() <= _KEPT_BYTES:
            free.append(buffer)


class TensorBatch:
    """Collects tensors, then sends what is wanted of them once.

    Args:
        buffers: Where flat copies on the CPU are put.
        near_zero: Elements whose absolute value is at most this count as near zero.
        max_sample: How many elements are sampled of one tensor at most.
        max_copied: How many elements are copied of one tensor at most, for any reason.
    """

    def __init__(
        self, buffers: FlatBuffers, *, near_zero: float | None, max_sample: int, max_copied: int
    ) -> None:
        self._buffers = buffers
        self._near_zero = near_zero
        self._wanted = Wanted(near_zero=near_zero, extremes=True)
        self._max_whole = min(WHOLE_ELEMENTS, max_copied)
        self._max_sample = min(max_sample, max_copied)
        self._board = StatisticsBoard()
        self._pieces: dict[_Group, list[Tensor]] = {}
        self._sizes: dict[_Group, int] = {}

    def add(self, tensor: Tensor, *, measured: bool, sampled: bool) -> Entry | None:
        """Take a tensor; None if it holds no real numbers, or none at all."""
        plain = plain_tensor(tensor)
        if plain is None:
            return None
        count, stride = plain.numel(), 1
        if sampled and count > self._max_sample:
            stride = spaced(count, plain.shape, self._max_sample)
        if count <= self._max_whole if measured else stride == 1:
            group, start, stop = self._lay(plain.reshape(-1))
            return Entry(count, None, group, start, stop, stride, measured, sampled)
        found = self._board.measure(plain, self._wanted) if measured else None
        if not sampled:
            return Entry(count, found)
        group, start, stop = self._lay(plain.reshape(-1)[::stride])
        return Entry(count, found, group, start, stop, sampled=True)

    def add_number(self, number: Tensor) -> Slot:
        """Take a single number along."""
        return self._board.add(number)

    def send(self) -> SentTensors:
        """Start the copies to the host."""
        import torch

        flats: dict[_Group, Transfer] = {}
        taken = []
        for group, pieces in self._pieces.items():
            if group[0].type == "cpu":
                buffer = self._buffers.take(group[1], self._sizes[group])
                taken.append(buffer)
                flat = torch.cat(pieces, out=buffer[: self._sizes[group]])
            else:
                flat = torch.cat(pieces)
            flats[group] = Transfer(flat)
        return SentTensors(flats, self._board.send(), self._near_zero, self._buffers, taken)

    def _lay(self, flat: Tensor) -> tuple[_Group, int, int]:
        group = (flat.device, flat.dtype)
        pieces = self._pieces.get(group)
        if pieces is None:
            pieces = self._pieces[group] = []
            self._sizes[group] = 0
        pieces.append(flat)
        start = self._sizes[group]
        stop = self._sizes[group] = start + flat.numel()
        return group, start, stop


class SentTensors:
    """What was collected, on its way to the host. Not for two threads at once."""

    def __init__(
        self,
        flats: dict[_Group, Transfer],
        sent: Sent,
        near_zero: float | None,
        buffers: FlatBuffers,
        taken: list[Tensor],
    ) -> None:
        self._flats = flats
        self._sent = sent
        self._near_zero = near_zero
        self._buffers = buffers
        self._taken = taken
        self._arrays: dict[_Group, NDArray[Any]] = {}

    @property
    def size_bytes(self) -> int:
        return self._sent.size_bytes + sum(flat.size_bytes for flat in self._flats.values())

    def ready(self) -> bool:
        """Say whether everything has arrived. Never waits."""
        return self._sent.ready() and all(flat.ready() for flat in self._flats.values())

    def number(self, slot: Slot) -> float:
        """Return a number that was taken along."""
        return self._sent.value(slot)

    def read(self, entry: Entry) -> Measured:
        """Return what is known of a tensor, waiting for it if need be."""
        statistics = None if entry.measured is None else read(entry.measured, self._sent)
        sample = None
        if entry.group is not None:
            from quark.hooks.histograms import statistics_of  # numpy

            copied = self._array(entry.group)[entry.start : entry.stop]
            if entry.from_copy:
                statistics = statistics_of(copied, self._near_zero)
            if entry.sampled:
                sample = copied[:: entry.stride]
        return Measured(entry.element_count, statistics, sample)

    def release(self) -> None:
        """Say that nobody reads samples any more."""
        taken, self._taken = self._taken, []
        self._flats, self._arrays = {}, {}
        for buffer in taken:
            self._buffers.give_back(buffer)

    def _array(self, group: _Group) -> NDArray[Any]:
        found = self._arrays.get(group)
        if found is None:
            found = self._arrays[group] = as_array(self._flats[group].wait())
        return found


def plain_tensor(tensor: Tensor) -> Tensor | None:
    """Return ``tensor`` as one that can be laid flat; None if there is nothing to be measured.

    Sparse tensors are filled in, unless that took too much memory; of a sharded one it is this
    process's part. What an exotic tensor cannot do makes it one that is not measured.
    """
    import torch

    if (type(tensor) is torch.Tensor or type(tensor) is torch.nn.Parameter) and (
        tensor.layout is torch.strided and tensor.dtype in _plain_types()
    ):
        return tensor.detach() if tensor.numel() and not tensor.is_meta else None
    if tensor.is_sparse and tensor.numel() * tensor.element_size() > _MAX_FILLED_BYTES:
        return None
    try:
        found = as_plain_tensor(tensor)
        if found is None or type(found) is torch.Tensor:
            return found
        exotic = torch.utils._python_dispatch.is_traceable_wrapper_subclass(found)
        return None if exotic else found.as_subclass(torch.Tensor)
    except (RuntimeError, TypeError, AttributeError):
        return None


_plain: frozenset[dtype] = frozenset()


def _plain_types() -> frozenset[dtype]:
    """Return the types that :func:`as_array` knows."""
    global _plain
    if not _plain:
        import torch

        _plain = frozenset((torch.float32, torch.float64, torch.float16, torch.bfloat16))
    return _plain


def spaced(count: int, shape: tuple[int, ...], limit: int) -> int:
    """Return the stride by which at most ``limit`` of ``count`` elements are taken.

    It has no factor in common with the size of a row, so that samples of a matrix are not all of
    the same few columns.

    >>> spaced(1024 * 1024, (1024, 1024), 2**16)
    17
    """
    row = count // shape[0] if shape else 1
    stride = -(-count // limit)
    while math.gcd(stride, row) > 1:
        stride += 1
    return stride


def as_array(flat: Tensor) -> NDArray[np.float32 | np.float64]:
    """Return a tensor on the host as an array, halves as float32.

    With numpy alone: torch would start threads of its own for this one.
    """
    import numpy as np
    import torch

    if flat.dtype is torch.bfloat16:  # the upper half of a float32
        halves = flat.view(torch.int16).numpy().view(np.uint16)
        return (halves.astype(np.uint32) << 16).view(np.float32)
    if flat.dtype is torch.float16:
        return flat.numpy().astype(np.float32)
    array: NDArray[Any] = flat.numpy()
    return array
