"""Trains a small CNN on scikit-learn's digits, and measures machine, layers and parameters.

The loop is that of the SDK guide: metrics, events, step timings, layer summaries every 25 steps and
parameter summaries every 50. At the end it tells what was recorded.
Try ``python examples/pytorch_loop.py --epochs 10``.
"""

import argparse

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from quark import (
    EventLogger,
    HookEngine,
    HookEngineConfig,
    HookScheduleConfig,
    LayerFilterConfig,
    MetricsLogger,
    ParameterDiagnostics,
    ParameterDiagnosticsConfig,
    SystemTelemetry,
    SystemTelemetryConfig,
    TrainingSession,
)


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--storage-dir", default=None, help="where runs are kept")
    return parser.parse_args()


def load_data(batch_size):
    """Return batches to train on, and what is held out; images are 1×8×8, from 0 to 1."""
    images, labels = load_digits(return_X_y=True)
    images = torch.from_numpy(images).float().reshape(-1, 1, 8, 8) / 16.0
    parts = train_test_split(
        images, torch.from_numpy(labels).long(), test_size=0.25, random_state=0, stratify=labels
    )
    train_x, held_out_x, train_y, held_out_y = parts
    loader = DataLoader(TensorDataset(train_x, train_y), batch_size, shuffle=True)
    return loader, (held_out_x, held_out_y)


def build_model():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(512, 64),
        nn.LayerNorm(64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )


def train(model, optimizer, criterion, train_loader, device, num_epochs, storage_dir):
    """The guide's loop, as it is printed there. Returns what is asked for the account."""
    hook_config = HookEngineConfig(
        schedule=HookScheduleConfig(every_n_steps=25),
        filters=LayerFilterConfig(
            include_types=("Linear", "Conv2d", "LayerNorm", "ReLU"),
        ),
    )
    parameter_config = ParameterDiagnosticsConfig(
        schedule=HookScheduleConfig(every_n_steps=50),
        capture_distributions=True,
        distribution_types=("value", "gradient", "update"),
    )

    with (
        TrainingSession.start_run(
            project="digits-cnn",
            config={"model": "cnn", "epochs": num_epochs},
            tags=["experiment", "pytorch"],
            storage_dir=storage_dir,
        ) as session,
        MetricsLogger(session, batch_size=100) as metrics,
        EventLogger(session, batch_size=50) as events,
        SystemTelemetry(
            session,
            config=SystemTelemetryConfig(sample_every_n_steps=10),
        ) as telemetry,
        HookEngine(session, model, optimizer, config=hook_config) as hooks,
        ParameterDiagnostics(session, model, optimizer, config=parameter_config) as parameters,
    ):
        for epoch in range(num_epochs):
            train_iter = iter(train_loader)

            for step_in_epoch in range(len(train_loader)):
                global_step = (epoch * len(train_loader)) + step_in_epoch

                with telemetry.start_step(
                    global_step,
                    epoch=epoch,
                    metadata={"split": "train"},
                ) as step_scope:
                    inputs, targets = next(train_iter)
                    inputs = inputs.to(device)
                    targets = targets.to(device)
                    step_scope.mark_data_ready()

                    optimizer.zero_grad(set_to_none=True)

                    with hooks.step(global_step, epoch=epoch) as probe_active:
                        logits = model(inputs)
                        loss = criterion(logits, targets)
                        loss.backward()

                    optimizer.step()
                    parameters.snapshot(global_step, epoch=epoch, metadata={"split": "train"})

                metrics.log("train/loss", float(loss.item()), step=global_step, epoch=epoch)
                metrics.log(
                    "optimizer/lr",
                    float(optimizer.param_groups[0]["lr"]),
                    step=global_step,
                    epoch=epoch,
                )

                if global_step % 100 == 0:
                    events.log(
                        "checkpoint_saved",
                        step=global_step,
                        epoch=epoch,
                        payload={"path": f"checkpoints/step-{global_step}.pt"},
                    )

                if probe_active:
                    events.log(
                        "probe_completed",
                        step=global_step,
                        epoch=epoch,
                        payload={
                            "instrumented_layers": hooks.instrumented_module_names,
                        },
                    )

    return session, metrics, events, telemetry, hooks, parameters


def tell(session, metrics, events, telemetry, hooks, parameters):
    """Read everything back, and print the short of it."""
    summaries, distributions = parameters.read()
    recorded = {
        "metric samples": metrics.read(),
        "events": events.read(),
        "step timings": telemetry.read(boundary="step"),
        "layer summaries": hooks.read(),
        "parameter summaries": summaries,
        "distributions": distributions,
    }
    print(f"run {session.run_id}: {session.status}, kept in {session.run_path}")
    for what, records in recorded.items():
        print(f"  {len(records):5d} {what}")
    (last,) = metrics.read(metric_key="train/loss", limit=1)
    print(f"last loss  {last.value:.4f} at step {last.step}")
    (layer,) = hooks.read(module_type="ReLU", summary_type="activation", limit=1)
    print(
        f"layer      {layer.module_name} ({layer.module_type}) {list(layer.tensor_shape)} at step "
        f"{layer.step}: mean {layer.mean:.3f}, std {layer.std:.3f}, "
        f"{layer.dead_unit_ratio:.0%} of its outputs 0"
    )
    weights = parameters.read_summaries(parameter_role="weight", latest_only=True)
    moved = max(weights, key=lambda weight: weight.update_to_value_ratio or 0.0)
    print(
        f"parameter  {moved.module_name} ({moved.module_type}) weight at step {moved.step}: norm "
        f"{moved.value_norm:.3f}, gradient {moved.gradient_norm:.4f}, moved by "
        f"{moved.update_to_value_ratio:.1%} since the snapshot before"
    )
    faults = session.diagnostics().faults
    print(f"faults     {dict(faults) or 'none'}")


def main():
    args = parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    train_loader, (images, labels) = load_data(args.batch_size)
    model = build_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr)
    kept = train(
        model,
        optimizer,
        nn.CrossEntropyLoss(),
        train_loader,
        torch.device("cpu"),
        args.epochs,
        args.storage_dir,
    )
    tell(*kept)
    with torch.no_grad():
        accuracy = (model.eval()(images).argmax(dim=1) == labels).float().mean().item()
    print(f"accuracy   {accuracy:.3f} on {len(labels)} images that it has not seen")


if __name__ == "__main__":
    main()
