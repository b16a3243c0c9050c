"""Running compiled models as they were written, for the length of a probed step.

The switch is one for the whole process, and engines open and close their steps in any order. So
they share one turn of it, which ends with the last of them.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import warnings
from collections.abc import Callable, Iterator

_lock = threading.RLock()
_turn = contextlib.ExitStack()
_sharers = 0


@contextlib.contextmanager
def instead_of_compiled() -> Iterator[None]:
    """Have what ``torch.compile`` compiled run uncompiled, and compile nothing, until the end.

    Costs nothing in a process that compiles nothing. Before torch 2.6 there is no such switch, and
    compiled parts stay unseen.
    """
    if "torch._dynamo" not in sys.modules:  # nothing was compiled if it is not even loaded
        yield
        return
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    global _sharers
    import torch

    with _lock:
        set_stance = getattr(torch.compiler, "set_stance", None)
        if not _sharers and set_stance is not None:
            _turn.enter_context(set_stance("force_eager"))
            _turn.callback(_without_warning())
        _sharers += 1


def _without_warning() -> Callable[[], None]:
    """Silence what torch says of global hooks on compiled modules: ours look at nothing but the
    modules inside. Return what ends that."""
    warnings.filterwarnings("ignore", "Using `torch.compile.* when there are global hooks")
    entry = warnings.filters[0]

    def end() -> None:
        if entry in warnings.filters:
            warnings.filters.remove(entry)  # type: ignore[attr-defined]

    return end


def _leave() -> None:
    global _sharers
    with _lock:
        _sharers -= 1
        if not _sharers:
            _turn.close()
