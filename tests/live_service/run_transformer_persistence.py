"""Trains a small transformer on real text against a live Quark service and compares what it kept.

    QUARK_PERSISTENCE_URL=https://quark.example.com QUARK_USER_KEY=qk_... \\
        python tests/live_service/run_transformer_persistence.py --steps 100

The text is the help that comes with Python. Half-way the run is interrupted and resumed. At the end
everything is read back, by a reader that knows nothing but the run's id, and compared with what the
training had in hand: metrics bit for bit, events, telemetry, summaries of layers and parameters,
batches, checkpoints. The exit code is 0 if all of it is there, once.
"""

from __future__ import annotations

import argparse
import io
import pydoc_data.topics
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from quark import (
    AnalyzerEngine,
    ArtifactStore,
    DataDiagnostics,
    EventLogger,
    HookEngine,
    HookEngineConfig,
    HookScheduleConfig,
    MetricsLogger,
    ParameterDiagnostics,
    SystemTelemetry,
    TrainingSession,
)
from quark.session.reading import load_context
from quark.settings import Settings

CONTEXT_CHARACTERS, BATCH_SIZE, WIDTH = 32, 16, 32
PROBE_EVERY = 10


class CharacterTransformer(nn.Module):
    """Predicts the next character from up to 32 before it."""

    def __init__(self, character_count: int) -> None:
        super().__init__()
        self.characters = nn.Embedding(character_count, WIDTH)
        self.places = nn.Embedding(CONTEXT_CHARACTERS, WIDTH)
        layer = nn.TransformerEncoderLayer(
            WIDTH, nhead=4, dim_feedforward=2 * WIDTH, dropout=0.0, batch_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, num_layers=2, enable_nested_tensor=False)
        self.head = nn.Linear(WIDTH, character_count)
        mask = nn.Transformer.generate_square_subsequent_mask(CONTEXT_CHARACTERS)
        self.register_buffer("mask", mask)

    def forward(self, text: Tensor) -> Tensor:
        places = torch.arange(text.shape[1])
        hidden = self.characters(text) + self.places(places)
        guess: Tensor = self.head(self.blocks(hidden, mask=self.mask, is_causal=True))
        return guess


@dataclass
class Logged:
    """What the training had in hand when it logged it."""

    losses: dict[int, float] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    checkpoints: dict[str, bytes] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


def real_text() -> Tensor:
    """Return the help of Python as numbers of characters."""
    text = "\n".join(pydoc_data.topics.topics.values())[:200_000]
    characters = sorted(set(text))
    numbers = {character: number for number, character in enumerate(characters)}
    return torch.tensor([numbers[character] for character in text])


def train(
    session: TrainingSession,
    model: CharacterTransformer,
    optimizer: torch.optim.Optimizer,
    text: Tensor,
    steps: range,
    logged: Logged,
) -> None:
    """Train for some steps and log everything there is to log."""
    schedule = HookScheduleConfig(every_n_steps=PROBE_EVERY)
    generator = torch.Generator().manual_seed(steps.start)
    with (
        MetricsLogger(session) as metrics,
        EventLogger(session) as events,
        SystemTelemetry(session) as telemetry,
        DataDiagnostics(session) as diagnostics,
        HookEngine(session, model, optimizer, config=HookEngineConfig(schedule=schedule)) as hooks,
        ParameterDiagnostics(session, model, optimizer) as parameters,
        ArtifactStore(session) as artifacts,
    ):
        for step in steps:
            starts = torch.randint(
                len(text) - CONTEXT_CHARACTERS - 1, (BATCH_SIZE,), generator=generator
            )
            rows = torch.stack([text[start : start + CONTEXT_CHARACTERS + 1] for start in starts])
            with telemetry.start_step(step), hooks.step(step):
                optimizer.zero_grad()
                guess = model(rows[:, :-1])
                loss = nn.functional.cross_entropy(guess.flatten(0, 1), rows[:, 1:].flatten())
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            value = loss.item()
            metrics.log("train/loss", value, step=step)
            diagnostics.log_batch(value, step=step, batch_size=BATCH_SIZE)
            logged.losses[step] = value
            if step % PROBE_EVERY == 0:
                parameters.snapshot(step)
        name = f"step-{steps.stop}"
        buffer = io.BytesIO()
        torch.save(model.state_dict(), buffer)
        logged.checkpoints[name] = buffer.getvalue()
        artifacts.store("checkpoint", name, buffer.getvalue(), step=steps.stop - 1)
        events.log("checkpoint_saved", step=steps.stop - 1, payload={"name": name})
        logged.events.append(name)
        for kind, found in (
            ("layer summaries", hooks.read()),
            ("parameter summaries", parameters.read_summaries()),
            ("batches", diagnostics.read()),
            ("telemetry", telemetry.read()),
        ):
            logged.counts[kind] = len(found)


def differences(run_id: str, settings: Settings, logged: Logged) -> list[str]:
    """Read everything back by the run's id; return what is not as it was logged."""
    context = load_context(run_id, settings)
    found: list[str] = []

    def compare(what: str, read: Any, wanted: Any) -> None:
        same = read == wanted
        print(f"  {what:<28}{'ok' if same else 'DIFFERS'}")
        if not same:
            found.append(f"{what}: {str(read)[:200]} and not {str(wanted)[:200]}")

    metrics = MetricsLogger(context).read(metric_key="train/loss")
    compare("metrics, bit for bit", [(m.step, m.value) for m in metrics], [*logged.losses.items()])
    events = EventLogger(context).read(event_type="checkpoint_saved")
    compare("events", [event.payload["name"] for event in events], logged.events)
    artifacts = ArtifactStore(context)
    kept = {a.artifact_name: artifacts.load(a) for a in artifacts.read(artifact_type="checkpoint")}
    compare("checkpoints", kept, logged.checkpoints)
    readers: dict[str, Callable[[], tuple[Any, ...]]] = {
        "batches": DataDiagnostics(context).read,
        "telemetry": SystemTelemetry(context).read,
    }
    for what, read in readers.items():
        compare(what, len(read()), logged.counts[what])
    with artifacts._handle.reading() as store:
        counts = store.records.count(run_id)
    compare("layer summaries", counts.get("layer_summary", 0), logged.counts["layer summaries"])
    compare(
        "parameter summaries",
        counts.get("parameter_summary", 0),
        logged.counts["parameter summaries"],
    )
    run = context.run
    compare("lifecycle", (run.status, run.resume_count, run.tags), ("completed", 1, ("live",)))
    artifacts.close()
    return found


def main() -> int:
    """Train, interrupt, resume, read back."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--steps", type=int, default=100)
    options.add_argument("--storage-dir", type=Path, default=Path("quark-runs"))
    chosen = options.parse_args()
    settings = Settings.load(storage_dir=chosen.storage_dir)
    if settings.persistence_url is None:
        print("Set QUARK_PERSISTENCE_URL and QUARK_USER_KEY to those of a live service.")
        return 2
    torch.manual_seed(0)
    torch.set_num_threads(1)
    text, logged = real_text(), Logged()
    model = CharacterTransformer(int(text.max()) + 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    middle = chosen.steps // 2
    session = TrainingSession.start_run(
        project="live-service-transformer",
        config={"steps": chosen.steps, "width": WIDTH},
        tags=["live"],
        storage_dir=chosen.storage_dir,
    )
    train(session, model, optimizer, text, range(middle), logged)
    session.end_run(status="interrupted")
    resumed = TrainingSession.resume_run(run_id=session.run_id, storage_dir=chosen.storage_dir)
    train(resumed, model, optimizer, text, range(middle, chosen.steps), logged)
    analysis = AnalyzerEngine(resumed).analyze()
    resumed.end_run()
    first, last = logged.losses[0], logged.losses[chosen.steps - 1]
    print(f"run {session.run_id}: loss {first:.3f} to {last:.3f}, {len(analysis.alerts)} alerts")
    found = differences(session.run_id, settings, logged)
    for one in found:
        print(f"DIFFERENT  {one}")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
