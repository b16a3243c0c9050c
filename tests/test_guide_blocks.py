"""The SDK guide's own examples run as they are printed, and leave in the store what they say.

Each runs in a namespace of its own that holds the names which the guide takes for granted, and no
others. What became of them is read back through the run's context, so from the store.
"""

from __future__ import annotations

import builtins
import copy
import hashlib
import json
import math
import re
import symtable
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from quark import (
    ArtifactStore,
    ComparisonEngine,
    ComparisonEngineConfig,
    DataDiagnostics,
    DataDiagnosticsConfig,
    EventLogger,
    MetricsLogger,
    MetricTargetSpec,
    PhaseAnalyzer,
    RunContext,
    SystemTelemetry,
    TrainingSession,
)

BLOCKS = Path(__file__).resolve().parent / "guide_blocks"
DIGEST = "8fd0ab46d63a2281e17ad871d9113ddcdfcb5c36281684cc8e59ffe86e5b4cda"

Namespace = dict[str, Any]


def names_taken_for_granted(code: str) -> set[str]:
    """The names that a block uses and does not make itself."""
    module = symtable.symtable(code, "block", "exec")
    made = {s.get_name() for s in module.get_symbols() if s.is_assigned() or s.is_imported()}
    tables = [module]
    used = set()
    while tables:
        table = tables.pop()
        tables += table.get_children()
        used |= {
            symbol.get_name()
            for symbol in table.get_symbols()
            if symbol.is_referenced() and (table is module or symbol.is_global())
        }
    return used - made - set(vars(builtins))


def run_block(name: str, /, **given: Any) -> Namespace:
    """Run a block with the names it takes for granted; return its namespace."""
    code = (BLOCKS / f"{name}.txt").read_text()
    assert set(given) == names_taken_for_granted(code)
    namespace: Namespace = {"__name__": f"guide_{name}", **given}
    exec(compile(code, name, "exec"), namespace)
    return namespace


@pytest.fixture
def session() -> Iterator[TrainingSession]:
    with TrainingSession.start_run(project="guide", storage_dir="given") as session:
        yield session


def kept_events(context: RunContext) -> list[tuple[str, str | None, Any]]:
    """Type, severity and payload of everything in a run's log."""
    with EventLogger(context) as events:
        return [
            (event.event_type, event.severity, event.payload)
            for event in events.read()
            # These depend on the machine: on what it has, and on how long the run took.
            if event.event_type not in ("telemetry_unavailable", "live_rules_summary")
        ]


# -- the blocks themselves -----------------------------------------------------------------------


def test_the_blocks_are_the_guides_and_each_is_run() -> None:
    files = sorted(BLOCKS.glob("[0-9]*.txt"))
    run = re.findall(r'run_block\(\s*"(\w+)"', Path(__file__).read_text())

    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()

    assert digest == DIGEST
    assert sorted(run) == [path.stem for path in files]


def test_names_taken_for_granted_are_told_from_made_ones() -> None:
    code = (
        "import a\nb = a.c + d\ndef e(f):\n    return f + g + b + len(f)\nfor h in e(i): print(h)\n"
    )

    assert names_taken_for_granted(code) == {"d", "g", "i"}


# -- custom scalar metrics, logs -----------------------------------------------------------------


def test_custom_metrics_keep_their_place_and_description() -> None:
    made = run_block("01_custom_scalar_metrics")

    context = made["session"].context
    with MetricsLogger(context) as metrics:
        kept = {record.metric_key: record for record in metrics.read()}
    f1, duplicates, latency = kept.values()
    assert list(kept) == ["my_eval/f1_macro", "data/duplicate_ratio", "serving/shadow/latency_ms"]
    assert [record.value for record in kept.values()] == [0.812, 0.034, 18.4]
    assert [(record.step, record.epoch) for record in kept.values()] == [
        (120, 2),
        (120, 2),
        (None, 2),
    ]
    assert f1.description == "Macro F1 on the internal holdout split."
    assert f1.metadata == {"split": "holdout_internal", "threshold": 0.5}
    assert (duplicates.description, duplicates.metadata) == (None, {"window": "epoch"})
    assert (latency.namespace, latency.metric_name) == ("serving/shadow", "latency_ms")
    assert (context.project_name, context.status) == ("custom-metrics-demo", "completed")
    assert made["session"].run_path.parent == Path("quark-runs/.quark/runs").resolve()


def test_analyzers_take_other_metric_keys(session: TrainingSession) -> None:
    with MetricsLogger(session) as metrics:
        for step in range(50):
            metrics.log("perf/step_ms", 2_000.0, step=step)

    made = run_block("02_custom_scalar_metrics", session=session)

    found = made["analyzer"].analyze()
    assert "runtime_bottleneck_risk" in {alert.rule_id for alert in found.alerts}
    assert made["phase_analyzer"].analyze().phases == ()


def test_metrics_are_read_by_key_range_and_namespace(
    session: TrainingSession, capsys: pytest.CaptureFixture[str]
) -> None:
    with MetricsLogger(session) as metrics:
        for step in range(600):
            metrics.log("train/loss", 1.0 / (1 + step), step=step)
            if step % 20 == 0:
                metrics.log("eval/accuracy", step / 600, step=step)

        made = run_block("03_read_metrics_back", metrics=metrics)

    assert [(record.step, record.value) for record in made["losses"]] == [
        (step, 1.0 / (1 + step)) for step in range(100, 501)
    ]
    assert [record.step for record in made["latest_eval"]] == list(range(200, 600, 20))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 401
    assert lines[0].startswith("100 train/loss 0.00990099")
    assert "'metric_key': 'train/loss'" in lines[0]


def test_a_minimal_run_is_kept_from_start_to_end(capsys: pytest.CaptureFixture[str]) -> None:
    made = run_block("04_minimal_run_lifecycle")

    session = made["session"]
    run = session.reload().run
    assert (run.status, run.tags) == ("completed", ("baseline", "dev"))
    assert run.config == {"model": "resnet18", "optimizer": "adamw", "lr": 3e-4, "epochs": 5}
    with MetricsLogger(session.context) as metrics:
        kept = [(record.metric_key, record.value, record.step) for record in metrics.read()]
    assert kept == [("train/loss", 1.42, 0), ("optimizer/lr", 3e-4, 0)]
    first, checkpoint, log, last = kept_events(session.context)
    assert (first[0], last[0]) == ("run_started", "run_ended")
    assert checkpoint == ("checkpoint_saved", "info", {"path": "checkpoints/step-0.pt"})
    assert log == (
        "user_log",
        "info",
        {"message": "Warmup completed without instability.", "identifier": "Info"},
    )
    assert capsys.readouterr().out.splitlines() == [session.run_id, str(session.run_path)]
    assert (session.run_path / "run.db").is_file()


@pytest.mark.parametrize(
    ("raised", "status", "event_type", "severity", "identifier"),
    [
        (None, "completed", None, None, None),
        (RuntimeError("loss is NaN"), "failed", "runtime_error", "error", "Error"),
        (KeyboardInterrupt(), "interrupted", "runtime_interruption", "warning", "Warning"),
        (SystemExit(3), "interrupted", "runtime_interruption", "warning", "Warning"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_logs_and_the_way_a_run_ended_are_kept(
    raised: BaseException | None,
    status: str,
    event_type: str | None,
    severity: str | None,
    identifier: str | None,
) -> None:
    seen: list[TrainingSession] = []

    def train_one_epoch() -> None:
        from quark.session import registry

        latest = registry.latest()
        assert latest is not None
        seen.append(latest)
        if raised is not None:
            raise raised

    def run() -> None:
        run_block(
            "05_structured_logs_and_runtime_errors",
            TrainingSession=TrainingSession,
            EventLogger=EventLogger,
            storage_dir=Path("given"),
            train_one_epoch=train_one_epoch,
        )

    if raised is None:
        run()
    else:
        with pytest.raises(type(raised)):
            run()

    (session,) = seen
    assert session.reload().status == status
    events = kept_events(session.context)
    assert events[1][2] == {"message": "Loaded checkpoint from step 1200.", "identifier": "Info"}
    assert events[2] == (
        "user_log",
        "warning",
        {
            "message": "Validation loss increased for three checks.",
            "identifier": "Warning",
            "window": 3,
        },
    )
    ending = [
        (event, graded, body["identifier"])
        for event, graded, body in events[3:]
        if "message" in body
    ]
    assert ending == ([] if event_type is None else [(event_type, severity, identifier)])


# -- the full loop -------------------------------------------------------------------------------

BATCHES, EPOCHS = 30, 2
PROBED, SNAPSHOTS, TIMED = [0, 25, 50], [0, 50], list(range(0, 60, 10))


class SmallNet(nn.Module):
    """Every type of module that the loop's filter names, and one that it does not."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten())
        self.norm = nn.LayerNorm(4 * 6 * 6)
        self.head = nn.Linear(4 * 6 * 6, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.head(self.norm(self.features(images)))
        return scores


INSTRUMENTED = ("features.0", "features.1", "norm", "head")


class Loop:
    """The training that the loop takes for granted, and what it did, noted down beside it."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model = SmallNet()
        self.untrained = copy.deepcopy(self.model).double()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.05, momentum=0.9)
        self.batches = [
            (torch.randn(8, 1, 8, 8), torch.randint(0, 3, (8,))) for _ in range(BATCHES)
        ]
        self.losses: list[float] = []
        self.values: list[dict[str, torch.Tensor]] = []  # after each optimizer step
        self.gradients: list[dict[str, torch.Tensor]] = []
        self.optimizer.register_step_post_hook(self._note)

    def criterion(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        loss = nn.functional.cross_entropy(logits, targets)
        self.losses.append(loss.item())
        return loss

    def _note(self, *step: Any) -> None:
        named = dict(self.model.named_parameters())
        self.values.append({name: p.detach().double().clone() for name, p in named.items()})
        self.gradients.append(
            {name: p.grad.double().clone() for name, p in named.items() if p.grad is not None}
        )


def test_the_full_training_loop_keeps_what_each_of_its_parts_measured() -> None:
    loop = Loop()
    state = torch.get_rng_state()

    made = run_block(
        "06_full_pytorch_training_loop_instrumentation",
        model=loop.model,
        optimizer=loop.optimizer,
        criterion=loop.criterion,
        train_loader=loop.batches,
        device=torch.device("cpu"),
        num_epochs=EPOCHS,
    )

    session: TrainingSession = made["session"]
    assert (session.status, session.diagnostics().faults) == ("completed", {})
    assert session.reload().run.tags == ("experiment", "pytorch")
    assert torch.equal(torch.get_rng_state(), state)
    check_metrics(session.context, loop)
    check_events(session.context)
    check_telemetry(session.context)
    check_layers(made["hooks"].read(), loop)
    check_summaries(made["parameters"].read_summaries(), loop)
    check_distributions(made["parameters"].read_distributions(), loop)


def check_metrics(context: RunContext, loop: Loop) -> None:
    with MetricsLogger(context) as metrics:
        losses = metrics.read(metric_key="train/loss")
        rates = metrics.read(metric_key="optimizer/lr")
    assert [(record.step, record.value) for record in losses] == list(enumerate(loop.losses))
    assert [record.epoch for record in losses] == [0] * BATCHES + [1] * BATCHES
    assert {record.value for record in rates} == {0.05}
    assert len(rates) == 60


def check_events(context: RunContext) -> None:
    events = [(event_type, payload) for event_type, _, payload in kept_events(context)]
    assert events[1:-1] == [
        ("checkpoint_saved", {"path": "checkpoints/step-0.pt"}),
        *[("probe_completed", {"instrumented_layers": list(INSTRUMENTED)})] * len(PROBED),
    ]


def check_telemetry(context: RunContext) -> None:
    with SystemTelemetry(context) as telemetry, MetricsLogger(context) as metrics:
        records = telemetry.read(boundary="step")
        mirrored = metrics.read(metric_key="system/runtime/step_time_ms")
    assert [record.step for record in records] == TIMED
    assert [record.metadata for record in records] == [{"split": "train"}] * len(TIMED)
    for record in records:
        assert record.data_time_ms is not None
        assert record.compute_time_ms is not None
        assert record.data_time_ms + record.compute_time_ms == pytest.approx(record.step_time_ms)
    assert [(record.step, record.value) for record in mirrored] == [
        (record.step, record.step_time_ms) for record in records
    ]


def check_layers(layers: tuple[Any, ...], loop: Loop) -> None:
    seen = {(one.step, one.module_name, one.summary_type): one for one in layers}
    assert set(seen) == {
        (step, name, kind)
        for step in PROBED
        for name in INSTRUMENTED
        for kind in ("activation", "gradient")
    }
    assert len(layers) == len(seen)
    assert {one.module_type for one in layers} == {"Conv2d", "ReLU", "LayerNorm", "Linear"}
    # The first step once more, slowly: forward by hand, in double precision.
    images, targets = loop.batches[0]
    outputs: dict[str, torch.Tensor] = {}
    current = images.double()
    for name in ("features.0", "features.1", "features.2", "norm", "head"):
        current = loop.untrained.get_submodule(name)(current)
        current.retain_grad()
        outputs[name] = current
    torch.autograd.backward(nn.functional.cross_entropy(current, targets))
    for name in INSTRUMENTED:
        output = outputs[name]
        assert output.grad is not None
        for kind, tensor in (("activation", output.detach()), ("gradient", output.grad)):
            found = seen[0, name, kind]
            assert (found.tensor_shape, found.element_count) == (tensor.shape, tensor.numel())
            assert found.norm == pytest.approx(tensor.norm().item(), rel=1e-4)
            assert found.std == pytest.approx(tensor.std(correction=0).item(), rel=1e-4)
            assert found.mean == pytest.approx(tensor.mean().item(), rel=1e-3, abs=1e-7)
    dead = (outputs["features.1"] == 0).double().mean().item()
    assert seen[0, "features.1", "activation"].dead_unit_ratio == pytest.approx(dead)


def check_summaries(summaries: tuple[Any, ...], loop: Loop) -> None:
    seen = {(one.step, one.parameter_name): one for one in summaries}
    names = list(dict(loop.model.named_parameters()))
    assert set(seen) == {(step, name) for step in SNAPSHOTS for name in names}
    for (step, name), found in seen.items():
        value, gradient = loop.values[step][name], loop.gradients[step][name]
        assert [found.module_name, found.parameter_role] == name.rsplit(".", 1)
        assert (found.shape, found.learning_rate) == (tuple(value.shape), pytest.approx(0.05))
        assert (found.optimizer_group_index, found.metadata["split"]) == (0, "train")
        assert found.value_norm == pytest.approx(value.norm().item(), rel=1e-4)
        assert found.value_max == pytest.approx(value.max().item(), rel=1e-5)
        assert found.gradient_norm == pytest.approx(gradient.norm().item(), rel=1e-4)
    for name in names:
        before, after = loop.values[0][name], loop.values[50][name]
        moved, ratio = (after - before).norm(), (after - before).norm() / before.norm()
        assert seen[0, name].update_norm is None
        assert seen[50, name].update_norm == pytest.approx(moved.item(), rel=1e-3)
        assert seen[50, name].update_to_value_ratio == pytest.approx(ratio.item(), rel=1e-3)


def check_distributions(distributions: tuple[Any, ...], loop: Loop) -> None:
    seen = {(one.step, one.parameter_name, one.distribution_type): one for one in distributions}
    names = list(dict(loop.model.named_parameters()))
    assert set(seen) == {
        (step, name, kind)
        for step, kinds in ((0, ("value", "gradient")), (50, ("value", "gradient", "update")))
        for name in names
        for kind in kinds
    }
    for (step, name, kind), found in seen.items():
        value = loop.values[step][name]
        assert len(found.bin_edges) == len(found.counts) + 1 == 33
        assert sum(found.counts) == found.sample_count == found.total_count == value.numel()
        if kind == "value" and value.min() < value.max():
            assert found.bin_edges[0] == pytest.approx(value.min().item())
            assert found.bin_edges[-1] == pytest.approx(value.max().item())


# -- telemetry -----------------------------------------------------------------------------------


def test_step_telemetry_is_timed_by_scope_and_by_hand(session: TrainingSession) -> None:
    batch = {"inputs": torch.ones(4, 2), "targets": torch.zeros(4, dtype=torch.long)}

    with SystemTelemetry(session) as telemetry:
        made = run_block(
            "07_system_telemetry_details",
            telemetry=telemetry,
            step=7,
            epoch=1,
            train_iter=iter([batch]),
            device=torch.device("cpu"),
            train_one_step=lambda inputs, targets: inputs.sum() + targets.sum(),
            found_inf=True,
            skipped_optimizer_step=True,
        )
        timed, told = telemetry.read(boundary="step")

    assert made["loss"] == 8.0
    assert (timed.step, timed.epoch, timed.overflow_count) == (7, 1, 0)
    assert timed.step_time_ms is not None
    assert timed.step_time_ms >= (timed.data_time_ms or math.inf)
    assert (told.step_time_ms, told.data_time_ms, told.metadata) == (37.5, None, {"split": "train"})
    assert (told.overflow_count, told.skipped_step_count) == (1, 1)
    with MetricsLogger(session) as metrics:
        mirrored = metrics.read(metric_key="system/runtime/overflow_count")
    assert [(record.step, record.epoch, record.value) for record in mirrored] == [
        (7, 1, 0.0),
        (7, 1, 1.0),
    ]


# -- artifacts -----------------------------------------------------------------------------------


def test_histograms_and_snapshots_are_files_that_people_can_open(
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = run_block("08_capture_artifacts")

    context: RunContext = made["session"].context
    root = Path(context.store_root)
    checkpoint = {"checkpoint_path": "checkpoints/step-120.pt", "checkpoint_size_bytes": 8192}
    with ArtifactStore(context) as artifacts:
        histogram, snapshot = artifacts.read()
        assert artifacts.load(histogram) == {"bins": [-1.0, 0.0, 1.0], "counts": [12, 4]}
        assert artifacts.load(snapshot) == checkpoint
    assert (histogram.artifact_type, histogram.artifact_key) == (
        "histogram",
        "layers/encoder/activation",
    )
    assert (histogram.step, histogram.epoch, histogram.metadata) == (
        120,
        2,
        {"module": "encoder.0"},
    )
    assert (snapshot.artifact_type, snapshot.artifact_key) == (
        "checkpoint_metadata",
        "trainer/warmup",
    )
    payload = (root / snapshot.payload_relative_path).read_bytes()
    assert json.loads(payload) == checkpoint
    assert (snapshot.size_bytes, snapshot.sha256) == (
        len(payload),
        hashlib.sha256(payload).hexdigest(),
    )
    described = json.loads((root / snapshot.metadata_relative_path).read_bytes())
    assert described["metadata"] == {"phase": "warmup"}
    assert capsys.readouterr().out.splitlines() == [
        histogram.payload_relative_path,
        snapshot.metadata_relative_path,
        str(checkpoint),
    ]


def test_an_artifact_of_any_type_is_found_and_loaded(session: TrainingSession) -> None:
    with ArtifactStore(session) as artifacts:
        artifacts.store("tensor_summary", "layers/encoder/weights", {"mean": 9.0}, step=99)
        artifacts.store("tensor_summary", "layers/decoder/weights", {"mean": 9.0}, step=120)

        made = run_block("09_capture_artifacts", artifacts=artifacts)

    assert made["records"] == (made["record"],)
    assert made["record"].payload_format == "json"
    assert made["payload"] == made["same_payload"] == {"mean": 0.02, "std": 0.31}


def test_retention_hooks_see_each_artifact(
    session: TrainingSession, capsys: pytest.CaptureFixture[str]
) -> None:
    made = run_block("10_capture_artifacts", session=session, ArtifactStore=ArtifactStore)
    silent = capsys.readouterr().out
    with ArtifactStore(session, retention_hooks=(made["keep_only_metadata"],)) as artifacts:
        (kept,) = artifacts.read()
        artifacts.log_snapshot("best", {"a": 1}, snapshot_type="checkpoint_metadata")

    assert (kept.artifact_key, kept.artifact_type) == ("latest", "batch_diagnostics_snapshot")
    assert silent == ""
    assert re.fullmatch(r"best \d+\n", capsys.readouterr().out)
    assert session.diagnostics().faults == {}


# -- data diagnostics ----------------------------------------------------------------------------


def test_batches_are_summed_up_and_the_hard_one_is_found(
    capsys: pytest.CaptureFixture[str],
) -> None:
    losses = [0.5, 0.6, 0.55, 0.45, 0.5, 0.6, 0.5, 9.0, 0.55, 0.5]
    batches = [
        {
            "inputs": torch.full((3, 2), 0.123456),
            "labels": torch.tensor([0, 1, 1]),
            "sample_ids": [f"s-{step}", "s-b", "s-c"],
            "lengths": torch.tensor([5, 7, 6]),
            "loader": "train",
        }
        for step in range(len(losses))
    ]
    remaining: Iterator[float] = iter(losses)
    train_step: Callable[[Any], torch.Tensor] = lambda batch: torch.tensor(next(remaining))  # noqa: E731

    made = run_block("11_batch_and_data_diagnostics", train_loader=batches, train_step=train_step)

    with DataDiagnostics(made["session"].context) as diagnostics:
        kept = diagnostics.read()
    assert [record.loss for record in kept] == pytest.approx(losses)
    assert [record.step for record in kept] == list(range(10))
    assert kept[4].sample_ids == ("s-4", "s-b", "s-c")
    assert kept[4].class_counts == {"0": 1, "1": 2}
    assert (kept[4].batch_size, kept[4].sequence_lengths) == (3, (5, 7, 6))
    assert kept[4].metadata == {"loader": "train"}
    assert made["summary"].loss_summary.mean == pytest.approx(sum(losses) / len(losses))
    assert made["exposure"].class_counts == {"1": 20, "0": 10}
    assert made["exposure"].distinct_sample_count == 12
    assert [finding.step for finding in made["hard_batches"]] == [7]
    summary, exposure, hard = capsys.readouterr().out.splitlines()
    assert "'count': 10" in summary
    assert "'sample_count': 30" in exposure
    assert "'rank': 1" in hard


def test_a_batch_of_any_shape_is_read_by_an_adapter_of_ones_own(session: TrainingSession) -> None:
    made = run_block("12_batch_and_data_diagnostics")

    config = DataDiagnosticsConfig(adapter=made["TupleBatchAdapter"]())
    with DataDiagnostics(session, config=config) as diagnostics:
        batch = (torch.ones(3, 2), torch.tensor([4, 4, 2]), ["a", "b", "c"])
        diagnostics.log_batch(0.5, step=0, batch=batch)
        (kept,) = diagnostics.read(sample_id="b")
    assert (kept.batch_size, kept.class_counts) == (3, {"4": 2, "2": 1})
    assert kept.metadata == {"source": "tuple_loader"}
    assert session.diagnostics().faults == {}


def test_a_batch_is_described_without_an_adapter(session: TrainingSession) -> None:
    with DataDiagnostics(session) as diagnostics:
        run_block(
            "13_batch_and_data_diagnostics",
            diagnostics=diagnostics,
            loss=torch.tensor(0.25),
            step=3,
            epoch=1,
            targets=torch.tensor([1, 0, 1]),
            batch_ids=[10, 11, 12],
            token_lengths=[3, 4, 5],
        )
        (kept,) = diagnostics.read(step=3, epoch=1)

    assert (kept.loss, kept.batch_size, kept.class_counts) == (0.25, 3, {"1": 2, "0": 1})
    assert (kept.sample_ids, kept.sequence_lengths) == (("10", "11", "12"), (3, 4, 5))
    assert kept.metadata == {"augmentation": "mixup"}


# -- analysis and comparison ---------------------------------------------------------------------


def trained(
    *, points: int = 30, best_epoch: int = 30, step_time_ms: float = 50.0
) -> TrainingSession:
    """A run of a loss that falls, and whose validation rises again after its best epoch."""
    session = TrainingSession.start_run(project="guide", storage_dir="given")
    with MetricsLogger(session) as metrics:
        for step in range(points):
            worse = 0.04 * max(0, step - best_epoch)
            metrics.log("train/loss", 2.0 * math.exp(-step / 5), step=step)
            metrics.log("val/loss", 0.4 + 2.0 * math.exp(-step / 4) + worse, step=step)
            metrics.log("val/accuracy", 0.9 - 0.8 * math.exp(-step / 4), step=step)
            metrics.log("system/runtime/step_time_ms", step_time_ms, step=step)
    session.end_run()
    return session


def test_a_run_is_analysed_and_cut_into_phases(capsys: pytest.CaptureFixture[str]) -> None:
    session = trained(points=60, best_epoch=12, step_time_ms=2_000.0)
    capsys.readouterr()

    made = run_block("14_analyze_a_run", session=session)

    alerts, scores, phases = capsys.readouterr().out.splitlines()
    assert alerts == str([alert.to_dict() for alert in made["analysis"].alerts])
    assert "'score_key': 'overall'" in scores
    assert "'phase_name': 'rapid_learning'" in phases
    (overfitting,) = made["overfitting_phases"]
    assert overfitting == made["phase_result"].phases[-1]
    assert (overfitting.step_end, overfitting.evidence[0].source) == (59, "val/loss")
    assert [alert.rule_id for alert in made["runtime_alerts"]] == ["runtime_bottleneck_risk"]


def test_thresholds_of_alerts_can_be_set() -> None:
    strict = trained(points=60, step_time_ms=300.0)

    made = run_block("15_analyze_a_run", session=strict)

    found = made["analyzer"].analyze()
    assert "runtime_bottleneck_risk" not in {alert.rule_id for alert in found.alerts}


def test_thresholds_of_phases_can_be_set() -> None:
    session = trained(points=12)

    made = run_block("16_analyze_a_run", session=session)

    first, *_ = made["phase_analyzer"].analyze().phases
    assert (first.phase_name, first.step_start, first.step_end) == (
        *("initialization_adaptation", 0, 2),
    )
    assert PhaseAnalyzer(session).analyze().phases[0].step_end == 1


def test_a_candidate_is_compared_with_its_baseline(capsys: pytest.CaptureFixture[str]) -> None:
    candidate, baseline = trained(points=20), trained(points=30)
    for session in (candidate, baseline):
        PhaseAnalyzer(session).analyze()
    capsys.readouterr()

    made = run_block(
        "17_compare_runs_and_baselines",
        candidate_session=candidate,
        baseline_session=baseline,
    )

    found = made["comparison"]
    assert (found.primary.id, found.reference.id) == (candidate.run_id, baseline.run_id)
    accuracy = found.metric("val/accuracy")
    reached = accuracy.time_to_target_step
    # 0.9 - 0.8 exp(-step / 4) is 0.8 at step 4 ln 8 = 8.3, in both runs.
    assert (reached.primary, reached.reference, reached.difference) == (9, 9, 0)
    assert (accuracy.better, accuracy.count_difference) == ("reference", -10)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "baseline"
    assert [line[0] for line in lines[1:]] == ["{", "{", "[", "{", "[", "["]
    assert "'phase_name': 'rapid_learning'" in lines[5]


def test_two_runs_are_compared_directly_and_in_one_call() -> None:
    primary, reference = trained(points=20), trained(points=30)

    pairwise = run_block(
        "18_compare_runs_and_baselines",
        ComparisonEngine=ComparisonEngine,
        primary_session=primary,
        reference_session=reference,
    )["comparison"]
    in_one_call = run_block(
        "19_compare_runs_and_baselines",
        ComparisonEngine=ComparisonEngine,
        ComparisonEngineConfig=ComparisonEngineConfig,
        MetricTargetSpec=MetricTargetSpec,
        primary_session=primary,
        baseline_session=reference,
    )["comparison"]

    assert (pairwise.mode, in_one_call.mode) == ("pairwise", "baseline")
    assert pairwise.metric("val/loss").time_to_target_step is None
    # 0.4 + 2 exp(-step / 4) is 0.5 at step 4 ln 20 = 12.0 (11.98).
    assert in_one_call.metric("val/loss").time_to_target_step.primary == 12
    assert pairwise.metric("train/loss") == in_one_call.metric("train/loss")
