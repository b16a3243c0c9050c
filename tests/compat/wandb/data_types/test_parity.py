"""Media are kept as W&B 0.31 keeps them, and refused as it refuses them."""

from __future__ import annotations

from pathlib import Path

import pytest

from quark.compat.wandb.differences import DIFFERENCES
from tests.compat.wandb.differential import observe

pytestmark = pytest.mark.wandb_parity

LISTED = {name for difference in DIFFERENCES for name in difference.shown_by}


def test_media_are_kept_as_in_wandb(tmp_path: Path) -> None:
    found = observe("tests.compat.wandb.data_types.behaviours_media", tmp_path)
    named = {f"media / {behaviour.name}": behaviour for behaviour in found}

    others = {name: b for name, b in named.items() if not b.same and name not in LISTED}
    stale = {name for name in LISTED if name.startswith("media / ")} - {
        name for name, behaviour in named.items() if not behaviour.same
    }

    told = "\n".join(f"{name}\n  wandb {b.real}\n  shim  {b.shim}" for name, b in others.items())
    assert not others, told
    assert stale == set(), "listed in differences.py, but no difference any more"
    different = sum(not behaviour.same for behaviour in found)
    print(f"media: {len(named)} behaviours compared, {different} differ as listed")
