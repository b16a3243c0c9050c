"""The models whose training the watching benchmarks slow down, and one step of each.

On a CPU with two threads a step of the MLP takes about 1.4 ms, which is where overhead shows most.
The two large ones run where there is a GPU, under bfloat16 autocast.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


class Encoder(nn.Module):
    """A transformer that tells the next token, as language models do; no dropout."""

    def __init__(self, *, layers: int, width: int, heads: int, tokens: int, length: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(tokens, width)
        self.places = nn.Parameter(torch.randn(length, width) * 0.02)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, heads, 4 * width, dropout=0.0, batch_first=True, norm_first=True
            )
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, tokens)

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = self.tokens(tokens) + self.places
        for layer in self.layers:
            hidden = layer(hidden)
        scores: Tensor = self.head(self.norm(hidden))
        return scores


class Bottleneck(nn.Module):
    """The block that ResNet-50 is made of."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = 4 * width
        self.body = nn.Sequential(
            *_convolved(inputs, width, 1, 1),
            nn.ReLU(),
            *_convolved(width, width, 3, stride),
            nn.ReLU(),
            *_convolved(width, outputs, 1, 1),
        )
        same = inputs == outputs and stride == 1
        self.shortcut = (
            nn.Identity() if same else nn.Sequential(*_convolved(inputs, outputs, 1, stride))
        )
        self.last = nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.last(self.body(images) + self.shortcut(images))
        return out


def _convolved(inputs: int, outputs: int, kernel: int, stride: int) -> tuple[nn.Module, nn.Module]:
    padding = kernel // 2
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
    return convolution, nn.BatchNorm2d(outputs)


def resnet50() -> nn.Module:
    """25.6 million parameters in 53 convolutions."""
    blocks: list[nn.Module] = []
    inputs = 64
    for stage, (count, width) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512))):
        for place in range(count):
            blocks.append(Bottleneck(inputs, width, 2 if stage and not place else 1))
            inputs = 4 * width
    return nn.Sequential(
        *_convolved(3, 64, 7, 2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2048, 1000),
    )


def mlp() -> nn.Module:
    """3×256."""
    hidden = (layer for _ in range(3) for layer in (nn.Linear(256, 256), nn.ReLU()))
    return nn.Sequential(*hidden, nn.Linear(256, 10))


def small_cnn() -> nn.Module:
    """Three convolutions with batch norm, for images of 16×16."""
    return nn.Sequential(
        *(nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()),
        *(nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.BatchNorm2d(32), nn.ReLU()),
        *(nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.BatchNorm2d(64), nn.ReLU()),
        nn.Flatten(),
        nn.Linear(1024, 10),
    )


def small_transformer() -> nn.Module:
    """Four layers of width 128."""
    return Encoder(layers=4, width=128, heads=4, tokens=256, length=32)


def large_transformer() -> nn.Module:
    """110 million parameters."""
    return Encoder(layers=12, width=768, heads=12, tokens=16_384, length=512)


@dataclass(frozen=True)
class Workload:
    """A model and a batch for it. On a GPU the loss is looked at in every tenth step only, so that
    the bare step does not wait for the device either."""

    build: Callable[[], nn.Module]
    inputs: Callable[[], Tensor]
    targets: Callable[[], Tensor]
    device: str = "cpu"

    def prepare(self) -> tuple[nn.Module, Any, Callable[[], Tensor]]:
        """Return the model, its optimizer and a function that makes the forward pass."""
        torch.manual_seed(0)
        model = self.build().to(self.device)
        inputs, targets = self.inputs().to(self.device), self.targets().to(self.device)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)

        def forward() -> Tensor:
            with torch.autocast(self.device, torch.bfloat16, enabled=self.device != "cpu"):
                scores = model(inputs)
                return nn.functional.cross_entropy(scores.flatten(0, -2), targets.flatten())

        return model, optimizer, forward


def _tokens(count: int, batch: int, length: int) -> Callable[[], Tensor]:
    return lambda: torch.randint(0, count, (batch, length))


def _noise(*shape: int) -> Callable[[], Tensor]:
    return lambda: torch.randn(shape)


WORKLOADS = {
    "3×256 MLP": Workload(mlp, _noise(64, 256), _tokens(10, 64, 1)),
    "small CNN": Workload(small_cnn, _noise(16, 3, 16, 16), _tokens(10, 16, 1)),
    "4-layer transformer": Workload(small_transformer, _tokens(256, 4, 32), _tokens(256, 4, 32)),
    "ResNet-50, bf16": Workload(resnet50, _noise(64, 3, 224, 224), _tokens(1000, 64, 1), "cuda"),
    "110 M transformer, bf16": Workload(
        large_transformer, _tokens(16_384, 16, 512), _tokens(16_384, 16, 512), "cuda"
    ),
}


def workloads_here() -> list[str]:
    """Return the names of those that this machine can run."""
    with_gpu = torch.cuda.is_available()
    return [name for name, one in WORKLOADS.items() if one.device == "cpu" or with_gpu]
