"""One copy from a device to the host that nobody waits for.

From a CUDA device the copy goes into pinned memory, with an event behind it that says when it has
arrived. From a CPU there is nothing to copy. Other devices have no such copy that could be relied
on; there the tensor itself is kept and read in the background.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


class Transfer:
    """Carries ``tensor`` to the host.

    Whoever hands it over does not write into it any more; with ``keep`` they may.
    """

    def __init__(self, tensor: Tensor, *, keep: bool = False) -> None:
        import torch

        self.size_bytes = tensor.numel() * tensor.element_size()
        self._tensor = tensor
        self._arrived: Any = None  # a torch.cuda.Event
        if tensor.device.type == "cuda":
            host = torch.empty(tensor.shape, dtype=tensor.dtype, device="cpu", pin_memory=True)
            host.copy_(tensor, non_blocking=True)
            self._arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._arrived.record(torch.cuda.current_stream(tensor.device))
            self._tensor = host
        elif keep:
            self._tensor = tensor.clone()

    def ready(self) -> bool:
        """Say whether :meth:`wait` would come back at once. Never waits."""
        return self._arrived is None or bool(self._arrived.query())

    def wait(self) -> Tensor:
        """Return the values on the host, waiting for them if need be."""
        if self._arrived is not None:
            self._arrived.synchronize()
        return self._tensor.cpu()
