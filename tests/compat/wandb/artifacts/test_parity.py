"""Artifacts are made, refused and digested as by wandb 0.31: the same scripts on both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from quark.compat.wandb.differences import DIFFERENCES
from tests.compat.wandb.differential import observe

pytestmark = pytest.mark.wandb_parity

GROUPS = ("behaviours", "behaviours_objects", "behaviours_media")
LISTED = {name for difference in DIFFERENCES for name in difference.shown_by}


@pytest.mark.parametrize("group", GROUPS)
def test_artifacts_behave_as_in_wandb(
    group: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    found = observe(f"tests.compat.wandb.artifacts.{group}", tmp_path)
    named = {f"artifacts.{group} / {behaviour.name}": behaviour for behaviour in found}

    others = [
        f"{b.name}\n  wandb {b.real}\n  shim  {b.shim}"
        for name, b in named.items()
        if not b.same and name not in LISTED
    ]
    stale = {name for name in LISTED if name.startswith(f"artifacts.{group} / ")} - {
        name for name, behaviour in named.items() if not behaviour.same
    }

    assert others == [], "\n".join(others)
    assert stale == set(), "listed in differences.py, but no difference any more"
    record_property("behaviours compared", len(named))
