"""Whether the gradients of an optimizer are finite, and which are not.

torch is in use where this is called; it is passed in, so that nothing here loads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

_INFINITY = float("inf")


def gradients_of(optimizer: Any) -> Iterator[tuple[int, int, Tensor, Tensor]]:
    """Yield group, place in it, parameter and gradient, where there is one with elements.

    Of a sparse gradient the stored values are given.
    """
    for group_index, group in enumerate(optimizer.param_groups):
        for place, parameter in enumerate(group["params"]):
            gradient = parameter.grad
            if gradient is None:
                continue
            if gradient.is_sparse:
                gradient = gradient._values()
            if gradient.numel():
                yield group_index, place, parameter, gradient


def are_finite(torch: Any, optimizer: Any) -> bool:
    """Say whether no gradient has a NaN or an infinity. Waits once for each device.

    The largest absolute value of each is taken, which is not finite where an element is not, and
    unlike a sum cannot overflow. All on one device and of one type are done at once.
    """
    kinds: dict[tuple[Any, Any], list[Tensor]] = {}
    for *_, gradient in gradients_of(optimizer):
        kinds.setdefault((gradient.device, gradient.dtype), []).append(gradient)
    largest: dict[Any, list[Tensor]] = {}
    with torch.no_grad():
        for (device, _), gradients in kinds.items():
            norms = torch.stack(list(torch._foreach_norm(gradients, _INFINITY)))
            largest.setdefault(device, []).append(norms.isfinite().all())
        return all(bool(torch.stack(fine).all()) for fine in largest.values())


def bad_gradients(optimizer: Any, names: dict[int, str]) -> list[dict[str, Any]]:
    """Return what is known of each gradient that is not finite. Waits for the device for each.

    Args:
        optimizer: Its parameters are looked at.
        names: Of parameters, by ``id``.
    """
    found = []
    for group_index, place, parameter, gradient in gradients_of(optimizer):
        gradient = gradient.detach()
        finite = gradient.isfinite()
        if bool(finite.all()):
            continue
        given = optimizer.param_groups[group_index].get("param_names")
        name = names.get(id(parameter)) or (given and given[place])
        rest = gradient[finite]
        found.append(
            {
                "parameter_name": name or f"parameter {place} of group {group_index}",
                "shape": list(parameter.shape),
                "dtype": str(parameter.dtype),
                "element_count": gradient.numel(),
                "nan_count": int(gradient.isnan().sum()),
                "nonfinite_count": gradient.numel() - rest.numel(),
                "largest_finite": float(rest.abs().max()) if rest.numel() else None,
                "value_is_finite": bool(parameter.detach().isfinite().all()),
            }
        )
    return found


def learning_rates(optimizer: Any) -> list[float | None]:
    """Return the learning rate of each group."""
    rates = [group.get("lr") for group in optimizer.param_groups]
    return [None if rate is None else float(rate) for rate in rates]
