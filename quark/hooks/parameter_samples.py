"""Samples of a model's parameters and gradients, and nothing else, as cheaply as that can be.

:class:`~quark.hooks.parameter_reader.ParameterReader` tells more and looks more closely. This is
for whoever wants samples often: the model is walked only now and then, and of a large tensor short
runs of neighbours are taken. Single elements would be spread over as many lines of the cache as
the whole tensor has, and take longer than copying it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from quark.hooks.modules import check_model
from quark.hooks.parameter_places import find_parameters, place_of
from quark.hooks.parameter_tensors import FlatBuffers, as_array, plain_tensor
from quark.hooks.transfer import Transfer

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, device, dtype, nn

    _Group = tuple[device, dtype]
    _Runs = tuple[tuple[int, int], tuple[int, int]]

#: After this many times the model is walked anew, for what was added or replaced.
_WALKED_EVERY = 16
_RUN_ELEMENTS = 64


class ParameterSampler:
    """Takes at most ``max_sample`` elements of each tensor, in evenly spaced runs.

    >>> import torch
    >>> sampler = ParameterSampler(torch.nn.Linear(100, 100), max_sample=4096)
    >>> [(name, kind, len(sample)) for name, kind, sample in sampler.take(["value"]).read()]
    [('weight', 'value', 4096), ('bias', 'value', 100)]
    """

    def __init__(self, model: Any, *, max_sample: int) -> None:
        self._model: nn.Module = check_model(model, purpose="ParameterSampler")
        self._max_sample = max_sample
        self._buffers = FlatBuffers()
        self._found: list[tuple[str, nn.Parameter, _Runs | None]] = []
        self._taken = 0

    def take(self, kinds: list[str]) -> SampledParameters:
        """Take samples of ``value``, ``gradient``, or both, as they are now. Does not wait."""
        import torch

        if self._taken % _WALKED_EVERY == 0:
            self._walk()
        self._taken += 1
        pieces: dict[_Group, list[Tensor]] = {}
        places: dict[_Group, list[tuple[str, str, int]]] = {}
        with torch.inference_mode(False), torch.no_grad():
            for name, parameter, runs in self._found:
                for kind in kinds:
                    tensor = parameter if kind == "value" else parameter.grad
                    plain = None if tensor is None else plain_tensor(tensor)
                    if plain is not None:
                        flat = plain.view(-1) if plain.is_contiguous() else plain.reshape(-1)
                        piece = flat if runs is None else flat.as_strided(*runs).reshape(-1)
                        group = (piece.device, piece.dtype)
                        pieces.setdefault(group, []).append(piece)
                        places.setdefault(group, []).append((name, kind, len(piece)))
            return SampledParameters(pieces, places, self._buffers)

    def _walk(self) -> None:
        limit = self._max_sample
        self._found = [
            (
                place_of(module_name, module_type, local_name).parameter_name,
                parameter,
                _runs(parameter.numel(), parameter.shape, limit),
            )
            for module_name, module_type, local_name, parameter in find_parameters(self._model)
        ]


def _runs(count: int, shape: tuple[int, ...], limit: int) -> _Runs | None:
    """Return size and strides of the runs of which at most ``limit`` elements consist; None if all
    elements fit.

    Their distance has no factor in common with the size of a row, so that samples of a matrix are
    not all of the same few columns.

    >>> _runs(65536, (256, 256), 4096)
    ((64, 64), (1039, 1))
    """
    if count <= limit:
        return None
    length = min(_RUN_ELEMENTS, limit)
    runs = limit // length
    distance, row = max(1, (count - length) // max(1, runs - 1)), count // shape[0] if shape else 1
    while distance > 1 and math.gcd(distance, row) > 1:
        distance -= 1
    return (runs, length), (distance, 1)


class SampledParameters:
    """What was sampled, on its way to the host."""

    def __init__(
        self,
        pieces: dict[_Group, list[Tensor]],
        places: dict[_Group, list[tuple[str, str, int]]],
        buffers: FlatBuffers,
    ) -> None:
        import torch

        self._places = places
        self._buffers = buffers
        self._borrowed: list[Tensor] = []
        self._flats: dict[_Group, Transfer] = {}
        for group, parts in pieces.items():
            if group[0].type == "cpu":
                count = sum(size for _, _, size in places[group])
                buffer = buffers.take(group[1], count)
                self._borrowed.append(buffer)
                self._flats[group] = Transfer(torch.cat(parts, out=buffer[:count]))
            else:
                self._flats[group] = Transfer(torch.cat(parts))
        self.size_bytes = sum(flat.size_bytes for flat in self._flats.values())

    def ready(self) -> bool:
        """Say whether everything has arrived. Never waits."""
        return all(flat.ready() for flat in self._flats.values())

    def read(self) -> Iterator[tuple[str, str, NDArray[Any]]]:
        """Yield name, kind and sample of each tensor once, waiting for them if need be.

        A sample holds until the iteration ends.
        """
        try:
            for group, flat in self._flats.items():
                array, start = as_array(flat.wait()), 0
                for name, kind, size in self._places[group]:
                    yield name, kind, array[start : start + size]
                    start += size
        finally:
            self._flats = {}
            for buffer in self._borrowed:
                self._buffers.give_back(buffer)
