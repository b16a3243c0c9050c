"""Parameter diagnostics: every number against a plain way to get it, over real optimizer steps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from quark import (
    HookScheduleConfig,
    ParameterDiagnostics,
    ParameterDiagnosticsConfig,
    ParameterDistributionRecord,
    ParameterSummaryRecord,
    SchemaValidationError,
    TrainingSession,
    validate_record,
)
from quark.errors import WriterClosedError
from quark.hooks.parameter_tensors import WHOLE_ELEMENTS

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
EVERYTHING = ParameterDiagnosticsConfig(
    capture_distributions=True, distribution_types=("value", "gradient", "update")
)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Torch's threads wait for each other where tests run side by side."""
    count = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(count)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[TrainingSession]:
    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        yield session


class Mixed(nn.Module):
    """Types, sizes and states of parameters that a real model may have, side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.large = nn.Linear(300, 260)  # more elements than are copied whole
        self.halves = nn.Linear(40, 30).to(torch.bfloat16)
        self.float16 = nn.Parameter(torch.randn(5, 7).half())
        self.doubles = nn.Linear(3, 4).double()
        self.convolution = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.frozen = nn.Linear(4, 4).requires_grad_(False)
        self.unused = nn.Linear(2, 2)
        self.tied = nn.Linear(300, 260, bias=False)
        self.tied.weight = self.large.weight
        self.scalar = nn.Parameter(torch.tensor(2.0))
        self.empty = nn.Parameter(torch.empty(0, 3))
        self.whole_numbers = nn.Parameter(torch.arange(3), requires_grad=False)

    def forward(self) -> Any:
        device = self.scalar.device
        total: Any = self.large(torch.randn(8, 300, device=device)).square().mean()
        total = total + self.tied(torch.randn(8, 300, device=device)).mean()
        total = total + self.halves(torch.randn(4, 40, device=device).bfloat16()).float().sum()
        total = total + (self.float16.float() * self.scalar).sum() * 0.1
        total = total + self.doubles(torch.randn(2, 3, device=device).double()).float().sum()
        return total + self.convolution(torch.randn(2, 3, 8, 8, device=device)).square().sum()


def plain(values: Tensor) -> dict[str, float] | None:
    """Statistics of what is finite, by definition, in long doubles; None where nothing is."""
    everything = values.detach().cpu().double().reshape(-1).numpy()
    finite = everything[np.isfinite(everything)].astype(np.longdouble)
    if not finite.size or not values.is_floating_point():
        return None
    mean = finite.sum() / finite.size
    return {
        "mean": float(mean),
        "std": float(np.sqrt(((finite - mean) ** 2).sum() / finite.size)),
        "norm": float(np.sqrt((finite**2).sum())),
        "min": float(finite.min()),
        "max": float(finite.max()),
        "near_zero_ratio": np.count_nonzero(np.abs(finite) <= 1e-8) / everything.size,
    }


def check(summary: ParameterSummaryRecord, kind: str, tensor: Tensor | None) -> None:
    """Compare the fields of one kind with what :func:`plain` says of the tensor."""
    expected = None if tensor is None else plain(tensor)
    for name in ("mean", "std", "norm", "min", "max", "near_zero_ratio"):
        if (kind, name) == ("update", "near_zero_ratio"):
            continue
        found = getattr(summary, f"{kind}_{name}")
        if expected is None:
            assert found is None, (summary.parameter_name, kind, name)
        else:
            near = pytest.approx(expected[name], rel=2e-5, abs=2e-6 * expected["norm"] + 1e-30)
            assert found == near, (summary.parameter_name, kind, name)
    nonfinite = 0 if tensor is None else int((~torch.isfinite(tensor)).sum())
    assert summary.metadata.get(f"{kind}_nonfinite_count", 0) == nonfinite


def copies(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.named_parameters()}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_every_number_is_right_over_several_steps(
    session: TrainingSession, kind: str, device: str
) -> None:
    torch.manual_seed(0)
    model = Mixed().to(device)
    assert model.large.weight.numel() > WHOLE_ELEMENTS
    rate = torch.tensor(0.02, device=device)
    sgd = kind == "sgd"
    optimizer = (torch.optim.SGD if sgd else torch.optim.AdamW)(
        [
            {"params": model.large.parameters(), "name": "large", "lr": 0.01},
            {"params": [*model.halves.parameters(), model.float16], "lr": 0.05},
            {"params": model.doubles.parameters(), "lr": rate, "foreach": False},
        ]  # the rest is in no group
    )
    before: dict[str, Tensor] | None = None
    snapshots = []
    with ParameterDiagnostics(session, model, optimizer, config=EVERYTHING) as parameters:
        for step in range(6):
            optimizer.zero_grad()
            model().backward()
            if step == 4:
                with torch.no_grad():
                    model.large.weight[0, 0] = math.nan
                    model.doubles.weight[1, 1] = -math.inf
                    model.unused.bias.fill_(math.nan)
                    assert model.large.bias.grad is not None
                    model.large.bias.grad[:3] = math.inf
            optimizer.step()
            if step % 2:
                continue  # an update is all steps since the snapshot before
            now = copies(model)
            gradients = {name: value.grad for name, value in model.named_parameters()}
            gradients = {k: None if g is None else g.clone() for k, g in gradients.items()}
            snapshots.append((parameters.snapshot(step, epoch=step // 4), before, now, gradients))
            before = now
            optimizer.param_groups[0]["lr"] /= 2
            rate /= 2
        stored, distributions = parameters.read()

    seen: list[ParameterSummaryRecord] = []
    for step, ((summaries, _), before, now, gradients) in zip((0, 2, 4), snapshots, strict=True):
        assert [s.parameter_name for s in summaries] == list(now)
        for summary in summaries:
            validate_record(summary)
            name = summary.parameter_name
            check(summary, "value", now[name])
            check(summary, "gradient", gradients[name])
            trainable = not name.startswith(("frozen", "whole", "empty"))
            delta = now[name] - before[name] if before is not None and trainable else None
            check(summary, "update", delta)
            if delta is not None and before is not None:
                norms = plain(delta), plain(before[name])
                if norms[0] is None or norms[1] is None:
                    assert summary.update_to_value_ratio is None
                else:
                    ratio = norms[0]["norm"] / norms[1]["norm"]
                    assert summary.update_to_value_ratio == pytest.approx(ratio, rel=1e-4)
            assert summary.shape == tuple(now[name].shape)
            assert summary.element_count == now[name].numel()
            assert summary.dtype == str(now[name].dtype).removeprefix("torch.")
            assert summary.requires_grad == (not name.startswith(("frozen", "whole")))
            assert (summary.step, summary.epoch) == (step, step // 4)
            first = name.partition(".")[0]
            index = {"large": 0, "halves": 1, "float16": 1, "doubles": 2}.get(first)
            assert summary.optimizer_group_index == index
            assert summary.optimizer_group_name == ("large" if index == 0 else None)
            halvings = 2.0 ** -(step // 2)
            rates = {0: 0.01 * halvings, 1: 0.05, 2: 0.02 * halvings, None: None}
            assert summary.learning_rate == pytest.approx(rates[index])
        seen += summaries
    assert tuple(seen) == stored
    assert tuple(d for (_, found), *_ in snapshots for d in found) == distributions
    assert any(s.metadata.get("value_nonfinite_count") for s in stored)
    assert "tied.weight" not in {s.parameter_name for s in stored}


def test_distributions_count_what_numpy_counts(session: TrainingSession) -> None:
    torch.manual_seed(0)
    model = Mixed()
    model.unused.weight.data.fill_(0.25)
    model.unused.bias.data.fill_(math.nan)
    model.doubles.weight.data[0, 0] = math.inf
    config = ParameterDiagnosticsConfig(
        capture_summaries=False,
        capture_distributions=True,
        distribution_types=("gradient", "value"),
        histogram_bins=7,
        max_histogram_values=1000,
    )
    model().backward()

    with ParameterDiagnostics(session, model, config=config) as parameters:
        summaries, distributions = parameters.snapshot(0)

    assert summaries == ()
    found = {(d.parameter_name, d.distribution_type): d for d in distributions}
    tensors: dict[tuple[str, str], Tensor] = {}
    for name, parameter in model.named_parameters():
        if parameter.numel() and parameter.is_floating_point():
            tensors[name, "value"] = parameter.detach()
            if parameter.grad is not None:
                tensors[name, "gradient"] = parameter.grad
    assert set(found) == set(tensors)
    for key, tensor in tensors.items():
        record = found[key]
        validate_record(record)
        values = tensor.double().reshape(-1).numpy()
        if record.total_count > 1000:
            stride = math.ceil(record.total_count / record.sample_count)
            values = values[::stride]
            assert 1000 / 3 < record.sample_count <= 1000
        assert (record.total_count, record.sample_count) == (tensor.numel(), len(values))
        finite = values[np.isfinite(values)]
        assert record.metadata.get("nonfinite_count", 0) == len(values) - len(finite)
        if not len(finite):
            assert (record.counts, record.bin_edges) == ((), ())
            continue
        counts, edges = np.histogram(finite, bins=7)
        assert record.counts == tuple(counts), key
        assert record.bin_edges == tuple(edges), key


def test_sparse_gradients_are_measured_as_if_filled_in(session: TrainingSession) -> None:
    torch.manual_seed(0)
    model = nn.Embedding(50, 4, sparse=True)
    optimizer = torch.optim.SparseAdam(model.parameters(), lr=0.1)

    with ParameterDiagnostics(session, model, optimizer) as parameters:
        for step in range(2):
            optimizer.zero_grad()
            before = model.weight.detach().clone()
            model(torch.tensor([1, 7, 7, 49])).square().sum().backward()  # 7 twice: uncoalesced
            optimizer.step()  # type: ignore[no-untyped-call]
            summaries, _ = parameters.snapshot(step)

    (summary,) = summaries
    assert model.weight.grad is not None
    assert model.weight.grad.is_sparse
    check(summary, "gradient", model.weight.grad.to_dense())
    check(summary, "update", model.weight.detach() - before)
    assert summary.metadata == {"gradient_layout": "sparse"}


def test_filters_and_latest_only_select_what_a_plain_loop_selects(session: TrainingSession) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.LSTM(4, 2))
    config = ParameterDiagnosticsConfig(
        capture_distributions=True,
        distribution_types=("value", "update"),
        exclude_parameter_patterns=(r"_hh_",),
    )
    with ParameterDiagnostics(session, model, config=config) as parameters:
        for step in (0, 3, 5):
            parameters.snapshot(step, epoch=step // 2, metadata={"split": "train"})
        everything = parameters.read_summaries()
        types = parameters.read_distributions()
        cases: list[tuple[dict[str, Any], Any]] = [
            ({"module_name": "0"}, lambda r: r.module_name == "0"),
            ({"module_type": "LSTM"}, lambda r: r.module_type == "LSTM"),
            ({"parameter_name": "2.bias_ih_l0"}, lambda r: r.parameter_name == "2.bias_ih_l0"),
            ({"parameter_role": "bias"}, lambda r: "bias" in r.parameter_name),
            ({"step_min": 1, "epoch_max": 1}, lambda r: r.step == 3),
        ]
        for filters, fits in cases:
            reads: tuple[tuple[Any, Any], ...] = (
                (parameters.read_summaries, everything),
                (parameters.read_distributions, types),
            )
            for read, records in reads:
                expected = [record for record in records if fits(record)]
                assert expected
                assert list(read(**filters)) == expected, filters
                assert list(read(**filters, limit=1)) == expected[-1:], filters
                newest = {
                    (r.parameter_name, getattr(r, "distribution_type", "")): r for r in expected
                }
                latest = [record for record in expected if record in newest.values()]
                assert list(read(**filters, latest_only=True)) == latest, filters
                assert list(read(**filters, latest_only=True, limit=2)) == latest[-2:], filters
        updates = parameters.read_distributions(distribution_type="update")
        assert list(updates) == [d for d in types if d.distribution_type == "update"]

    assert len(everything) == 3 * 6
    assert not any("_hh_" in record.parameter_name for record in everything)
    assert all(record.metadata == {"split": "train"} for record in everything)
    assert all(record.metadata == {"split": "train"} for record in types)


def test_the_schedule_decides_and_what_is_returned_is_built_when_it_is_looked_at(
    session: TrainingSession,
) -> None:
    config = ParameterDiagnosticsConfig(schedule=HookScheduleConfig(every_n_steps=2))
    model = nn.Linear(2, 2)
    with ParameterDiagnostics(session, model, config=config) as parameters:
        found = [parameters.snapshot(step) for step in range(4)]
        assert found[1] == found[3] == ((), ())

        newest = found[2][0]
        assert [summary.step for summary in newest] == [2, 2]  # reads the first one before it
        assert newest == tuple(newest)
        assert newest[0].parameter_name == "weight"
        assert newest[-1:] == (newest[1],)
        assert "parameter_name='bias'" in repr(newest)
        assert parameters.flush() == ((*found[0][0], *newest), ())
        assert parameters.flush() == ((), ())
        assert parameters.read() == ((*found[0][0], *newest), ())


def test_nothing_is_measured_where_nothing_is_asked_for(session: TrainingSession) -> None:
    config = ParameterDiagnosticsConfig(capture_summaries=False)
    with ParameterDiagnostics(session, nn.Linear(2, 2), config=config) as parameters:
        assert parameters.snapshot(0) == ((), ())
        assert parameters.tracked_update_bytes == 0
        assert parameters.read() == ((), ())


def test_copies_for_updates_stay_within_their_bound_and_that_is_said_once(
    session: TrainingSession, capfd: pytest.CaptureFixture[str]
) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 40), nn.Linear(40, 2))
    trainable = [p for p in model.parameters() if p is not model[0].weight]
    model[0].weight.requires_grad_(False)
    config = ParameterDiagnosticsConfig(max_update_bytes=1000)
    with ParameterDiagnostics(session, model, config=config) as parameters:
        assert parameters.tracked_update_bytes == 0
        for step in range(3):
            summaries, _ = parameters.snapshot(step)
            updated = {s.parameter_name for s in summaries if s.update_norm is not None}
        tracked = parameters.tracked_update_bytes

        assert updated == {"0.bias", "1.weight", "1.bias", "2.bias"}
        assert tracked == sum(p.numel() * 4 for p in trainable if p is not model[2].weight) <= 1000
    assert parameters.tracked_update_bytes == 0
    assert capfd.readouterr().err.count("max_update_bytes") == 1


def test_a_parameter_that_is_another_one_now_starts_anew(session: TrainingSession) -> None:
    model: Any = nn.Sequential(*[nn.Linear(3, 3) for _ in range(4)])
    with ParameterDiagnostics(session, model) as parameters:
        parameters.snapshot(0)
        model[0].weight = nn.Parameter(model[0].weight.detach().clone())  # replaced
        model[1].weight.data = torch.randn(3, 2)  # reshaped
        model[2].weight.requires_grad_(False)  # frozen
        model[3].register_module("added", nn.Linear(1, 1))
        first, _ = parameters.snapshot(1)
        second, _ = parameters.snapshot(2)

    anew = {"0.weight", "1.weight", "2.weight", "3.added.weight", "3.added.bias"}
    assert {s.parameter_name for s in first if s.update_norm is None} == anew
    assert {s.parameter_name for s in second if s.update_norm is None} == {"2.weight"}
    assert {s.update_norm for s in second if s.parameter_name != "2.weight"} == {0.0}
    assert {s.update_to_value_ratio for s in second if s.parameter_name != "2.weight"} == {0.0}


def test_an_update_of_what_was_zero_is_infinitely_large(session: TrainingSession) -> None:
    model = nn.Linear(2, 1, bias=False)
    nn.init.zeros_(model.weight)
    with ParameterDiagnostics(session, model) as parameters:
        parameters.snapshot(0)
        nn.init.ones_(model.weight)
        summaries, _ = parameters.snapshot(1)
        assert [s.update_to_value_ratio for s in summaries] == [math.inf]
        assert parameters.read_summaries(step=1) == summaries


def test_two_models_and_wrapped_optimizers_keep_apart(session: TrainingSession) -> None:
    class Wrapper:
        def __init__(self, optimizer: Any) -> None:
            self.optimizer = optimizer

    one, two = nn.Linear(2, 2), nn.Linear(3, 3)
    optimizers = [
        Wrapper(torch.optim.SGD(one.parameters(), lr=0.1)),
        Wrapper(Wrapper(torch.optim.SGD(two.parameters(), lr=0.2))),
    ]
    with (
        ParameterDiagnostics(session, one, optimizers) as first,
        ParameterDiagnostics(session, two, optimizers) as second,
    ):
        for step in range(2):
            nn.init.constant_(one.weight, step + 1)
            nn.init.constant_(two.weight, 2 * step + 1)
            ones, _ = first.snapshot(step)
            twos, _ = second.snapshot(step)

    assert [(s.optimizer_group_index, s.learning_rate) for s in (*ones, *twos)] == (
        [(0, 0.1)] * 2 + [(1, 0.2)] * 2
    )
    assert [s.update_mean for s in (*ones, *twos)] == [1.0, 0.0, 2.0, 0.0]


def test_compiled_and_inference_models_are_called_as_they_were_written(
    session: TrainingSession,
) -> None:
    plain_model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 1)))
    plain_model[1] = torch.compile(plain_model[1], backend="eager")  # type: ignore[assignment]
    model = torch.compile(plain_model, backend="eager")
    with torch.inference_mode():
        born_in_inference = nn.Linear(2, 2)
    with (
        ParameterDiagnostics(session, model) as compiled,
        ParameterDiagnostics(session, born_in_inference) as inference,
    ):
        summaries, _ = compiled.snapshot(0)
        with torch.inference_mode():
            inference.snapshot(0)
            compiled.snapshot(1)
        again, _ = compiled.snapshot(2)
        found, _ = inference.snapshot(1)

    names = ["0.weight", "0.bias", "1.0.weight", "1.0.bias"]
    assert [s.parameter_name for s in summaries] == names
    assert [s.module_name for s in summaries] == ["0", "0", "1.0", "1.0"]
    assert [s.update_norm for s in (*again, *found)] == [0.0] * 6


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(lambda p: p.snapshot(None), "step None", id="no-step"),
        pytest.param(lambda p: p.snapshot(True), "step True", id="bool"),
        pytest.param(lambda p: p.snapshot(-1), "step -1", id="step"),
        pytest.param(lambda p: p.snapshot(0, epoch=1.5), "epoch 1.5", id="epoch"),
        pytest.param(lambda p: p.snapshot(0, metadata=[1]), "must be a mapping", id="metadata"),
        pytest.param(lambda p: p.snapshot(0, metadata={"a": object()}), "object", id="no-json"),
        pytest.param(lambda p: p.read_summaries(parameter_role="w"), "'w'", id="role"),
        pytest.param(lambda p: p.read_distributions(distribution_type="w"), "'w'", id="type"),
        pytest.param(lambda p: p.read_summaries(step_min=2, step_max=1), "above", id="range"),
    ],
)
def test_what_breaks_a_rule_is_refused_at_the_call(
    session: TrainingSession, call: Any, message: str
) -> None:
    with (
        ParameterDiagnostics(session, nn.Linear(1, 1)) as parameters,
        pytest.raises(SchemaValidationError, match=message),
    ):
        call(parameters)


def test_what_is_no_model_or_optimizer_or_is_closed_is_refused(session: TrainingSession) -> None:
    with pytest.raises(SchemaValidationError, match=r"torch\.nn\.Module"):
        ParameterDiagnostics(session, "model")
    with pytest.raises(SchemaValidationError, match="param_groups"):
        ParameterDiagnostics(session, nn.Linear(1, 1), "optimizer")
    parameters = ParameterDiagnostics(session, nn.Linear(1, 1))
    parameters.snapshot(0)
    parameters.close()
    parameters.close()
    with pytest.raises(WriterClosedError):
        parameters.snapshot(1)
    assert len(parameters.read_summaries()) == 2


def test_a_fault_costs_a_snapshot_and_not_the_training(
    session: TrainingSession, tmp_path: Path
) -> None:
    class Broken(torch.optim.SGD):
        @property
        def param_groups(self) -> Any:
            if self.broken:
                raise RuntimeError("no groups today")
            return self.groups

        @param_groups.setter
        def param_groups(self, groups: Any) -> None:
            self.groups = groups

        broken = False

    model = nn.Linear(2, 2)
    optimizer = Broken(model.parameters(), lr=0.1)
    with ParameterDiagnostics(session, model, optimizer) as parameters:
        parameters.snapshot(0)
        optimizer.broken = True
        assert parameters.snapshot(1) == ((), ())
        optimizer.broken = False
        nn.init.ones_(model.weight)
        summaries, _ = parameters.snapshot(2)
        assert summaries[0].update_norm is not None
    assert session.handle.faults.counts() == {"parameters could not be taken": 1}

    strict = TrainingSession.start_run(project="p", storage_dir=tmp_path / "s", strict_mode=True)
    with strict, ParameterDiagnostics(strict, model, optimizer) as parameters:
        optimizer.broken = True
        with pytest.raises(RuntimeError, match="no groups today"):
            parameters.snapshot(0)


def test_an_exotic_parameter_has_no_statistics_and_harms_no_other(
    session: TrainingSession,
) -> None:
    class Shy(nn.Parameter):
        @classmethod
        def __torch_function__(
            cls, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
        ) -> Any:
            if func is torch.Tensor.detach:
                raise RuntimeError("not today")
            with torch._C.DisableTorchFunctionSubclass():
                return func(*args, **(kwargs or {}))

    model = nn.Linear(2, 2)
    model.weight = Shy(torch.ones(2, 2))
    model.register_parameter("complex", nn.Parameter(torch.ones(2, dtype=torch.complex64)))
    lazy = nn.Sequential(model, nn.LazyLinear(3))

    with ParameterDiagnostics(session, lazy) as parameters:
        summaries, _ = parameters.snapshot(0)

    assert [(s.parameter_name, s.value_mean is None) for s in summaries] == [
        ("0.weight", True),
        ("0.bias", False),
        ("0.complex", True),
    ]
    assert session.handle.faults.counts() == {}


def test_records_of_both_kinds_may_be_many(session: TrainingSession) -> None:
    model = nn.Sequential(*[nn.Linear(1, 1) for _ in range(150)])
    with ParameterDiagnostics(session, model, config=EVERYTHING) as parameters:
        summaries, distributions = parameters.snapshot(0)
        assert parameters.read() == (summaries, distributions)

    ids = {r.id for r in (*summaries, *distributions)}
    assert (len(summaries), len(distributions), len(ids)) == (300, 300, 600)
    assert all(isinstance(d, ParameterDistributionRecord) for d in distributions)
