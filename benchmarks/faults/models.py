"""The models, small enough for hundreds of runs, built as people build them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.faults.options import Options

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "gelu": nn.GELU}


def mlp(options: Options, inputs: int, outputs: int, *, hidden: int, activation: str) -> nn.Module:
    """Two hidden layers, or as many as ``options`` say."""
    if options.layers:
        return deep(options, inputs, outputs, hidden=options.hidden or 64)
    width = options.hidden or hidden
    act = ACTIVATIONS[options.activation or activation]
    layers: list[nn.Module] = []
    for place in range(2):
        layers.append(nn.Linear(inputs if place == 0 else width, width))
        if options.normalised:
            layers.append(nn.BatchNorm1d(width) if outputs > 2 else nn.LayerNorm(width))
        layers.append(act())
        if options.dropout:
            layers.append(nn.Dropout(options.dropout))
    return nn.Sequential(*layers, nn.Linear(width, outputs))


class Residual(nn.Module):
    """``x + body(x)``."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = self.body(x)
        return x + changed


def deep(options: Options, inputs: int, outputs: int, *, hidden: int) -> nn.Module:
    """Many layers in a row, without what would keep them trainable unless ``options`` have it."""
    act = ACTIVATIONS[options.activation or "relu"]
    layers: list[nn.Module] = [nn.Flatten(), nn.Linear(inputs, hidden), act()]
    for _ in range((options.layers or 2) - 2):
        parts: list[nn.Module] = [nn.Linear(hidden, hidden)]
        if options.normalised:
            parts.insert(0, nn.LayerNorm(hidden))
        body = nn.Sequential(*parts, act())
        layers += [Residual(body)] if options.residual else [*parts, act()]
    return nn.Sequential(*layers, nn.Linear(hidden, outputs))


def cnn(options: Options, outputs: int) -> nn.Module:
    """Two convolutions and a head for images of 8×8."""
    if options.layers:
        return deep(options, 64, outputs, hidden=options.hidden or 48)
    width = options.hidden or 16
    act = ACTIVATIONS[options.activation or "relu"]
    layers: list[nn.Module] = []
    for place, (before, after) in enumerate(((1, width), (width, 2 * width))):
        layers.append(nn.Conv2d(before, after, 3, padding=1))
        if options.normalised:
            layers.append(nn.BatchNorm2d(after))
        layers += [act(), nn.MaxPool2d(2)] if place == 0 else [act()]
    layers += [nn.AdaptiveAvgPool2d(2), nn.Flatten()]
    if options.dropout:
        layers.append(nn.Dropout(options.dropout))
    return nn.Sequential(*layers, nn.Linear(8 * width, outputs))


class _Gru(nn.Module):
    """Reads a sequence of tokens or of numbers and answers at its end."""

    def __init__(self, options: Options, outputs: int, vocabulary: int, hidden: int) -> None:
        super().__init__()
        width = options.hidden or hidden
        self.embedding = nn.Embedding(vocabulary, 16) if vocabulary else nn.Linear(1, 16)
        self.gru = nn.GRU(16, width, batch_first=True)
        self.dropout = nn.Dropout(options.dropout) if options.dropout else nn.Identity()
        self.head = nn.Linear(width, outputs)
        self.pools = bool(vocabulary)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.gru(self.embedding(x))
        read = states.amax(1) if self.pools else states[:, -1]
        answer: Tensor = self.head(self.dropout(read))
        return answer


def gru(options: Options, outputs: int, *, vocabulary: int, hidden: int) -> nn.Module:
    """A GRU of one layer; ``vocabulary`` 0: it reads numbers."""
    return _Gru(options, outputs, vocabulary, hidden)


class Block(nn.Module):
    """A pre-norm transformer block."""

    def __init__(self, width: int, dropout: float, *, causal: bool, normalised: bool) -> None:
        super().__init__()
        norm = nn.LayerNorm if normalised else nn.Identity
        self.norm1, self.norm2 = norm(width), norm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        if dropout:
            self.mlp.append(nn.Dropout(dropout))
        self.causal = causal

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        heads = self.qkv(self.norm1(x)).view(batch, length, 3, 2, width // 2).permute(2, 0, 3, 1, 4)
        query, key, value = heads
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        changed: Tensor = self.mlp(self.norm2(x))
        return x + changed


class _Transformer(nn.Module):
    """Two blocks; answers for the sequence, or at each position if it is causal."""

    def __init__(
        self, options: Options, outputs: int, vocabulary: int, width: int, *, causal: bool
    ) -> None:
        super().__init__()
        width = options.hidden or width
        self.tokens = nn.Embedding(vocabulary, width)
        self.places = nn.Embedding(256, width)
        nn.init.normal_(self.tokens.weight, std=0.3)
        nn.init.normal_(self.places.weight, std=0.1)
        kept = options.normalised is not False
        self.blocks = nn.Sequential(
            *(
                Block(width, options.dropout, causal=causal, normalised=kept)
                for _ in range(options.layers or 2)
            )
        )
        self.norm = nn.LayerNorm(width) if kept else nn.Identity()
        self.head = nn.Linear(width, outputs)
        self.causal = causal

    def forward(self, x: Tensor) -> Tensor:
        places = torch.arange(x.shape[1])
        states = self.norm(self.blocks(self.tokens(x) + self.places(places)))
        answer: Tensor = self.head(states if self.causal else states.mean(1))
        return answer


def encoder(options: Options, outputs: int, *, vocabulary: int, width: int) -> nn.Module:
    """Attention in both directions, one answer."""
    return _Transformer(options, outputs, vocabulary, width, causal=False)


def language_model(options: Options, vocabulary: int, *, width: int) -> nn.Module:
    """Attention to what came before, an answer at each position."""
    return _Transformer(options, vocabulary, vocabulary, width, causal=True)


@torch.no_grad()
def initialise(model: nn.Module, how: str) -> None:
    """Give the weights a start that nothing good can come of."""
    for name, parameter in model.named_parameters():
        is_norm = parameter.dim() == 1 and "weight" in name
        if how == "zero" and not is_norm:
            parameter.zero_()
        elif how == "constant" and parameter.dim() > 1:
            parameter.fill_(0.1)
        elif how == "x100" and parameter.dim() > 1:
            parameter.mul_(100.0)
        elif how == "dead" and name.endswith("bias"):
            parameter.fill_(-10.0)
    if how == "dead":  # the answers themselves have no activation to die
        last = [module for module in model.modules() if isinstance(module, nn.Linear)][-1]
        last.bias.zero_()


class WithSoftmax(nn.Module):
    """A model whose answers are probabilities already."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.softmax = nn.Softmax(dim=-1)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.softmax(self.model(x))
        return answer
