"""What a snapshot may not cost: waiting for a device, memory that grows, a training that stops."""

from __future__ import annotations

import contextlib
import gc
import math
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from quark import ParameterDiagnostics, ParameterDiagnosticsConfig, TrainingSession
from quark.errors import SchemaValidationError
from quark.hooks import parameter_reader
from quark.hooks.parameter_places import role_of
from quark.hooks.parameter_reader import ParameterReader
from quark.hooks.parameter_tensors import WHOLE_ELEMENTS, as_array, spaced

EVERYTHING = ParameterDiagnosticsConfig(
    capture_distributions=True,
    distribution_types=("value", "gradient", "update"),
    max_histogram_values=1000,
)
#: Looking at a number of a device waits for everything that was asked of the device before.
WAITING = ("_local_scalar_dense", "nonzero", "is_nonzero", "equal", "masked_select", "unique")
LOOKING = ("item", "tolist", "numpy", "cpu", "__float__", "__int__", "__bool__", "__index__")


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


class _NoLooking(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert getattr(func, "__name__", "") not in LOOKING, f"{func} on the training thread"
        return func(*args, **(kwargs or {}))


class _NoWaiting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert not func._schema.name.removeprefix("aten::").startswith(WAITING), str(func)
        return func(*args, **(kwargs or {}))


def test_a_snapshot_never_looks_at_a_number_on_the_training_thread(
    session: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A CPU has its numbers at once, and there they may be looked at: take the way of other devices.
    monkeypatch.setattr("quark.hooks.statistics.moments_on_cpu", lambda x: None)
    torch.manual_seed(0)
    large = nn.Linear(300, 260)
    large.weight.data[0, 0] = math.inf
    model = nn.Sequential(large, nn.Linear(260, 3).double(), nn.Linear(3, 3).half())
    optimizer = torch.optim.SGD(model.parameters(), lr=torch.tensor(0.5), foreach=False)
    with ParameterDiagnostics(session, model, optimizer, config=EVERYTHING) as parameters:
        for step in range(3):
            for parameter in model.parameters():
                parameter.grad = torch.randn_like(parameter)
            optimizer.step()
            with _NoLooking(), _NoWaiting():  # type: ignore[no-untyped-call]
                found = parameters.snapshot(step)
        assert [s.learning_rate for s in found[0]] == [0.5] * 6
        assert found[0][0].metadata == {"value_nonfinite_count": 1, "update_nonfinite_count": 1}
        assert len(found[1]) == 18
    assert session.handle.faults.counts() == {}


@pytest.mark.parametrize("forbidden", [_NoLooking, _NoWaiting])
def test_looking_would_be_noticed(forbidden: Callable[[], Any]) -> None:
    with pytest.raises(AssertionError), forbidden():
        torch.ones(1).item()


@pytest.mark.gpu
def test_a_snapshot_does_not_synchronize_with_a_gpu(session: TrainingSession) -> None:
    model = nn.Sequential(nn.Linear(300, 260), nn.Linear(260, 3).bfloat16()).cuda()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    with ParameterDiagnostics(session, model, optimizer, config=EVERYTHING) as parameters:
        for step in range(3):
            for parameter in model.parameters():
                parameter.grad = torch.randn_like(parameter)
            optimizer.step()
            torch.cuda.set_sync_debug_mode("error")
            try:
                found = parameters.snapshot(step)
            finally:
                torch.cuda.set_sync_debug_mode("default")
        assert len(found[1]) == 12
    assert session.handle.faults.counts() == {}


def test_nothing_grows_over_a_thousand_snapshots(session: TrainingSession) -> None:
    model = nn.Linear(20, 20)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    counts = []
    with ParameterDiagnostics(session, model, optimizer, config=EVERYTHING) as parameters:
        for step in range(1001):
            parameters.snapshot(step)
            if step % 250 == 0 and step:
                parameters.flush()
                gc.collect()
                tensors = sum(issubclass(type(thing), Tensor) for thing in gc.get_objects())
                counts.append((tensors, parameters.tracked_update_bytes))
        stored = len(parameters.read_summaries())

    tracked_bytes = {held for _, held in counts}
    assert len(tracked_bytes) == 1
    assert counts[-1][0] <= counts[0][0]  # fewer: what earlier tests have left
    assert stored == 2002
    assert session.handle.diagnostics().dropped == {}


def test_what_the_background_cannot_take_is_counted_and_not_kept(
    session: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = nn.Linear(2, 2)
    with ParameterDiagnostics(session, model) as parameters:
        parameters.snapshot(0)
        with monkeypatch.context() as behind:
            behind.setattr("quark.session.handle.DeferredQueue.add", lambda queue, work: False)
            assert parameters.snapshot(1) == ((), ())
        summaries, _ = parameters.snapshot(2)
        assert [(s.update_norm, s.update_to_value_ratio) for s in summaries] == [(0.0, None)] * 2
        assert {s.step for s in parameters.read_summaries()} == {0, 2}
    assert session.handle.diagnostics().dropped == {"parameter_summary: behind": 1}


def test_many_snapshots_that_wait_are_read_in_order_by_whoever_looks_first(
    session: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quark.session.handle.DeferredQueue.work", lambda queue: None)
    model = nn.Linear(1, 1, bias=False)
    with ParameterDiagnostics(session, model) as parameters:
        for step in range(1500):  # more than a chain of calls could be deep
            nn.init.constant_(model.weight, step + 1)
            summaries, _ = parameters.snapshot(step)
        assert summaries[0].update_to_value_ratio == pytest.approx(1 / 1499)
        assert [s.step for s in parameters.read_summaries()] == list(range(1500))


def test_a_forked_child_has_no_part_in_what_its_parent_waits_for(
    session: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quark.session.handle.DeferredQueue.work", lambda queue: None)
    with ParameterDiagnostics(session, nn.Linear(1, 1)) as parameters:
        summaries, _ = parameters.snapshot(0)
        pid = os.getpid()
        with monkeypatch.context() as child:
            child.setattr("quark.hooks.parameter_snapshot.os.getpid", lambda: pid + 1)
            assert summaries == ()
        assert parameters.read_summaries() == ()


def test_it_works_inside_of_distributed_data_parallel(
    session: TrainingSession, tmp_path: Path
) -> None:
    with _one_process_group(tmp_path):
        torch.manual_seed(0)
        model = nn.parallel.DistributedDataParallel(nn.Linear(3, 2))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
        with ParameterDiagnostics(session, model, optimizer) as parameters:
            for step in range(2):
                optimizer.zero_grad()
                model(torch.ones(1, 3)).sum().backward()
                optimizer.step()
                summaries, _ = parameters.snapshot(step)

    names = ["module.weight", "module.bias"]
    assert [s.parameter_name for s in summaries] == names
    assert [s.module_type for s in summaries] == ["Linear"] * 2
    assert [s.gradient_mean for s in summaries] == [1.0, 1.0]
    assert [s.update_mean for s in summaries] == pytest.approx([-0.5, -0.5])


@contextlib.contextmanager
def _one_process_group(folder: Path) -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch, about its own future
        torch.distributed.init_process_group(
            "gloo", init_method=f"file://{folder / 'group'}", rank=0, world_size=1
        )
        try:
            yield
        finally:
            torch.distributed.destroy_process_group()


# -- the layer below: ParameterReader --------------------------------------------------------------


def test_samples_are_the_tensor_itself_or_evenly_spaced_elements_of_it() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 32), nn.Linear(4, 3).bfloat16(), nn.Linear(9, 2).double())
    model[1].weight.grad = torch.randn(3, 4).bfloat16()
    reader = ParameterReader(model, max_sample=500)

    with reader.take(samples=("value", "gradient")).reading() as readings:
        found = {r.place.parameter_name: (r.value, r.gradient) for r in readings}
        for name, parameter in model.named_parameters():
            value, gradient = found[name]
            assert value is not None
            assert value.sample is not None
            assert value.statistics is None
            expected = parameter.detach().double().reshape(-1).numpy()
            if name == "0.weight":
                expected = expected[::5]
            assert value.sample.tolist() == expected.tolist()
            kind = np.float64 if parameter.dtype is torch.float64 else np.float32
            assert value.sample.dtype == kind
            assert (gradient is not None) == (name == "1.weight")


@settings(max_examples=100)
@given(
    shape=st.lists(st.integers(1, 40), min_size=1, max_size=4).map(tuple),
    limit=st.integers(1, 3000),
)
def test_a_sample_is_within_its_limit_and_of_all_columns(
    shape: tuple[int, ...], limit: int
) -> None:
    count = math.prod(shape)
    row = count // shape[0]

    stride = spaced(count, shape, limit)
    places = np.arange(0, count, stride)

    assert 1 <= len(places) <= limit
    assert math.gcd(stride, row) == 1
    if len(places) >= row:
        assert len({int(place) % row for place in places}) == row


@pytest.mark.parametrize("budget", [1, 40, 300, 5000, 10**6])
def test_all_copies_together_stay_within_their_bound(
    budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parameter_reader, "_MAX_COPIED_ELEMENTS", budget)
    model = nn.Sequential(*[nn.Linear(n, n) for n in (2, 10, 30, 300)])
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    reader = ParameterReader(model)

    taken = reader.take(statistics=("value", "gradient"), samples=("value",))

    tensors = 16
    assert taken.size_bytes <= 4 * max(budget, tensors) + 200 * tensors
    with taken.reading() as readings:
        for reading in readings:
            assert reading.gradient is not None
            assert reading.gradient.statistics is not None
            assert reading.gradient.statistics.mean == 1.0
            assert reading.value is not None
            assert reading.value.sample is not None
            assert len(reading.value.sample) >= 1


def test_buffers_are_used_again_only_when_nobody_reads_them() -> None:
    model = nn.Linear(3, 3, bias=False)
    reader = ParameterReader(model)
    nn.init.constant_(model.weight, 1.0)
    first = reader.take(samples=("value",))
    nn.init.constant_(model.weight, 2.0)
    second = reader.take(samples=("value",))

    for taken, expected in ((first, 1.0), (second, 2.0)):
        with taken.reading() as readings:
            (reading,) = readings
            assert reading.value is not None
            assert reading.value.sample is not None
            assert set(reading.value.sample) == {expected}
            array = reading.value.sample
            third = reader.take(samples=("value",))
            assert set(array) == {expected}
        with third.reading():
            pass
    nn.init.constant_(model.weight, 3.0)
    reader.take(samples=("value",))
    assert set(array) == {3.0}  # used again


def test_halves_become_float32_without_loss() -> None:
    bits = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16)

    for kind in (torch.bfloat16, torch.float16):
        halves = bits.view(kind)
        expected = halves.float().numpy()
        assert np.array_equal(as_array(halves), expected, equal_nan=True)


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("0.weight", "weight"),
        ("bias", "bias"),
        ("a.in_proj_weight", "weight"),
        ("a.in_proj_bias", "bias"),
        ("a.bias_k", "bias"),
        ("lstm.weight_ih_l0_reverse", "weight"),
        ("conv.weight_g", "weight"),
        ("0.parametrizations.weight.original", "weight"),
        ("0.parametrizations.bias.original1", "bias"),
        ("weight.alpha", "other"),
        ("cls_token", "other"),
        ("unbiased_scale", "other"),
        ("0", "other"),
    ],
)
def test_the_role_is_in_the_last_part_of_the_name(name: str, role: str) -> None:
    assert role_of(name) == role


def test_the_reader_refuses_what_is_no_model() -> None:
    with pytest.raises(SchemaValidationError, match=r"watch got a model of type int"):
        ParameterReader(3, purpose="watch")


def test_large_tensors_are_measured_where_they_are() -> None:
    model = nn.Linear(WHOLE_ELEMENTS + 1, 1, bias=False)
    reader = ParameterReader(model)

    assert reader.take(statistics=("value",)).size_bytes < 100
    assert reader.take(samples=("value",)).size_bytes == 4 * model.weight.numel()
