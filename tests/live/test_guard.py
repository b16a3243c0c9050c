"""``quark.guard``: no step with gradients that are not finite, and nothing else changes."""

from __future__ import annotations

import copy
import gc
import math
import pickle
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import quark  # noqa: E402
from quark import (  # noqa: E402
    ArtifactStore,
    EventLogger,
    SchemaValidationError,
    TrainingSession,
    TrainingStoppedError,
)
from quark.live.gradients import are_finite, bad_gradients  # noqa: E402

NAN, INF = math.nan, math.inf


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    state = torch.random.get_rng_state()
    torch.manual_seed(0)
    yield
    torch.random.set_rng_state(state)


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TrainingSession]:
    monkeypatch.setenv("QUARK_LIVE_RULES", "0")
    monkeypatch.setenv("QUARK_REPORT", "0")
    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        yield session


def one_step(optimizer: Any, model: Any, factor: float = 1.0) -> None:
    optimizer.zero_grad()
    (model(torch.ones(3, 4)).pow(2).sum() * factor).backward()
    optimizer.step()


def state_of(optimizer: Any, model: Any) -> list[Any]:
    """Everything that a step may change, as plain numbers to compare."""
    state = optimizer.state_dict()["state"]
    kept = [state[place][name] for place in sorted(state) for name in sorted(state[place])]
    return [
        one.tolist() if isinstance(one, torch.Tensor) else one
        for one in (*model.state_dict().values(), *kept)
    ]


# -- what counts as finite -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.complex64], ids=str
)
def test_a_gradient_is_finite_if_every_element_is(dtype: Any) -> None:
    largest = torch.finfo(dtype).max
    for values in (
        [1.0, -largest, largest],
        [0.0, NAN, 1.0],
        [INF, 1, 1],
        [1, 1, -INF],
        [NAN, INF, 0],
    ):
        first = torch.nn.Parameter(torch.zeros(3, dtype=dtype))
        other = torch.nn.Parameter(torch.zeros(2, 2))
        empty = torch.nn.Parameter(torch.zeros(0))
        unused = torch.nn.Parameter(torch.zeros(5))
        first.grad = torch.tensor(values).to(dtype)
        other.grad, empty.grad = torch.ones(2, 2), torch.zeros(0)
        optimizer = torch.optim.SGD([first, other, empty, unused], lr=0.1)
        plainly = all(bool(torch.isfinite(value)) for value in first.grad.flatten())

        assert are_finite(torch, optimizer) is plainly
        assert [one["parameter_name"] for one in bad_gradients(optimizer, {})] == (
            [] if plainly else ["parameter 0 of group 0"]
        )


def test_sparse_gradients_are_looked_at_and_none_at_all_are_fine() -> None:
    table = torch.nn.Embedding(10, 3, sparse=True)
    optimizer = torch.optim.SGD(table.parameters(), lr=0.1)
    assert are_finite(torch, optimizer)

    table(torch.tensor([1, 1, 2])).sum().backward()
    assert are_finite(torch, optimizer)
    table.zero_grad()
    (table(torch.tensor([1, 2])).sum() * NAN).backward()

    assert not are_finite(torch, optimizer)
    (found,) = bad_gradients(optimizer, {id(table.weight): "table.weight"})
    assert (found["parameter_name"], found["nan_count"]) == ("table.weight", 6)


# -- skipping ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["SGD", "AdamW", "RMSprop", "Adagrad"])
def test_a_bad_step_changes_nothing_and_a_good_one_what_it_always_did(kind: str) -> None:
    models = [torch.nn.Linear(4, 2) for _ in range(2)]
    models[1].load_state_dict(models[0].state_dict())
    plain, guarded = (getattr(torch.optim, kind)(one.parameters(), lr=0.01) for one in models)

    with quark.guard(guarded) as guard:
        for step in range(9):
            one_step(guarded, models[1])
            if step % 3 == 0:
                before = state_of(guarded, models[1])
                one_step(guarded, models[1], factor=NAN)
                one_step(guarded, models[1], factor=INF)
                assert state_of(guarded, models[1]) == before
            one_step(plain, models[0])

    assert state_of(plain, models[0]) == state_of(guarded, models[1])
    assert (guard.skipped_count, guard.consecutive_skip_count) == (6, 0)
    assert "step" not in vars(guarded)


@pytest.mark.parametrize("scheduler_first", [True, False])
def test_schedulers_go_on_and_do_not_complain(scheduler_first: bool) -> None:
    model = torch.nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)

    def schedule() -> Any:
        return torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)

    scheduler = schedule() if scheduler_first else None
    guard = quark.guard(optimizer)
    scheduler = scheduler or schedule()
    for factor in (NAN, 1e-3, NAN, 1e-3):  # the first step of all is skipped: no warning, though
        one_step(optimizer, model, factor)
        scheduler.step()

    assert guard.skipped_count == 2
    assert scheduler.get_last_lr() == [0.0625]
    guard.close()
    guard.close()
    one_step(optimizer, model, NAN)  # as without a guard
    assert model.weight.isnan().all()
    assert guard.skipped_count == 2
    quark.guard(optimizer).close()  # another one may come


def test_a_grad_scaler_skips_by_itself_and_the_guard_what_is_left() -> None:
    model = torch.nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    guard = quark.guard(optimizer)
    for factor in (1.0, INF, 1.0):
        optimizer.zero_grad()
        scaler.scale(model(torch.ones(3, 4)).sum() * factor).backward()
        scaler.step(optimizer)
        scaler.update()

    assert guard.skipped_count == 0
    assert scaler.get_scale() == 2.0**9
    assert model.weight.isfinite().all()
    one_step(optimizer, model, NAN)
    assert guard.skipped_count == 1


def test_a_step_that_the_scaler_has_left_to_the_kernel_is_let_through() -> None:
    model = torch.nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, fused=True)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    guard = quark.guard(optimizer)
    for factor in (1.0, INF, 1.0):
        optimizer.zero_grad()
        scaler.scale(model(torch.ones(3, 4)).sum() * factor).backward()
        scaler.step(optimizer)
        scaler.update()

    assert guard.skipped_count == 0
    assert scaler.get_scale() == 2.0**9
    assert model.weight.isfinite().all()


@pytest.mark.parametrize("kind", ["LBFGS", "SGD"])
def test_of_a_closure_the_first_call_decides(kind: str) -> None:
    model = torch.nn.Linear(4, 2)
    optimizer = getattr(torch.optim, kind)(model.parameters(), lr=0.01)
    guard = quark.guard(optimizer)
    factor = NAN

    def closure() -> Any:
        optimizer.zero_grad()
        loss = (model(torch.ones(3, 4)).pow(2).sum()) * factor
        loss.backward()
        return loss.detach()

    before = copy.deepcopy(model.state_dict())
    assert optimizer.step(closure).isnan()
    assert optimizer.step(closure=closure).isnan()
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    factor = 1.0
    first = float(optimizer.step(closure))
    last = float(optimizer.step(closure))

    assert (guard.skipped_count, guard.consecutive_skip_count) == (2, 0)
    assert last < first


def test_copies_and_pickles_know_nothing_of_the_guard_and_nothing_is_held() -> None:
    model = torch.nn.Linear(4, 2)
    optimizer = torch.optim.Adam(model.parameters())
    guard = quark.guard(optimizer)
    one_step(optimizer, model)

    for other in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        assert "step" not in vars(other)
        assert other.state_dict().keys() == optimizer.state_dict().keys()
        for parameter in other.param_groups[0]["params"]:
            parameter.grad = torch.full_like(parameter, NAN)
        other.step()
        assert other.param_groups[0]["params"][0].isnan().all()
    assert guard.skipped_count == 0

    gone = weakref.ref(optimizer)
    gc.disable()
    try:
        del optimizer
        assert gone() is None  # at once, without a search for cycles
    finally:
        gc.enable()
    guard.close()


# -- stopping and telling ------------------------------------------------------------------------


def test_what_is_skipped_is_kept_and_said_once(
    session: TrainingSession, capsys: pytest.CaptureFixture[str]
) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.Linear(2, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.25)
    with quark.guard(optimizer, model=model, first_step=100, max_consecutive_skips=1000) as guard:
        one_step(optimizer, model)
        for _ in range(70):
            one_step(optimizer, model, NAN)

    assert guard.skipped_count == 70
    with EventLogger(session) as events:
        kept = events.read(event_type="non_finite_gradients")
    counts = [event.payload["skipped_count"] for event in kept]
    assert counts == [*range(1, 21), 32, 64]
    assert [event.step for event in kept[:2]] == [101, 102]
    assert kept[0].severity == "warning"
    assert kept[0].payload["action"] == "skip"
    assert set(kept[0].payload["parameter_names"]) == {"0.weight", "0.bias", "1.weight", "1.bias"}
    with ArtifactStore(session) as artifacts:
        (record,) = artifacts.read(artifact_type="alert_evidence_bundle")
        bundle = artifacts.load(record)
    assert (record.step, bundle["optimizer"], bundle["learning_rates"]) == (101, "SGD", [0.25])
    assert {one["nan_count"] for one in bundle["gradients"]} == {8, 2, 1}
    assert all(one["value_is_finite"] for one in bundle["gradients"])
    said = capsys.readouterr().err
    assert said.count("At optimizer step 101 the gradients of 0.weight") == 1
    assert said.count("not finite") == 1


def test_it_stops_at_once_where_that_is_asked_for(session: TrainingSession) -> None:
    model = torch.nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    quark.guard(optimizer, on_nonfinite="stop", model=model)
    one_step(optimizer, model)

    with pytest.raises(
        TrainingStoppedError, match="step 1 the gradients of weight, bias"
    ) as raised:
        one_step(optimizer, model, NAN)

    assert raised.value.end_reason == "gradients not finite at step 1"
    assert model.weight.isfinite().all()
    with EventLogger(session) as events:
        (event,) = events.read(event_type="non_finite_gradients")
    assert (event.severity, event.payload["action"]) == ("error", "stop")


def test_it_stops_when_skipping_does_not_help(session: TrainingSession) -> None:
    model = torch.nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    guard = quark.guard(optimizer, max_consecutive_skips=3)
    with torch.no_grad():
        model.weight[0, 0] = NAN
    for _ in range(3):
        one_step(optimizer, model)

    with pytest.raises(TrainingStoppedError, match=r"Some of the weights are not either.*3 steps"):
        one_step(optimizer, model)
    assert guard.skipped_count == 4


def test_without_a_run_steps_are_skipped_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    model = torch.nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    guard = quark.guard(optimizer)

    one_step(optimizer, model, NAN)

    assert guard.skipped_count == 1
    assert model.weight.isfinite().all()
    assert "parameter 0 of group 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"on_nonfinite": "ignore"}, "'skip' or 'stop'", id="action"),
        pytest.param({"max_consecutive_skips": 0}, "1 or more", id="skips"),
        pytest.param({"first_step": -1}, "first_step", id="step"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments: dict[str, Any], message: str) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1)

    with pytest.raises(SchemaValidationError, match=message):
        quark.guard(optimizer, **arguments)

    assert "step" not in vars(optimizer)


def test_what_is_no_optimizer_or_has_a_guard_is_refused() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1)
    guard = quark.guard(optimizer)

    with pytest.raises(SchemaValidationError, match="has a guard"):
        quark.guard(optimizer)
    with pytest.raises(SchemaValidationError, match="Linear is no optimizer"):
        quark.guard(torch.nn.Linear(1, 1))

    guard.close()
    quark.guard(optimizer).close()
