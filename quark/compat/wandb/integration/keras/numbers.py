"""Numbers of a Keras model, whatever backend they are kept by."""

from __future__ import annotations

from typing import Any

from quark.compat.wandb import term
from quark.compat.wandb.integration.requirement import library

_ops: Any = library("keras.ops", integration="keras")

#: What asking somebody's schedule may raise.
_FAULTS = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


def learning_rate(model: Any, step: int) -> float | None:
    """Return the learning rate of a compiled model, by its schedule if it has one, or None."""
    rate = getattr(getattr(model, "optimizer", None), "learning_rate", None)
    try:
        if callable(rate) and not hasattr(rate, "shape"):
            rate = rate(step)
        return None if rate is None else float(array(rate).item())
    except _FAULTS as error:
        term.termwarn(f"the learning rate could not be logged: {error}", repeat=False)
        return None


def array(tensor: Any) -> Any:
    """Return a tensor or variable of any backend as a numpy array."""
    return _ops.convert_to_numpy(tensor)
