"""The shim does what wandb 0.31 does: the same scripts on both, each in a fresh process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from quark.compat.wandb.differences import DIFFERENCES
from tests.compat.wandb.differential import Behaviour, observe

pytestmark = pytest.mark.wandb_parity

GROUPS = (
    *("log", "summary", "config", "lifecycle", "endings", "environment", "console"),
    *("watch", "saving", "branching"),
)
LISTED = {name for difference in DIFFERENCES for name in difference.shown_by}


def told(behaviours: list[Behaviour]) -> str:
    return "\n".join(f"{b.name}\n  wandb {b.real}\n  shim  {b.shim}" for b in behaviours)


@pytest.mark.parametrize("group", GROUPS)
def test_the_shim_behaves_as_wandb(
    group: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    found = observe(f"tests.compat.wandb.behaviours_{group}", tmp_path)
    named = {f"{group} / {behaviour.name}": behaviour for behaviour in found}

    others = [b for name, b in named.items() if not b.same and name not in LISTED]
    stale = {name for name in LISTED if name.startswith(f"{group} / ")} - {
        name for name, behaviour in named.items() if not behaviour.same
    }

    assert others == [], told(others)
    assert stale == set(), "listed in differences.py, but no difference any more"
    record_property("behaviours compared", len(named))
    different = sum(not behaviour.same for behaviour in found)
    print(f"{group}: {len(named)} behaviours compared, {different} differ as listed")


def raised(*names: str) -> dict[str, list[str]]:
    return {"raised": list(names)}


@pytest.mark.parametrize(
    ("real", "shim", "same"),
    [
        (1, 1.0, True),
        (1, 2, False),
        (raised("TypeError"), None, False),
        (raised("TypeError", "ValueError"), raised("TypeError"), False),
        (raised("ValueError"), raised("Error", "ValueError"), True),
    ],
)
def test_a_difference_is_seen(real: object, shim: object, same: bool) -> None:
    assert Behaviour("x", real, shim).same is same
