"""What tests of hooks share: a run, and torch as it was before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch.nn.modules import module as torch_module

from quark import TrainingSession


@pytest.fixture
def session(tmp_path: Path) -> Iterator[TrainingSession]:
    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        yield session


@pytest.fixture(autouse=True)
def _no_hook_stays() -> Iterator[None]:
    """Fail a test after which torch is not as it was."""
    torch.manual_seed(0)
    before = dict(torch_module._global_forward_hooks), torch.is_grad_enabled()

    yield

    assert (dict(torch_module._global_forward_hooks), torch.is_grad_enabled()) == before
