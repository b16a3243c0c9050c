"""``wandb.compat_report()`` and the report's line: what is not quite W&B's, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PLAIN = """
import quark.compat.wandb as wandb
with wandb.init(project="p", config={"lr": 0.1}) as run:
    for step in range(20):
        wandb.log({"loss": 1 / (step + 1)})
    run.summary["best"] = 0.05
print(len(wandb.compat_report()))
print(wandb.compat_report())
"""

APPROXIMATED = """
import json
import quark.compat.wandb as wandb
wandb.login()
wandb.login()
settings = wandb.Settings(init_timeout=90)
with wandb.init(project="p", force=True, settings=settings) as run:
    wandb.log({"strange": object()})
    try:
        wandb.launch_add
    except AttributeError:
        pass
    assert not hasattr(wandb, "launch_add")
    print(json.dumps([tuple(use) for use in wandb.compat_report()]))
    print(run._session.run_path)
"""


def ran(script: str, folder: Path) -> tuple[list[str], str]:
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), done.stderr


def test_a_plain_script_uses_nothing_that_is_not_as_in_wandb(tmp_path: Path) -> None:
    told, errors = ran(PLAIN, tmp_path)

    assert told == ["0", "Everything that was used so far is as in W&B."]
    assert "wandb  " not in errors


def test_what_was_ignored_or_done_otherwise_is_listed_and_kept_with_the_run(
    tmp_path: Path,
) -> None:
    told, errors = ran(APPROXIMATED, tmp_path)

    uses = [tuple(use) for use in json.loads(told[0])]
    by_name = {name: (state, count) for name, state, _, count in uses}
    assert by_name["wandb.login"] == ("differs", 2)
    assert by_name["wandb.init(force=)"] == ("no-op", 1)
    assert by_name["Settings.init_timeout"][0] == "no-op"
    assert by_name["value builtins.object"][0] == "warned"
    states = [state for _, state, _, _ in uses]
    order = ["refused", "no-op", "warned", "differs"]
    assert states == sorted(states, key=order.index)
    line = next(line for line in errors.splitlines() if line.startswith("quark:   wandb"))
    assert "without effect" in line
    assert "works differently" in line
    report: dict[str, Any] = json.loads((Path(told[1]) / "report.json").read_text())
    (note,) = report["notes"]
    assert note["label"] == "wandb"
    assert any(detail.startswith("wandb.login (works, with a diff") for detail in note["details"])
    text = (Path(told[1]) / "report.md").read_text()
    assert "## wandb" in text
    assert "object" in text
