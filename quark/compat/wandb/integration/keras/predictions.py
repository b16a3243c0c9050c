"""Pictures of what a Keras model predicts, with the classes as captions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quark.compat import wandb


def prediction_images(model: Any, samples: tuple[Any, Any], labels: Sequence[str]) -> list[Any]:
    """Return one ``wandb.Image`` a sample; its caption is what the model predicts.

    Args:
        model: Puts out one number (a class of two, or a value) or one number a class.
        samples: Pictures, (n, height, width, channels), and what is true of them.
        labels: The names of the classes; without them their numbers are shown.
    """
    guesses = model.predict(samples[0], verbose=0)
    return [
        wandb.Image(picture, caption=_caption(guess, labels))
        for picture, guess in zip(samples[0], guesses, strict=True)
    ]


def _caption(guess: Any, labels: Sequence[str]) -> str:
    if guess.size == 1:
        value = float(guess.reshape(-1)[0])
        return labels[round(value)] if len(labels) == 2 else f"{value:g}"
    number = int(guess.argmax())
    return labels[number] if number < len(labels) else str(number)
