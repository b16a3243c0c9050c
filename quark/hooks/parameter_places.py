"""Which parameters a model has, what they are called, and which of them are weights."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from quark.hooks.modules import named_modules

if TYPE_CHECKING:
    from torch import nn

_WEIGHTS = frozenset(("weight", "weights"))
_BIASES = frozenset(("bias", "biases"))
_WORDS = re.compile(r"[._]")


class ParameterPlace(NamedTuple):
    """One parameter of a model.

    ``parameter_name`` is the whole name, as ``model.named_parameters()`` has it, so that it means
    one parameter; ``module_name`` and ``module_type`` are those of the module that owns it.
    """

    module_name: str
    module_type: str
    parameter_name: str
    parameter_role: str


def find_parameters(model: nn.Module) -> Iterator[tuple[str, str, str, nn.Parameter]]:
    """Yield name and type of the module, name in it, and the parameter itself.

    A parameter that several modules share comes once, under its first name.
    """
    seen = set()
    for module_name, module, _ in named_modules(model):
        for local_name, parameter in own_parameters(module):
            if id(parameter) not in seen:
                seen.add(id(parameter))
                yield module_name, type(module).__name__, local_name, parameter


def own_parameters(module: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Yield the parameters of a module itself; those of lazy modules when they have a shape."""
    import torch

    lazy = torch.nn.parameter.UninitializedParameter
    for name, parameter in module._parameters.items():
        if parameter is not None and not isinstance(parameter, lazy):
            yield name, parameter


def place_of(module_name: str, module_type: str, local_name: str) -> ParameterPlace:
    """Return what a parameter is called.

    >>> place_of("encoder.attention", "MultiheadAttention", "in_proj_bias")[2:]
    ('encoder.attention.in_proj_bias', 'bias')
    """
    name = f"{module_name}.{local_name}" if module_name else local_name
    return ParameterPlace(module_name, module_type, name, role_of(name))


def role_of(parameter_name: str) -> str:
    """Return ``weight``, ``bias`` or ``other``, by a word of the name's last part.

    Words end at underscores, so that ``weight_ih_l0`` of an LSTM is a weight and ``in_proj_bias``
    a bias. The originals of a parametrized weight are weights.

    >>> [role_of(n) for n in ("weight", "bias_k", "cls_token", "parametrizations.weight.original0")]
    ['weight', 'bias', 'other', 'weight']
    """
    last = parameter_name.rpartition(".")[2]
    if "parametrizations." in parameter_name and last.startswith("original"):
        last = parameter_name.split(".")[-2]
    words = set(_WORDS.split(last))
    if words & _BIASES:
        return "bias"
    return "weight" if words & _WEIGHTS else "other"
