"""A training that an alert stops: before the next optimizer step, with its evidence kept."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch.optim.optimizer import _global_optimizer_pre_hooks as hooks  # noqa: E402

from quark import ArtifactStore, TrainingSession, TrainingStoppedError  # noqa: E402
from quark.analyzers.rules.non_finite_values import RULE as NON_FINITE_VALUES  # noqa: E402
from quark.live import LiveConfig, LiveRules, check, should_stop  # noqa: E402
from quark.live.after_import import AfterImport  # noqa: E402
from quark.live.stopping import GATE  # noqa: E402
from quark.live.watching import watch  # noqa: E402
from tests.live.building import rule, settle  # noqa: E402

AT_ONCE = LiveConfig(time_share=1.0, first_seconds=0, first_row_count=1, growth_ratio=0)
STEPS = 100_000


def eager() -> LiveRules:
    rules = [
        NON_FINITE_VALUES,
        rule("loss_too_high", "warning"),
        rule("loss_wild", "error", above=1e3),
    ]
    return LiveRules(rules=rules, config=AT_ONCE)


@pytest.fixture(autouse=True)
def _eager_rules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("QUARK_LIVE_RULES", "0")
    monkeypatch.setenv("QUARK_REPORT", "0")
    monkeypatch.setenv("QUARK_STOP_REQUESTS", "0")
    monkeypatch.setenv("QUARK_EXTENSIONS", f"{__name__}:eager")
    before = list(hooks)
    yield
    assert list(hooks) == before


def train(session: TrainingSession, nan_from: int) -> int:
    """Train until something ends it; return how many optimizer steps were made."""
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([weight], lr=1e-3)
    for step in range(STEPS):
        loss = (weight**2).sum() * (float("nan") if step >= nan_from else 1.0)
        optimizer.zero_grad()
        loss.backward()
        before = weight.detach().clone()
        try:
            optimizer.step()
        except TrainingStoppedError:
            assert torch.equal(weight.detach(), before) or before.isnan().all()
            raise
        session.log_row({"train/loss": loss.item()}, step)
        if step == nan_from + 2:
            settle(session)  # gives the background its turn, so that this is not about luck
    return STEPS


def test_a_training_of_nan_is_stopped_and_keeps_what_shows_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUARK_ON_ALERT", "stop")

    with (
        pytest.raises(TrainingStoppedError, match="non_finite_values") as raised,
        TrainingSession.start_run(project="p", storage_dir=tmp_path) as session,
    ):
        train(session, nan_from=30)

    message = str(raised.value)
    assert "train/loss is NaN at step 30" in message
    assert "'alerts/non_finite_values'" in message
    assert "QUARK_ON_ALERT=warn" in message
    run = session.reload().run
    assert run.status == "failed"
    assert (run.end_reason or "").startswith("stopped by alert non_finite_values (")
    with ArtifactStore(session.context) as artifacts:
        (record,) = artifacts.read(artifact_type="alert_evidence_bundle")
        bundle = artifacts.load(record)
    assert record.artifact_key == "alerts/non_finite_values"
    assert bundle["alert"]["rule_id"] == "non_finite_values"
    kept = bundle["metrics"]["train/loss"]
    assert kept["step"][:31] == list(range(31))
    assert kept["value"][29] < kept["value"][0]
    assert kept["value"][30:] == ["NaN"] * (len(kept["step"]) - 30)
    assert kept["step"][-1] == bundle["last_step"]
    assert bundle["nonfinite_counts"]["train/loss"] >= 1
    assert should_stop() is False


def test_a_warning_stops_nothing_and_an_error_does_where_errors_are_enough(tmp_path: Path) -> None:
    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        assert watch(session, on_alert="stop")
        for step in range(5):
            session.log_row({"train/loss": 100.0}, step)
            session.flush()
            settle(session)
        assert should_stop() is False
        check()

        assert watch(session, on_alert="stop", stop_severity="critical")
        for step in range(5, 10):
            session.log_row({"train/loss": 5000.0}, step)
            session.flush()
            settle(session)
        assert should_stop(session) is False

        assert watch(session, on_alert="stop")
        session.log_row({"train/loss": float("nan")}, 10)
        session.log_row({"train/loss": float("nan")}, 11)
        session.flush()
        settle(session)
        assert should_stop()
        with pytest.raises(TrainingStoppedError, match="critical"):
            check(session)

    assert session.reload().status == "completed"
    assert should_stop(session) is False


def test_the_gate_is_there_only_for_as_long_as_somebody_needs_it(tmp_path: Path) -> None:
    before = len(hooks)

    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as first:
        watch(first, on_alert="stop")
        watch(first, on_alert="stop")
        assert len(hooks) == before + 1
        with TrainingSession.start_run(project="p", storage_dir=tmp_path) as second:
            watch(second, on_alert="stop")
            assert len(hooks) == before + 1
            watch(first, on_alert="warn")
            assert len(hooks) == before + 1
        assert len(hooks) == before
    GATE.open()
    GATE.close()
    assert len(hooks) == before


def test_a_script_that_imports_torch_after_init_is_stopped_too(tmp_path: Path, python: str) -> None:
    script = (
        "import quark.compat.wandb as wandb\n"
        "run = wandb.init(project='p')\n"
        "import torch\n"
        "weight = torch.nn.Parameter(torch.ones(2))\n"
        "optimizer = torch.optim.SGD([weight], lr=0.1)\n"
        f"for step in range({STEPS}):\n"
        "    loss = weight.sum() * (1.0 if step < 20 else float('nan'))\n"
        "    optimizer.zero_grad(); loss.backward(); optimizer.step()\n"
        "    wandb.log({'train/loss': loss.item()})\n"
        "wandb.finish()\n"
    )
    done = subprocess.run(
        [python, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "QUARK_ON_ALERT": "stop"},
        capture_output=True,
        text=True,
        timeout=100,
    )

    assert done.returncode == 1, done.stderr
    assert "TrainingStoppedError: Quark stopped the training" in done.stderr
    assert "line 8, in <module>" in done.stderr  # where the step is


# -- doing something after an import -------------------------------------------------------------


def test_something_is_done_after_an_import_once_and_the_module_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "late_module.py").write_text("value = 7\n")
    monkeypatch.syspath_prepend(tmp_path)
    finders = list(sys.meta_path)
    seen: list[int] = []
    waiting = AfterImport("late_module", lambda: seen.append(sys.modules["late_module"].value))
    waiting.install()

    import late_module  # type: ignore[import-not-found]

    assert seen == [7]
    assert sys.meta_path == finders
    assert type(late_module.__spec__.loader).__name__ == "SourceFileLoader"
    assert "exec_module" not in vars(late_module.__spec__.loader)
    monkeypatch.delitem(sys.modules, "late_module")
    waiting.remove()


def test_a_module_that_fails_or_is_not_there_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "failing_module.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    finders = list(sys.meta_path)
    seen: list[str] = []

    for name, error in (("failing_module", ZeroDivisionError), ("absent_module", ImportError)):
        waiting = AfterImport(name, lambda: seen.append("done"))
        waiting.install()
        with pytest.raises(error):
            __import__(name)
        waiting.remove()

    assert seen == []
    assert sys.meta_path == finders
