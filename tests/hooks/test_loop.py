"""Following training loops: what is counted, what is looked at, and what rules make of both."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import optimizer as torch_optimizer
from torch.utils._python_dispatch import TorchDispatchMode

from quark import TrainingSession
from quark.analyzers.gather import gather
from quark.analyzers.rules import RULES
from quark.analyzers.thresholds import AnalyzerThresholds
from quark.hooks.loop import TrainingLoopFollower
from quark.records import TrainingLoopRecord
from quark.schema import validate_record

FEATURES, CLASSES, ROWS = 12, 5, 24
_followers: list[TrainingLoopFollower] = []


@pytest.fixture(autouse=True)
def _nothing_stays(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Look at steps however long that takes; fail a test that leaves a hook on optimizers."""
    monkeypatch.setattr("quark.hooks.loop.FREE_SECONDS", 1000.0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    before = dict(torch_optimizer._global_optimizer_pre_hooks)  # of sessions that did not end

    yield

    torch.set_num_threads(threads)
    while _followers:
        _followers.pop().close()
    assert dict(torch_optimizer._global_optimizer_pre_hooks) == before
    assert not torch_optimizer._global_optimizer_post_hooks


class Loop:
    """A model in training, with everything in the usual order; tests replace what they break."""

    def __init__(self, session: TrainingSession, model: nn.Module | None = None) -> None:
        self.session = session
        self.model = model or network()
        self.optimizer: Any = torch.optim.SGD(self.model.parameters(), lr=0.05)
        self.criterion: Any = functional.cross_entropy
        self.step = 0
        self.follower: TrainingLoopFollower | None = None

    def follow(self, every: int = 1, **options: Any) -> None:
        self.follower = TrainingLoopFollower(
            self.session.handle,
            self.model,
            current_step=lambda: self.step,
            every=every,
            **options,
        )
        _followers.append(self.follower)

    def batch(self) -> tuple[Tensor, Tensor]:
        x = torch.randn(ROWS, FEATURES)
        return x, x[:, :CLASSES].argmax(1)

    def train(self, steps: int, one: Callable[[Loop], None] | None = None) -> None:
        for _ in range(steps):
            (one or usual_step)(self)
            self.step += 1

    def evaluate(self, batches: int = 3) -> None:
        with torch.no_grad():
            for _ in range(batches):
                self.model(self.batch()[0])

    def records(self) -> tuple[TrainingLoopRecord, ...]:
        assert self.follower is not None
        self.follower.close()
        with self.session.reading() as store:
            found = store.records.read(TrainingLoopRecord, self.session.run_id)
        for record in found:
            validate_record(record)
        return found

    def total(self, field: str) -> int:
        return sum(getattr(record, field) for record in self.records())

    def findings(self) -> dict[str, str]:
        """What all rules say, by id: the worst severity."""
        assert self.follower is not None
        self.follower.close()
        with self.session.reading() as store:
            evidence = gather(store, self.session.run_id)
        assert self.session.diagnostics().faults == {}
        found = {}
        for rule in RULES:
            for finding in rule.check(evidence, AnalyzerThresholds()):
                found[finding.rule_id] = finding.severity
        return found


def network(*, dropout: float = 0.1, outputs: int = CLASSES) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(FEATURES, 16), nn.ReLU(), nn.Dropout(dropout), nn.Linear(16, outputs)
    )


def usual_step(loop: Loop) -> None:
    loop.optimizer.zero_grad()
    x, y = loop.batch()
    loop.criterion(loop.model(x), y).backward()
    loop.optimizer.step()


def backward(loss: Any) -> None:
    loss.backward()


def backward_alone(loop: Loop) -> None:
    x, y = loop.batch()
    loop.criterion(loop.model(x), y).backward()


@pytest.fixture
def loop(session: TrainingSession) -> Loop:
    return Loop(session)


# -- what is counted -----------------------------------------------------------------------------


def test_calls_are_counted_by_kind(loop: Loop) -> None:
    loop.follow(every=4)
    stranger = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1)
    for _ in range(3):
        loop.model.train()
        loop.train(5)
        stranger.step()
        loop.model.eval()
        loop.evaluate(2)
    loop.evaluate(2)  # the same stretch
    loop.model.train()
    loop.train(1)
    loop.evaluate(1)

    names = TrainingLoopRecord.__dataclass_fields__
    totals = {
        name: loop.total(name)
        for name in names
        if name.endswith("_count") and names[name].default == 0
    }

    assert totals["forward_count"] == totals["backward_count"] == 16
    assert totals["optimizer_step_count"] == 16
    assert totals["foreign_step_count"] == 3
    assert totals["no_grad_forward_count"] == 9
    assert totals["train_mode_no_grad_forward_count"] == 1
    assert totals["no_grad_burst_count"] == 4
    assert totals["eval_mode_forward_count"] == totals["unfed_step_count"] == 0
    records = loop.records()
    assert [record.step for record in records[:4]] == [0, 4, 8, 12]
    assert {record.mode_module_count for record in records} == {1}
    assert {record.model_name for record in records} == {"Sequential"}


def test_times_are_those_of_steps_and_of_waits_between(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("quark.hooks.loop._now", lambda: now[0])
    loop.follow(every=100)

    def one(loop: Loop) -> None:
        now[0] += 0.25  # the loader
        x, y = loop.batch()
        for _ in range(2):
            loop.criterion(loop.model(x), y).backward()
            now[0] += 0.5  # what comes between two passes waits as well
        now[0] += 1.0
        loop.optimizer.step()

    loop.train(5, one)
    now[0] += 100.0
    loop.evaluate()
    now[0] += 100.0
    loop.train(1, one)

    (first, rest) = loop.records()
    assert first.step_seconds == pytest.approx(2.0 - 0.5)
    assert rest.data_seconds == pytest.approx(4 * (0.25 + 0.5) + 0.5)
    assert rest.step_seconds == pytest.approx(5 * (2.0 - 0.5))


# -- what is looked at ---------------------------------------------------------------------------


def test_a_step_is_measured_as_it_was(loop: Loop) -> None:
    loop.follow(every=1)
    seen: list[dict[str, Any]] = []

    def one(loop: Loop) -> None:
        loop.optimizer.zero_grad()
        x, y = loop.batch()
        x = x * 3 + 1
        scores = loop.model(x)
        scores.retain_grad()
        loop.criterion(scores, y).backward()
        bias = loop.model[3].bias  # type: ignore[index]
        before = bias.grad.clone()
        nn.utils.clip_grad_norm_(loop.model.parameters(), 0.01)
        seen.append(
            {
                "x": x.double(),
                "y": y,
                "scores": scores.detach().double(),
                "gradient": scores.grad.double(),
                "before": before.double(),
                "after": bias.grad.double().clone(),
            }
        )
        loop.optimizer.step()
        x.zero_()  # what was sampled is a copy

    loop.train(3, one)

    for record, step in zip(loop.records(), seen, strict=True):
        assert record.input_mean == pytest.approx(step["x"].mean().item(), rel=1e-5)
        assert record.input_std == pytest.approx(step["x"].std(correction=0).item(), rel=1e-5)
        assert record.input_min == pytest.approx(step["x"].min().item())
        assert record.input_max == pytest.approx(step["x"].max().item())
        assert (record.input_row_count, record.input_dimensions) == (ROWS, 2)
        assert record.duplicate_row_ratio == 0
        assert (record.output_row_count, record.output_column_count) == (ROWS, CLASSES)
        assert record.output_gradient_norm == pytest.approx(step["gradient"].norm().item())
        top = step["scores"].argmax(1).bincount().max().item() / ROWS
        assert record.top_prediction_ratio == pytest.approx(top)
        assert record.backward_gradient_norm == pytest.approx(step["before"].norm().item())
        assert record.step_gradient_norm == pytest.approx(step["after"].norm().item())
        assert record.window_backward_count == 1
        counts = step["y"].bincount().tolist()
        assert record.metadata["loss"] == "cross_entropy"
        assert record.metadata["target_counts"] == {
            str(one): count for one, count in enumerate(counts) if count
        }
        assert record.top_target_ratio == pytest.approx(max(counts) / ROWS)
        assert record.loss_row_scale == pytest.approx(1 / ROWS, rel=1e-3)
    assert loop.records()[1].sampled_change_norm is not None


@pytest.mark.parametrize(
    ("reset", "stale"),
    [
        pytest.param(lambda o: o.zero_grad(), False, id="to None"),
        pytest.param(lambda o: o.zero_grad(set_to_none=False), False, id="in place"),
        pytest.param(
            lambda o: [
                p.grad.data.zero_()
                for g in o.param_groups
                for p in g["params"]
                if p.grad is not None
            ],
            False,
            id="past autograd",
        ),
        pytest.param(lambda o: None, True, id="not at all"),
    ],
)
def test_what_is_left_of_a_gradient_is_seen(loop: Loop, reset: Any, stale: bool) -> None:
    loop.follow()

    def one(loop: Loop) -> None:
        x, y = loop.batch()
        loss = loop.criterion(loop.model(x), y)
        reset(loop.optimizer)
        loss.backward()
        loop.optimizer.step()

    loop.train(5, one)

    first, *others = (record.stale_gradient_norm for record in loop.records())
    assert first is None  # there was no step before
    assert [bool(norm) for norm in others] == [stale] * 4


def test_images_sequences_and_dicts_are_sampled_with_their_shapes(session: TrainingSession) -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(50, 4)
            self.head = nn.Linear(4, 50)

        def forward(self, input_ids: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
            logits = self.head(self.embedding(input_ids))
            return {"loss": logits.mean(), "logits": logits}

    loop = Loop(session, Reader())
    loop.follow()

    def one(loop: Loop) -> None:
        tokens = torch.randint(1, 50, (6, 200))
        tokens[:, 100:] = 0
        out = loop.model(labels=tokens, input_ids=tokens)
        backward(functional.cross_entropy(out["logits"].flatten(0, 1), tokens.flatten()))
        loop.optimizer.step()

    loop.train(1, one)
    (record,) = loop.records()

    assert record.input_is_integer
    assert record.padding_ratio == pytest.approx(0.5, abs=0.02)
    assert (record.output_dimensions, record.output_row_count) == (3, 1200)
    assert record.output_column_count == 50
    assert record.metadata["loss"] == "cross_entropy"
    assert record.loss_row_scale == pytest.approx(1 / 1200, rel=1e-3)


# -- the model stays as it is --------------------------------------------------------------------


def test_copies_and_pickles_have_no_hooks_and_nothing_is_left_afterwards(loop: Loop) -> None:
    loop.model.eval()
    x = torch.randn(3, FEATURES)
    expected = loop.model(x)
    loop.follow()
    output = loop.model(x)  # in the middle of a step that is looked at
    stream = io.BytesIO()
    torch.save(loop.model, stream)
    stream.seek(0)
    copies = [
        copy.deepcopy(loop.model),
        pickle.loads(pickle.dumps(loop.model)),
        torch.load(stream, weights_only=False),
    ]
    output.sum().backward()

    for one in copies:
        assert torch.equal(one(x), expected)
        one(x).sum().backward()
    assert loop.total("forward_count") == 1
    for module in loop.model.modules():
        assert not module._forward_pre_hooks
        assert not module._forward_hooks
    for parameter in loop.model.parameters():
        assert not parameter._backward_hooks
        assert not parameter._post_accumulate_grad_hooks


def test_a_fault_inside_is_counted_and_stops_nothing(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    from quark.hooks.loop_probe import LoopProbe

    def fail(*arguments: Any) -> None:
        raise RuntimeError("broken")

    for name in ("see_input", "before_backward", "see_gradient", "before_step"):
        with monkeypatch.context() as patch:
            patch.setattr(LoopProbe, name, fail)
            loop.follow()
            loop.train(2)
            loop.records()

    assert loop.session.diagnostics().faults["following a training loop failed"] >= 8
    assert loop.step == 8


def test_without_time_to_spare_one_step_is_looked_at(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quark.hooks.loop.FREE_SECONDS", 0.0)
    monkeypatch.setattr("quark.hooks.loop.SHARE", 0.0)
    loop.follow()
    loop.train(20)

    records = loop.records()

    assert [record.optimizer_step_count for record in records] == [1, 19]
    assert records[1].input_mean is None


def test_a_compiled_model_stays_compiled(loop: Loop) -> None:
    original = loop.model
    compilations = []

    def backend(graph: Any, inputs: Any) -> Any:
        compilations.append(graph)
        return graph.forward

    loop.follow(every=2)
    compiled: Any = torch.compile(original, backend=backend, fullgraph=True)
    loop.model = compiled
    loop.train(8)
    loop.model = original
    torch._dynamo.reset()

    assert len(compilations) == 1
    assert loop.total("optimizer_step_count") == loop.total("backward_count") == 8
    assert loop.total("unfed_step_count") == 0


class _NoWaiting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Refuses what would make the training thread wait for a device."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        assert name not in ("_local_scalar_dense", "nonzero", "equal", "masked_select"), name
        return func(*args, **(kwargs or {}))


def test_the_training_thread_looks_at_no_number(loop: Loop) -> None:
    loop.follow()

    with _NoWaiting():  # type: ignore[no-untyped-call]
        loop.train(5)

    records = loop.records()
    assert len(records) == 5
    assert all(record.metadata["loss"] == "cross_entropy" for record in records)
    assert loop.session.diagnostics().faults == {}


def test_a_checkpointed_model_and_a_wrapped_one_are_counted_once(session: TrainingSession) -> None:
    from torch.utils.checkpoint import checkpoint

    class Wrapper(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = checkpoint(self.inner, x, use_reentrant=False)
            return out

    loop = Loop(session)
    loop.follow(every=2)
    loop.model = Wrapper(loop.model)
    loop.train(6)

    records = loop.records()

    assert loop.total("forward_count") == loop.total("backward_count") == 6
    assert [record.window_backward_count for record in records[:3]] == [1, 1, 1]


# -- what rules make of it -----------------------------------------------------------------------


def no_reset(loop: Loop) -> None:
    backward_alone(loop)
    loop.optimizer.step()


def step_first(loop: Loop) -> None:
    loop.optimizer.zero_grad()
    x, y = loop.batch()
    loss = loop.criterion(loop.model(x), y)
    loop.optimizer.step()
    loss.backward()


def step_of_the_batch_before(loop: Loop) -> None:
    loop.optimizer.step()
    loop.optimizer.zero_grad()
    backward_alone(loop)


def accumulate(loop: Loop, *, scale: float) -> None:
    loop.optimizer.zero_grad()
    for _ in range(4):
        x, y = loop.batch()
        (loop.criterion(loop.model(x), y) * scale).backward()
    loop.optimizer.step()


def clipped(loop: Loop, limit: float) -> None:
    loop.optimizer.zero_grad()
    backward_alone(loop)
    nn.utils.clip_grad_norm_(loop.model.parameters(), limit)
    loop.optimizer.step()


def with_batches(make: Callable[[int], tuple[Tensor, Tensor]]) -> Callable[[Loop], None]:
    def set_up(loop: Loop) -> None:
        loop.batch = lambda: make(loop.step)  # type: ignore[method-assign]

    return set_up


def sorted_batch(step: int) -> tuple[Tensor, Tensor]:
    y = torch.full((ROWS,), (step // 4) % CLASSES)
    return torch.randn(ROWS, FEATURES) + functional.one_hot(y, FEATURES) * 3, y


def lacking(step: int) -> tuple[Tensor, Tensor]:
    x = torch.randn(ROWS, FEATURES)
    return x, x[:, : CLASSES - 1].argmax(1)


def imbalanced(step: int) -> tuple[Tensor, Tensor]:
    return torch.randn(ROWS, FEATURES), (torch.arange(ROWS) + step * ROWS) % 100 // 99


def large(step: int) -> tuple[Tensor, Tensor]:
    x = torch.rand(ROWS, FEATURES) * 255
    return x, x[:, :CLASSES].argmax(1)


def repeated(step: int) -> tuple[Tensor, Tensor]:
    x = torch.randn(ROWS // 4, FEATURES).repeat(4, 1)
    return x, x[:, :CLASSES].argmax(1)


def softmaxed() -> nn.Module:
    return nn.Sequential(network(), nn.Softmax(1))


def frozen_optimizer(loop: Loop) -> None:
    loop.optimizer = torch.optim.SGD(copy.deepcopy(loop.model).parameters(), lr=0.1)
    for group in loop.optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.ones_like(parameter)


def only_the_head(loop: Loop) -> None:
    loop.optimizer = torch.optim.SGD(loop.model[3].parameters(), lr=0.1)  # type: ignore[index]


def with_optimizer(**options: Any) -> Callable[[Loop], None]:
    def set_up(loop: Loop) -> None:
        loop.optimizer = torch.optim.SGD(loop.model.parameters(), lr=1e-3, **options)

    return set_up


def with_loss(criterion: Any) -> Callable[[Loop], None]:
    def set_up(loop: Loop) -> None:
        loop.criterion = criterion

    return set_up


def nothing(loop: Loop) -> None:
    return None


SUM = with_loss(lambda z, y: functional.cross_entropy(z, y, reduction="sum"))
NEGATED = with_loss(lambda z, y: -functional.cross_entropy(z, y))

FAULTS: dict[str, tuple[str, Callable[[Loop], None], Callable[[Loop], None] | None]] = {
    "no zero_grad": ("missing_zero_grad", nothing, no_reset),
    "step before backward": ("step_without_backward", nothing, step_first),
    "step of the batch before": ("step_without_backward", nothing, step_of_the_batch_before),
    "optimizer over a copy": ("parameters_outside_optimizer", frozen_optimizer, None),
    "optimizer over the head": ("parameters_outside_optimizer", only_the_head, None),
    "accumulation unscaled": (
        "accumulation_unscaled",
        nothing,
        lambda loop: accumulate(loop, scale=1.0),
    ),
    "clipped to nothing": (
        "clipping_always_active",
        nothing,
        lambda loop: clipped(loop, 1e-3),
    ),
    "momentum": ("momentum_extreme", with_optimizer(momentum=0.999), None),
    "sum": ("loss_reduction", SUM, None),
    "wrong sign": ("loss_sign", NEGATED, None),
    "softmax before": (
        "softmax_before_loss",
        with_loss(lambda z, y: functional.cross_entropy(z.softmax(1), y)),
        None,
    ),
    "logarithm forgotten": (
        "softmax_before_loss",
        with_loss(lambda z, y: functional.nll_loss(z.softmax(1), y)),
        None,
    ),
    "pixels": ("unscaled_inputs", with_batches(large), None),
    "duplicates": ("duplicate_inputs", with_batches(repeated), None),
    "sorted": ("unshuffled_data", with_batches(sorted_batch), None),
    "a class is missing": ("class_missing", with_batches(lacking), None),
    "imbalanced": ("class_imbalance", with_batches(imbalanced), None),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_loop_is_named(loop: Loop, name: str) -> None:
    rule_id, set_up, one = FAULTS[name]
    set_up(loop)
    loop.follow()
    loop.train(80 if rule_id == "clipping_always_active" else 40, one)

    assert loop.findings().get(rule_id, "info") != "info"


@pytest.mark.parametrize("make", [softmaxed])
def test_a_model_that_ends_in_a_softmax_is_named(session: TrainingSession, make: Any) -> None:
    loop = Loop(session, make())
    loop.follow(criterion=nn.CrossEntropyLoss())
    loop.train(10)

    assert loop.findings() == {"softmax_before_loss": "warning"}


@pytest.mark.parametrize("properly", [True, False])
def test_modes_are_watched(loop: Loop, properly: bool) -> None:
    from quark import MetricsLogger

    loop.follow(every=5)
    metrics = MetricsLogger(loop.session)
    for epoch in range(3):
        loop.model.train(properly)
        loop.train(10)
        loop.model.train(not properly)
        loop.evaluate()
        metrics.log("val/loss", 1.0 / (epoch + 1), step=loop.step)

    expected = {} if properly else {"evaluation_in_train_mode", "training_in_eval_mode"}
    found = {rule for rule, severity in loop.findings().items() if severity != "info"}
    assert found == set(expected)


# -- healthy loops ---------------------------------------------------------------------------------


def adversarial(session: TrainingSession) -> tuple[Loop, Callable[[Loop], None]]:
    """A GAN whose critic is watched: its generator's gradients pass through it and stay there."""
    loop = Loop(session, nn.Sequential(nn.Linear(FEATURES, 8), nn.LeakyReLU(), nn.Linear(8, 1)))
    generator = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, FEATURES))
    other = torch.optim.Adam(generator.parameters(), lr=1e-3)
    loss = functional.binary_cross_entropy_with_logits

    def one(loop: Loop) -> None:
        loop.optimizer.zero_grad()
        fake = generator(torch.randn(ROWS, 4))
        ones, zeros = torch.ones(ROWS, 1), torch.zeros(ROWS, 1)
        backward(loss(loop.model(torch.randn(ROWS, FEATURES)), ones))
        backward(loss(loop.model(fake.detach()), zeros))
        loop.optimizer.step()
        other.zero_grad()
        backward(-loss(loop.model(fake), zeros))  # the minimax form
        other.step()

    return loop, one


def generating(session: TrainingSession) -> tuple[Loop, Callable[[Loop], None]]:
    """A GAN whose generator is watched: each step it is also run without gradients."""
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, FEATURES))
    loop = Loop(session, model)
    critic = nn.Linear(FEATURES, 1)
    other = torch.optim.SGD(critic.parameters(), lr=0.1)

    def one(loop: Loop) -> None:
        with torch.no_grad():
            fake = loop.model(torch.randn(ROWS, 4))
        other.zero_grad()
        (critic(fake).mean() - critic(torch.randn(ROWS, FEATURES)).mean()).backward()
        other.step()
        loop.optimizer.zero_grad()
        (-critic(loop.model(torch.randn(ROWS, 4))).mean()).backward()
        loop.optimizer.step()

    return loop, one


def lbfgs(session: TrainingSession) -> tuple[Loop, Callable[[Loop], None]]:
    loop = Loop(session)
    loop.optimizer = torch.optim.LBFGS(loop.model.parameters(), lr=0.1, max_iter=3)

    def one(loop: Loop) -> None:
        x, y = loop.batch()

        def closure() -> Tensor:
            loop.optimizer.zero_grad()
            loss: Tensor = loop.criterion(loop.model(x), y)
            backward(loss)
            return loss

        loop.optimizer.step(closure)

    return loop, one


def two_optimizers(session: TrainingSession) -> tuple[Loop, Callable[[Loop], None]]:
    """One for the body at each step, one for the head at every third, which accumulates."""
    loop = Loop(session)
    body: Any = loop.model[0]  # type: ignore[index]
    head: Any = loop.model[3]  # type: ignore[index]
    loop.optimizer = torch.optim.SGD(body.parameters(), lr=0.05)
    slow = torch.optim.SGD(head.parameters(), lr=0.02)

    def one(loop: Loop) -> None:
        usual_step(loop)
        if loop.step % 3 == 2:
            slow.step()
            slow.zero_grad()

    return loop, one


def frozen_backbone(session: TrainingSession) -> tuple[Loop, Callable[[Loop], None]]:
    model = nn.Sequential(
        nn.Linear(FEATURES, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, CLASSES)
    )
    model[0].requires_grad_(False)
    loop = Loop(session, model)
    loop.optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)

    def one(loop: Loop) -> None:
        model[1].eval()
        usual_step(loop)

    return loop, one


def scaled_gradients(session: TrainingSession) -> tuple[Loop, Callable[[Loop], None]]:
    loop = Loop(session)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**12)

    def one(loop: Loop) -> None:
        loop.optimizer.zero_grad()
        x, y = loop.batch()
        scaler.scale(loop.criterion(loop.model(x), y)).backward()
        scaler.step(loop.optimizer)
        scaler.update()

    return loop, one


def regression(session: TrainingSession) -> tuple[Loop, Callable[[Loop], None]]:
    loop = Loop(session, network(outputs=1))

    def one(loop: Loop) -> None:
        loop.optimizer.zero_grad()
        x, _ = loop.batch()
        (loop.model(x)[:, 0] - x.sum(1)).square().mean().backward()
        nn.utils.clip_grad_norm_(loop.model.parameters(), 1.0)
        loop.optimizer.step()

    return loop, one


def segmentation(session: TrainingSession) -> tuple[Loop, Callable[[Loop], None]]:
    loop = Loop(session, nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 3, 1)))

    def one(loop: Loop) -> None:
        loop.optimizer.zero_grad()
        x = torch.rand(4, 1, 9, 9)
        target = (x[:, 0] > 0.97).long()  # nearly all is background
        backward(functional.cross_entropy(loop.model(x), target))
        loop.optimizer.step()

    return loop, one


def many_labels(session: TrainingSession) -> tuple[Loop, Callable[[Loop], None]]:
    loop = Loop(session)
    loop.criterion = lambda z, y: functional.binary_cross_entropy_with_logits(
        z, functional.one_hot(y, CLASSES).float()
    )
    return loop, usual_step


def smoothed(session: TrainingSession) -> tuple[Loop, Callable[[Loop], None]]:
    loop = Loop(session)
    loop.criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    return loop, usual_step


def policy(session: TrainingSession) -> tuple[Loop, Callable[[Loop], None]]:
    """REINFORCE with rewards that are all negative, of rows drawn again and again."""
    loop = Loop(session, network(dropout=0.0))
    memory = torch.randn(200, FEATURES)

    def one(loop: Loop) -> None:
        x = memory[torch.randint(200, (ROWS,))]
        with torch.no_grad():
            actions = loop.model(x).softmax(1).multinomial(1)
        rewards = -torch.rand(ROWS) * 5
        loop.optimizer.zero_grad()
        chosen = loop.model(x).log_softmax(1).gather(1, actions)[:, 0]
        (-(chosen * rewards).mean()).backward()
        loop.optimizer.step()

    return loop, one


def values(session: TrainingSession) -> tuple[Loop, Callable[[Loop], None]]:
    """Q-learning: one output a row has a gradient, and all of them the same one at first."""
    loop = Loop(session)

    def one(loop: Loop) -> None:
        x, actions = loop.batch()
        loop.optimizer.zero_grad()
        chosen = loop.model(x).gather(1, actions[:, None])[:, 0]
        backward(functional.smooth_l1_loss(chosen, torch.full((ROWS,), 50.0)))
        loop.optimizer.step()

    return loop, one


def accumulated(session: TrainingSession) -> tuple[Loop, Callable[[Loop], None]]:
    return Loop(session), lambda loop: accumulate(loop, scale=0.25)


def gently_clipped(session: TrainingSession) -> tuple[Loop, Callable[[Loop], None]]:
    return Loop(session), lambda loop: clipped(loop, 0.3)


def primed(session: TrainingSession) -> tuple[Loop, Callable[[Loop], None]]:
    """The optimizer makes an empty step first, so that it has a state to load a checkpoint into."""
    loop = Loop(session)

    def one(loop: Loop) -> None:
        if loop.step == 0:
            loop.optimizer.step()
        usual_step(loop)

    return loop, one


def logged_between(session: TrainingSession) -> tuple[Loop, Callable[[Loop], None]]:
    """A row is closed between the backward pass and the step."""
    loop = Loop(session)

    def one(loop: Loop) -> None:
        loop.optimizer.zero_grad()
        backward_alone(loop)
        loop.step += 1
        loop.optimizer.step()

    return loop, one


@pytest.mark.parametrize(
    "make",
    [
        adversarial,
        generating,
        lbfgs,
        two_optimizers,
        frozen_backbone,
        scaled_gradients,
        regression,
        segmentation,
        many_labels,
        smoothed,
        policy,
        values,
        accumulated,
        gently_clipped,
        primed,
        logged_between,
    ],
)
def test_a_healthy_loop_is_left_in_peace(session: TrainingSession, make: Any) -> None:
    loop, one = make(session)
    loop.follow()
    loop.train(40, one)

    assert {rule for rule, severity in loop.findings().items() if severity != "info"} == set()
