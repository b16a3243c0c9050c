"""What every test of the shim gets: an environment that was not read yet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from quark.compat.wandb import environment


@pytest.fixture(autouse=True)
def _unread_environment() -> Iterator[None]:
    environment.forget()
    yield
    environment.forget()
