"""The shim's sweeps do what W&B's do, as far as that can be seen without W&B's server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compat.wandb.differential import observe
from tests.compat.wandb.test_behaviours import LISTED, told


@pytest.mark.wandb_parity
def test_sweeps_behave_as_those_of_wandb(tmp_path: Path) -> None:
    found = observe("tests.compat.wandb.sweeps.behaviours_sweeps", tmp_path)
    named = {f"sweeps / {behaviour.name}": behaviour for behaviour in found}

    others = [b for name, b in named.items() if not b.same and name not in LISTED]
    stale = {name for name in LISTED if name.startswith("sweeps / ")} - {
        name for name, behaviour in named.items() if not behaviour.same
    }

    assert others == [], told(others)
    assert stale == set(), "listed in differences.py, but no difference any more"
    print(f"sweeps: {len(named)} behaviours compared")
