"""A small training that goes wrong in known ways, with everything about its layers recorded."""

from __future__ import annotations

from pathlib import Path


def train_dead_network(folder: Path, *, steps: int = 48) -> str:
    """Train a network whose third module never wakes up; return the run's id."""
    import torch
    from torch import nn

    from quark import (
        HookEngine,
        HookEngineConfig,
        HookScheduleConfig,
        MetricsLogger,
        ParameterDiagnostics,
        ParameterDiagnosticsConfig,
        TrainingSession,
    )
    from quark.hooks.architecture import log_architecture

    with torch.random.fork_rng():
        torch.manual_seed(0)
        dead = nn.Linear(16, 16)
        nn.init.constant_(dead.bias, -20.0)
        model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), dead, nn.ReLU(), nn.Linear(16, 3))
        inputs, targets = torch.randn(64, 8), torch.randint(0, 3, (64,))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    schedule = HookScheduleConfig(every_n_steps=2)
    with TrainingSession.start_run(project="dead", storage_dir=folder) as session:
        log_architecture(session, model)
        with (
            MetricsLogger(session) as metrics,
            HookEngine(session, model, config=HookEngineConfig(schedule=schedule)) as hooks,
            ParameterDiagnostics(
                session,
                model,
                optimizer,
                config=ParameterDiagnosticsConfig(schedule=schedule, capture_distributions=True),
            ) as parameters,
        ):
            for step in range(steps):
                optimizer.zero_grad()
                with hooks.step(step):
                    loss = nn.functional.cross_entropy(model(inputs), targets)
                    loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                parameters.snapshot(step)
                metrics.log("train/loss", loss.item(), step=step)
        return session.run_id
