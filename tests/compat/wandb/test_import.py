"""Importing the shim is light, and alone does nothing to the process."""

from __future__ import annotations

import json
import subprocess

HEAVY = ("numpy", "pandas", "PIL", "torch", "wandb", "yaml", "rich", "httpx", "argparse", "asyncio")

SCRIPT = """
import json, os, sys, threading
hook = sys.excepthook
import quark.compat.wandb as wandb
print(json.dumps({
    "modules": sorted(name.partition(".")[0] for name in sys.modules),
    "threads": threading.active_count(),
    "files": os.listdir("."),
    "hook": sys.excepthook is hook,
    "children": len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 1,
}))
"""


def test_importing_is_light_and_starts_nothing(python: str) -> None:
    result = subprocess.run([python, "-c", SCRIPT], capture_output=True, text=True, check=True)

    seen = json.loads(result.stdout)
    assert set(HEAVY) & set(seen["modules"]) == set()
    assert seen["threads"] == seen["children"] == 1
    assert seen["files"] == []
    assert seen["hook"]


def test_a_small_run_needs_no_child_process_and_no_socket(python: str) -> None:
    script = """
import sys
seen = []
watched = ("socket.", "subprocess.")
sys.addaudithook(lambda event, _: event.startswith(watched) and seen.append(event))
import quark.compat.wandb as wandb
wandb.init(settings={"silent": True})
wandb.log({"a": 1})
wandb.finish()
print(seen, "pandas" in sys.modules, "torch" in sys.modules)
"""

    result = subprocess.run([python, "-c", script], capture_output=True, text=True, check=True)

    assert result.stdout.strip() == "[] False False"
    assert result.stderr == ""
