"""The parameters of a model as they are at one moment, taken without waiting for a device.

:meth:`ParameterReader.take` is what the training thread does; what it gives is read in the
background.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any

from quark.hooks.modules import check_model
from quark.hooks.parameter_groups import check_optimizer, groups_of
from quark.hooks.parameter_places import ParameterPlace, find_parameters, place_of
from quark.hooks.parameter_taken import SeenParameter, TakenParameters
from quark.hooks.parameter_tensors import Entry, FlatBuffers, TensorBatch, plain_tensor
from quark.hooks.updates import Followed, Norm, UpdateTracker

if TYPE_CHECKING:
    from torch import nn

#: How much of all tensors together is copied at one moment, in elements.
_MAX_COPIED_ELEMENTS = 2**25
_NOTHING: tuple[str, ...] = ()


class ParameterReader:
    """Knows the parameters of a model, and takes their values, gradients and updates.

    The model is walked each time, so that what is added, replaced or frozen later is seen. A
    parameter that several modules share is taken once. Of models behind ``torch.compile`` the
    names are the original ones.

    Args:
        model: Any ``torch.nn.Module``. It is not changed.
        optimizer: Whose groups are told: a torch optimizer, one in a wrapper, a list of them.
        accepts: Says of name and role whether a parameter is taken; all are by default.
        near_zero: Elements whose absolute value is at most this are near zero.
        max_sample: How many elements are sampled of one tensor at most. Where all tensors together
            had more than 33 million, it is fewer.
        max_update_bytes: What copies for updates may take.

    Raises:
        MissingDependencyError: torch is not installed.
        SchemaValidationError: ``model`` is no module, or ``optimizer`` has no groups.

    >>> import torch
    >>> reader = ParameterReader(torch.nn.Linear(4, 2))
    >>> with reader.take(statistics=["value"], samples=["value"]).reading() as readings:
    ...     [(r.place.parameter_name, r.value.element_count, r.gradient) for r in readings]
    [('weight', 8, None), ('bias', 2, None)]
    """

    def __init__(
        self,
        model: Any,
        optimizer: Any = None,
        *,
        accepts: Callable[[str, str], bool] | None = None,
        near_zero: float | None = None,
        max_sample: int = 100_000,
        max_update_bytes: int = 0,
        purpose: str = "ParameterReader",
    ) -> None:
        self._model: nn.Module = check_model(model, purpose=purpose)
        check_optimizer(optimizer)
        self._optimizer = optimizer
        self._accepts = accepts
        self._near_zero = near_zero
        self._max_sample = max_sample
        self._updates = UpdateTracker(max_update_bytes)
        self._buffers = FlatBuffers()
        self._places: dict[tuple[str, str, str], ParameterPlace | None] = {}

    @property
    def tracked_update_bytes(self) -> int:
        """How much memory the copies take that updates are measured against."""
        return self._updates.tracked_bytes

    def take(
        self,
        *,
        statistics: Collection[str] = _NOTHING,
        samples: Collection[str] = _NOTHING,
    ) -> TakenParameters:
        """Measure and sample all parameters as they are now. Does not wait.

        Both arguments hold ``value``, ``gradient`` and ``update``. An update is the value now minus
        the value when an update was asked for the last time.
        """
        import torch

        with torch.inference_mode(False), torch.no_grad():
            return self._take(statistics, samples)

    def _take(self, statistics: Collection[str], samples: Collection[str]) -> TakenParameters:
        import torch

        found = list(self._accepted())
        kinds = [kind for kind in ("value", "gradient") if kind in statistics or kind in samples]
        wants_updates = "update" in statistics or "update" in samples
        groups = groups_of(self._optimizer)
        batch = TensorBatch(
            self._buffers,
            near_zero=self._near_zero,
            max_sample=self._max_sample,
            max_copied=_fair_share(
                [parameter.numel() for _, parameter in found] * (len(kinds) + wants_updates)
            ),
        )
        followed = (
            [_follow(place, parameter) for place, parameter in found] if wants_updates else []
        )
        now = [item for item in followed if item is not None]
        norms = {item.name: item.norm for item in now}
        differences = self._updates.differences(now) if wants_updates else {}
        seen = []
        for place, parameter in found:
            name = place.parameter_name
            entries: dict[str, Entry | None] = {}
            gradient = parameter.grad
            for kind in kinds:
                tensor = parameter if kind == "value" else gradient
                if tensor is not None:
                    entries[kind] = batch.add(
                        tensor, measured=kind in statistics, sampled=kind in samples
                    )
            difference, norm_before = differences.get(name, (None, None))
            if difference is not None:
                entries["update"] = batch.add(
                    difference, measured="update" in statistics, sampled="update" in samples
                )
            seen.append(
                SeenParameter(
                    place,
                    parameter.shape,
                    parameter.dtype,
                    parameter.requires_grad,
                    parameter.numel(),
                    groups.get(id(parameter)),
                    entries,
                    gradient is not None and gradient.is_sparse,
                    norms.get(name),
                    norm_before,
                )
            )
        rates = {
            group.number: batch.add_number(group.learning_rate)
            for group in {item.group.number: item.group for item in seen if item.group}.values()
            if isinstance(group.learning_rate, torch.Tensor)
        }
        sent = batch.send()
        if wants_updates:
            self._updates.keep(now)
        return TakenParameters(seen, sent, rates)

    def _accepted(self) -> Iterator[tuple[ParameterPlace, nn.Parameter]]:
        for module_name, module_type, local_name, parameter in find_parameters(self._model):
            key = (module_name, module_type, local_name)
            if key not in self._places:
                place = place_of(*key)
                accepts = self._accepts
                fits = accepts is None or accepts(place.parameter_name, place.parameter_role)
                self._places[key] = place if fits else None
            known = self._places[key]
            if known is not None:
                yield known, parameter


def _fair_share(sizes: list[int]) -> int:
    """Return how much is copied of one tensor at most, so that all together stay in bounds."""
    if sum(sizes) > _MAX_COPIED_ELEMENTS:
        left = _MAX_COPIED_ELEMENTS
        for place, size in enumerate(sorted(sizes)):
            share = left // (len(sizes) - place)
            if size > share:
                return max(1, share)
            left -= size
    return _MAX_COPIED_ELEMENTS


def _follow(place: ParameterPlace, parameter: nn.Parameter) -> Followed | None:
    if not parameter.requires_grad:
        return None
    value = plain_tensor(parameter)
    if value is None:
        return None
    return Followed(place.parameter_name, parameter, value, Norm())
