"""Which modules of a model are instrumented, and how they are called.

Modules are recognised by their table of forward hooks, not by themselves: the replicas that
``DataParallel`` makes for each step share that table with the module they were made from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from quark import _optional
from quark.errors import SchemaValidationError
from quark.hooks.statistics import Wanted

if TYPE_CHECKING:
    from torch import Tensor, nn

    from quark.hooks.config import HookEngineConfig

#: The ranges of activations that saturate: lower and upper bound. One that is None is none that a
#: unit gets stuck at: ReLU6 at 0 is dead, which is counted apart.
_RANGES: dict[str, tuple[float | None, float | None]] = {
    "Sigmoid": (0.0, 1.0),
    "Hardsigmoid": (0.0, 1.0),
    "Tanh": (-1.0, 1.0),
    "Softsign": (-1.0, 1.0),
    "ReLU6": (None, 6.0),
}
_MAX_DEPTH = 4


class Spot(NamedTuple):
    """One instrumented module."""

    module_name: str
    module_type: str
    wanted: Wanted
    hook_table: object  # held, so that nothing else can get its identity


def check_model(model: Any, *, purpose: str) -> nn.Module:
    """Return the model that is watched; behind ``torch.compile`` that is the original one.

    Raises:
        MissingDependencyError: torch is not installed.
        SchemaValidationError: ``model`` is no ``torch.nn.Module``.
    """
    torch_nn = _optional.require("torch.nn", purpose=purpose)
    if not isinstance(model, torch_nn.Module):
        raise SchemaValidationError(
            f"{purpose} got a model of type {type(model).__name__}, but needs a torch.nn.Module."
        )
    original = getattr(model, "_orig_mod", None)
    watched: nn.Module = original if isinstance(original, torch_nn.Module) else model
    return watched


def named_modules(model: nn.Module) -> Iterator[tuple[str, nn.Module, bool]]:
    """Yield name, module and whether it is a leaf, without what ``torch.compile`` wraps around."""
    for name, module in model.named_modules():
        if not hasattr(module, "_orig_mod"):
            plain = name.replace("_orig_mod.", "").removesuffix("._orig_mod")
            yield plain, module, next(module.children(), None) is None


def find_spots(model: nn.Module, config: HookEngineConfig) -> dict[int, Spot]:
    """Return the instrumented modules by the identity of their tables of forward hooks."""
    spots = {}
    for name, module, leaf in named_modules(model):
        kind = type(module)
        full_name = f"{kind.__module__}.{kind.__qualname__}"
        if config.filters.accepts(name, kind.__name__, full_name, leaf=leaf):
            wanted = Wanted(
                near_zero=config.dead_unit_epsilon,
                saturation=_saturation(module, kind.__name__, full_name, config),
            )
            spots[id(module._forward_hooks)] = Spot(
                name, kind.__name__, wanted, module._forward_hooks
            )
    return spots


def _saturation(
    module: nn.Module, type_name: str, full_type_name: str, config: HookEngineConfig
) -> tuple[float | None, float | None] | None:
    """Return from where on outputs of ``module`` are saturated; None if that is not asked for.

    They are ``1 - saturation_threshold`` of the larger bound's size inside of each bound: with
    0.95 from ±0.95 on for a tanh, and from 0.05 down and 0.95 up for a sigmoid.
    """
    threshold = config.saturation_threshold
    asked = {type_name, full_type_name} & set(config.saturation_module_types)
    if threshold is None or not asked:
        return None
    low, high = _RANGES.get(type_name, (-1.0, 1.0))
    if type_name == "Hardtanh":
        low, high = float(module.min_val), float(module.max_val)  # type: ignore[arg-type]
    width = max(abs(bound) for bound in (low, high) if bound is not None)
    margin = (1.0 - threshold) * width
    return (None if low is None else low + margin, None if high is None else high - margin)


def tensors_in(output: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of what a module returned, each with its way there, such as ``1.0``."""
    import torch

    if isinstance(output, torch.Tensor):
        yield path, output
    elif depth < _MAX_DEPTH:
        for name, item in _items(output):
            yield from tensors_in(item, f"{path}.{name}" if path else name, depth + 1)


def _items(output: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(output, Mapping):
        yield from ((str(name), item) for name, item in output.items())
    elif isinstance(output, (list, tuple)):
        yield from ((str(index), item) for index, item in enumerate(output))
    elif hasattr(output, "__dataclass_fields__"):
        yield from ((name, getattr(output, name)) for name in output.__dataclass_fields__)
    elif hasattr(output, "data") and hasattr(output, "batch_sizes"):  # a PackedSequence
        yield "data", output.data
