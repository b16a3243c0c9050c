"""``wandb.integration.torch``: histograms by a script's own hooks, which leave no trace."""

from __future__ import annotations

from pathlib import Path

import pytest

import quark.compat.wandb as wandb

torch = pytest.importorskip("torch")


def test_hooks_log_every_so_many_passes_and_are_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_SILENT", "true")
    run = wandb.init()
    model = torch.nn.Linear(3, 2)
    history = wandb.integration.torch.TorchHistory()
    history.add_log_parameters_hook(model, name="net.", prefix="a.", log_freq=2)
    history.add_log_gradients_hook(model, name="net.", log_freq=1)
    gradients = []
    for _ in range(4):
        model.zero_grad()
        model(torch.ones(5, 3)).square().sum().backward()
        gradients.append(model.weight.grad.clone())
        wandb.log({"loss": 1})
    history.unhook("gradients/net.bias")
    history.unhook_all()
    model(torch.ones(1, 3)).sum().backward()
    wandb.log({"loss": 2})
    wandb.finish()

    rows = list(wandb.Api().run(run.id).scan_history())
    taken = [step for step, row in enumerate(rows) if row.get("parameters/a.net.weight")]
    assert taken == [1, 3]
    for row, gradient in zip(rows[:4], gradients, strict=True):
        kept = row["gradients/net.weight"]
        assert sum(kept["values"]) == 6
        assert kept["bins"][0] == pytest.approx(gradient.min().item())
        assert kept["bins"][-1] == pytest.approx(gradient.max().item())
    assert rows[4].get("gradients/net.weight") is None
    with pytest.raises(KeyError):
        history.unhook("gradients/net.bias")
