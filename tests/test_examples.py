"""The examples of the native API do what they say, and the loop in them is the guide's."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from quark import MetricsLogger, jsonio
from quark.session.reading import load_context
from quark.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
GUIDE_LOOP = ROOT / "tests" / "guide_blocks" / "06_full_pytorch_training_loop_instrumentation.txt"

#: What the loop's schedules make of 4 epochs of 43 batches.
STEPS = range(4 * 43)
PROBED, SNAPSHOTS, TIMED = STEPS[::25], STEPS[::50], STEPS[::10]


def run(python: str, name: str, *arguments: str) -> str:
    command = [python, str(ROOT / "examples" / name), *arguments, "--storage-dir", "kept"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def the_with(code: str) -> ast.With:
    """The one outermost ``with`` statement over several parts."""
    (found,) = (
        node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.With) and node.items[1:]
    )
    return found


@pytest.mark.slow
def test_the_loop_example_tells_what_its_schedules_promise(python: str) -> None:
    told = run(python, "pytorch_loop.py", "--epochs", "4")

    counts = {what: int(count) for count, what in re.findall(r"^ +(\d+) (.*)$", told, re.M)}
    instrumented, parameters = 2 + 2 + 1 + 3, 14
    assert counts.pop("metric samples") >= 2 * len(STEPS) + 5 * len(TIMED)
    assert counts.pop("events") >= 2 + 2 + len(PROBED)
    assert counts == {
        "step timings": len(TIMED),
        "layer summaries": 2 * instrumented * len(PROBED),
        "parameter summaries": parameters * len(SNAPSHOTS),
        # Updates are measured from the second snapshot on.
        "distributions": parameters * (3 * len(SNAPSHOTS) - 1),
    }
    (run_id,) = re.findall(r"^run (\S+): completed, kept in ", told, re.M)
    with MetricsLogger(load_context(run_id, Settings.load(storage_dir="kept"))) as metrics:
        losses = metrics.read(metric_key="train/loss")
    assert [record.step for record in losses] == list(STEPS)
    assert f"last loss  {losses[-1].value:.4f} at step {STEPS[-1]}" in told
    assert re.search(r"^layer      9 \(ReLU\) \[32, 64\] at step 150: mean 0\.\d+", told, re.M)
    assert re.search(r"^parameter .* weight at step 150: .* moved by \d+\.\d%", told, re.M)
    assert "faults     none" in told
    (accuracy,) = re.findall(r"^accuracy   (0\.\d+) on 450 images", told, re.M)
    assert float(accuracy) > 0.9


def test_the_loop_of_the_example_is_the_guides() -> None:
    guide = the_with(GUIDE_LOOP.read_text())
    example = the_with((ROOT / "examples" / "pytorch_loop.py").read_text())

    assert [ast.dump(part) for part in example.body] == [ast.dump(part) for part in guide.body]
    # All parts but the session, whose project and model have other names.
    assert [ast.dump(part) for part in example.items[1:]] == [
        ast.dump(part) for part in guide.items[1:]
    ]


@pytest.mark.slow
def test_the_lifecycle_example_loses_a_run_and_goes_on_with_it(python: str) -> None:
    told = run(python, "session_lifecycle.py")

    (run_id,) = re.findall(r"^run (\S+) is failed: the disk with the images", told, re.M)
    assert f"run {run_id} is completed, resumed 1 time\n" in told
    assert "tags       baseline, digits, recovered\n" in told
    assert re.findall(r"^  (\w+) +(\w+) ", told, re.M) == [
        ("info", "run_started"),
        ("info", "user_log"),
        ("info", "checkpoint_saved"),
        ("info", "checkpoint_saved"),
        ("error", "runtime_error"),
        ("info", "run_ended"),
        ("info", "run_resumed"),
        ("info", "user_log"),
        *[("info", "checkpoint_saved")] * 3,
        ("info", "run_ended"),
    ]
    losses = [float(loss) for loss in re.findall(r"^epoch \d    last loss (\S+)", told, re.M)]
    assert len(losses) == 5
    assert losses[-1] < losses[0] / 2
    assert "110 losses logged" in told
    assert f"once more? Run '{run_id}' is 'completed' and cannot" in told


@pytest.mark.slow
@pytest.mark.parametrize(
    ("switches", "named"),
    [
        ((), set()),
        (("--high-lr",), {"learning_rate_too_high"}),
        (("--dead-relu",), {"activation_collapse"}),
        (("--no-zero-grad",), {"missing_zero_grad"}),
    ],
    ids=lambda value: "".join(value) or "healthy" if isinstance(value, tuple) else "",
)
def test_each_switch_of_the_broken_training_is_named_in_its_report(
    python: str, switches: tuple[str, ...], named: set[str]
) -> None:
    run(python, "broken_training.py", *switches)

    (kept,) = Path("kept/.quark/runs").glob("*/report.json")
    alerts = jsonio.loads(kept.read_bytes())["alerts"]
    serious = [alert for alert in alerts if alert["severity"] != "info"]
    assert {alert["rule_id"] for alert in serious[:1]} == named
    assert all(alert["metadata"]["advice"] for alert in serious)
