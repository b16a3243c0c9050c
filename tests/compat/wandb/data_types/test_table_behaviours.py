"""Tables do what wandb 0.31's do: the same scripts on both, each in a fresh process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from quark.compat.wandb.differences import DIFFERENCES
from tests.compat.wandb.differential import observe

pytestmark = pytest.mark.wandb_parity

LISTED = {name for difference in DIFFERENCES for name in difference.shown_by}


def test_tables_behave_as_those_of_wandb(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    found = observe("tests.compat.wandb.data_types.behaviours_tables", tmp_path)
    named = {f"tables / {behaviour.name}": behaviour for behaviour in found}

    differing = {name for name, behaviour in named.items() if not behaviour.same}
    others = [named[name] for name in sorted(differing - LISTED)]
    stale = {name for name in LISTED if name.startswith("tables / ")} - differing

    assert others == [], "\n".join(f"{b.name}\n  wandb {b.real}\n  shim  {b.shim}" for b in others)
    assert stale == set(), "listed in differences.py, but no difference any more"
    record_property("behaviours compared", len(named))
    print(f"tables: {len(named)} behaviours compared, {len(differing)} differ as listed")
