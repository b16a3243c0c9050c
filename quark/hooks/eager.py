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
_has_compiled = False
_NOTHING = contextlib.nullcontext()


def instead_of_compiled() -> contextlib.AbstractContextManager[None]:
    """Have what ``torch.compile`` compiled run uncompiled, and compile nothing, until the end.

    Costs nothing in a process that compiles nothing. Before torch 2.6 there is no such switch, and
    compiled parts stay unseen.
    """
    return _uncompiled() if _compiles() else _NOTHING


def _compiles() -> bool:
    """Say whether ``torch.compile`` was ever called; once it was, that stays so."""
    global _has_compiled
    if not _has_compiled:
        frames = sys.modules.get("torch._dynamo.eval_frame")  # not even loaded, if not
        backends = {1: True} if frames is None else getattr(frames, "cached_backends", {1: True})
        # Optimizers load it too, to say that they are not compiled; then there is no backend.
        _has_compiled = frames is not None and any(one is not None for one in backends.values())
    return _has_compiled


@contextlib.contextmanager
def _uncompiled() -> Iterator[None]:
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
