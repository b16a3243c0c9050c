"""One step of a training that is looked at: small samples of it, taken without waiting.

Samples are copied at once, because what they are of may be written over, and carried to the host
together. What they say is computed in the background, by :mod:`quark.hooks.loop_reading`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from quark.clock import SYSTEM_CLOCK
from quark.hooks.allowance import own_seconds
from quark.hooks.transfer import Transfer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, device, nn

    Samples = dict[str, NDArray[np.float32]]

#: Rows of a batch that are looked at, and of each row this many columns, by its dimensions.
MAX_ROWS = 64
_COLUMNS = {0: (), 1: (64,), 2: (16, 8), 3: (3, 6, 6)}
_OTHER_COLUMNS = 3
#: Rows and elements of an output.
MAX_OUTPUT_ROWS = 256
_MAX_OUTPUT_ELEMENTS = 16_384
_MAX_OUTPUT_COLUMNS = 8_192
#: Above this, a copy or a norm of the whole tensor would take too long.
_MAX_WHOLE_ELEMENTS = 1_000_000
_CHANGE_ELEMENTS = 256
#: Backward passes of one step that are looked at.
_MAX_BACKWARDS = 16
_PREFERRED_INPUTS = ("input_ids", "pixel_values", "input_values", "inputs_embeds")


class LoopProbe:
    """Samples of one step, from its first forward pass to the optimizer's step."""

    def __init__(self, step: int) -> None:
        import torch

        self._torch = torch
        self.step = step
        self.time_us = SYSTEM_CLOCK.time_us()
        self.row: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.spent_seconds = 0.0
        self.backward_count = 0
        self.over = False
        self._pieces: dict[device, list[tuple[str, Tensor]]] = {}
        self._handles: list[Any] = []

    def on_end(self, handle: Any) -> None:
        """Have a hook removed when the step is over."""
        self._handles.append(handle)

    def end(self) -> None:
        """Look at nothing more."""
        self.over = True
        while self._handles:
            self._handles.pop().remove()

    # -- what is taken -------------------------------------------------------------------------

    def see_input(self, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        """Sample the first tensor that the model was given."""
        batch = _first_input(arguments, named)
        if batch is None:
            return
        row_count = batch.shape[0]
        self.row["input_dimensions"] = batch.dim()
        self.row["input_is_integer"] = not batch.is_floating_point()
        self.row["input_row_count"] = row_count
        sizes = batch.shape[1:]
        limits = _COLUMNS.get(len(sizes), (_OTHER_COLUMNS,) * len(sizes))
        steps = [-(-size // limit) for size, limit in zip(sizes, limits, strict=True)]
        places = (slice(MAX_ROWS), *(slice(None, None, max(1, step)) for step in steps))
        self._take("input", batch[places])

    def see_output(self, output: Any, on_gradient: Callable[[Tensor], None]) -> None:
        """Sample what the model put out, and have its gradient looked at."""
        scores = _scores(output)
        if scores is None or self._is_huge(scores):
            return
        self.row["output_dimensions"] = scores.dim()
        columns = scores.shape[-1] if scores.dim() > 1 else 1
        self.row["output_column_count"] = columns
        self.row["output_row_count"] = scores.numel() // columns
        self._take("output", _sampled_rows(scores, columns))
        node, place = scores.grad_fn, scores.output_nr
        if node is not None:

            def on_gradients(gradients: tuple[Tensor | None, ...]) -> None:
                gradient = gradients[place]
                if not self.over and gradient is not None:
                    on_gradient(gradient)

            self.on_end(node.register_prehook(on_gradients))

    def see_gradient(self, gradient: Tensor) -> None:
        """Sample the gradient of what the model put out; of its first backward pass only."""
        if "gradient" in self.row or self._is_huge(gradient) or gradient.is_sparse:
            return
        start = own_seconds()
        self.row["gradient"] = True
        columns = gradient.shape[-1] if gradient.dim() > 1 else 1
        self._take("gradient", _sampled_rows(gradient, columns))
        if gradient.numel() <= _MAX_WHOLE_ELEMENTS:
            norm = self._torch.linalg.vector_norm(gradient.detach().float())
            self._take("gradient_norm", norm)
        self.spent_seconds += own_seconds() - start

    def before_backward(self, parameter: nn.Parameter) -> None:
        """Sample the gradient that is there before a backward pass adds to it."""
        if self.over:
            return
        start = own_seconds()
        if self.backward_count < _MAX_BACKWARDS:
            if parameter.grad is None:
                self.row["starts_afresh"] = True
            elif not parameter.grad.is_sparse:
                self._take(f"before {self.backward_count}", parameter.grad)
        self.backward_count += 1
        self.spent_seconds += own_seconds() - start

    def after_backward(self, parameter: nn.Parameter) -> None:
        """Sample the gradient that a backward pass leaves; the last one counts."""
        if not self.over and parameter.grad is not None and not parameter.grad.is_sparse:
            start = own_seconds()
            self._take("after", parameter.grad)
            self.spent_seconds += own_seconds() - start

    def before_step(self, parameter: nn.Parameter) -> None:
        """Sample the gradient that the optimizer is about to use, and the parameter."""
        if parameter.grad is not None and not parameter.grad.is_sparse:
            self._take("step", parameter.grad)
        self._take("parameter", parameter.reshape(-1)[:_CHANGE_ELEMENTS])

    def see_outside(self, parameter: nn.Parameter) -> None:
        """Sample a parameter that no optimizer has."""
        if not parameter.is_sparse and parameter.is_contiguous():
            self._take("outside", parameter.reshape(-1)[:_CHANGE_ELEMENTS])

    # -- on its way ----------------------------------------------------------------------------

    def send(self) -> SentSamples:
        """Start the copies to the host."""
        sent = []
        for group in self._pieces.values():
            last = dict(group)  # of equal names the last counts
            flat = self._torch.cat([piece.reshape(-1) for piece in last.values()])
            places = [(name, tuple(piece.shape)) for name, piece in last.items()]
            sent.append((Transfer(flat), places))
        self._pieces = {}
        return SentSamples(sent)

    def _take(self, name: str, tensor: Tensor) -> None:
        torch = self._torch
        if hasattr(tensor, "to_local"):  # a DTensor: this process's part of it
            tensor = tensor.to_local()
        piece = tensor.detach().to(
            dtype=torch.float32, copy=True, memory_format=torch.contiguous_format
        )
        self._pieces.setdefault(piece.device, []).append((name, piece))

    def _is_huge(self, tensor: Tensor) -> bool:
        """Say whether too much would have to be copied to look at some of it."""
        return tensor.numel() > _MAX_WHOLE_ELEMENTS and not tensor.is_contiguous()


class SentSamples:
    """Samples on their way to the host."""

    def __init__(self, sent: list[tuple[Transfer, list[tuple[str, tuple[int, ...]]]]]) -> None:
        self._sent = sent
        self.size_bytes = sum(transfer.size_bytes for transfer, _ in sent)

    def ready(self) -> bool:
        """Say whether everything has arrived. Never waits."""
        return all(transfer.ready() for transfer, _ in self._sent)

    def read(self) -> Samples:
        """Return the samples by name, waiting for them if need be."""
        found = {}
        for transfer, places in self._sent:
            flat, start = transfer.wait().numpy(), 0
            for name, shape in places:
                size = 1
                for length in shape:
                    size *= length
                found[name] = flat[start : start + size].reshape(shape)
                start += size
        return found


def _first_input(arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Tensor | None:
    """Return the batch among what a model is called with; None if none can be told."""
    preferred = [named[name] for name in _PREFERRED_INPUTS if name in named]
    for one in (*arguments, *preferred, *named.values()):
        if isinstance(one, dict) and one:
            one = next((one[name] for name in _PREFERRED_INPUTS if name in one), None)
        if _is_plain(one) and one.dim() > 0:
            whole: Tensor = one
            return None if whole.dtype.is_complex or str(whole.dtype) == "torch.bool" else whole
    return None


def _scores(output: Any) -> Tensor | None:
    """Return what of a model's output its loss is most likely made of."""
    if isinstance(output, dict) or hasattr(output, "logits"):
        named = output if isinstance(output, dict) else vars(output)
        output = named.get("logits")
    elif isinstance(output, (tuple, list)):
        output = next((one for one in output if _is_plain(one) and one.is_floating_point()), None)
    if not _is_plain(output) or not output.is_floating_point() or output.dim() < 1:
        return None
    found: Tensor = output
    columns = found.shape[-1] if found.dim() > 1 else 1
    return found if found.numel() and columns <= _MAX_OUTPUT_COLUMNS else None


def _is_plain(one: Any) -> bool:
    import torch

    return (
        isinstance(one, torch.Tensor)
        and one.layout is torch.strided
        and not one.is_nested
        and not one.is_meta
        and one.numel() > 0
        and not torch._C._functorch.is_functorch_wrapped_tensor(one)
    )


def _sampled_rows(tensor: Tensor, columns: int) -> Tensor:
    """Return evenly spaced rows: the same ones of an output and of its gradient."""
    rows = tensor.detach().reshape(-1, columns)
    wanted = max(8, min(MAX_OUTPUT_ROWS, _MAX_OUTPUT_ELEMENTS // columns))
    every = max(1, rows.shape[0] // wanted)
    return rows[::every][:wanted]
