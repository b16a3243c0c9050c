"""Running compiled models as they were written, for the length of a probed step."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def instead_of_compiled() -> Iterator[None]:
    """Have what ``torch.compile`` compiled run uncompiled, and compile nothing, until the end.

    Costs nothing in a process that compiles nothing. Before torch 2.6 there is no such switch, and
    compiled parts stay unseen.
    """
    dynamo = sys.modules.get("torch._dynamo")  # nothing was compiled if it is not even loaded
    if dynamo is None:
        yield
        return
    import torch

    set_stance = getattr(torch.compiler, "set_stance", None)
    if set_stance is None:
        yield
        return
    with set_stance("force_eager"):
        yield
