"""The callbacks and patches that W&B itself ships for other libraries.

Each is a module of its own that is loaded, with its library, when it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from quark.compat.wandb.errors import unsupported

BUILT = frozenset(
    {
        *("catboost", "fastai", "gym", "huggingface", "keras", "lightgbm", "lightning", "sacred"),
        *("sb3", "sklearn", "tensorboard", "tensorflow", "torch", "xgboost"),
    }
)
#: W&B has or had these too. They wrap the clients of services, or do what their library does now.
NOT_BUILT = frozenset(
    {
        *("cohere", "diffusers", "dspy", "kfp", "langchain", "magic", "metaflow", "openai"),
        *("prodigy", "sagemaker", "ultralytics", "weave", "yolov8"),
    }
)


def __getattr__(name: str) -> Any:
    if name in BUILT:
        return import_module(f"{__name__}.{name}")
    if name in NOT_BUILT:
        raise unsupported(f"wandb.integration.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(BUILT)
