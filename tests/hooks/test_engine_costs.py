"""A watched step waits for nothing, holds on to nothing, and nothing piles up."""

from __future__ import annotations

import gc
import sys
import threading
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest
import torch
from torch import Tensor, nn

from quark import HookEngine, HookEngineConfig, TrainingSession
from quark.hooks import statistics
from quark.hooks.transfer import Transfer
from tests.hooks.plainly import ByHand, check_summaries

#: What makes a thread wait for a device: copies of values, and looks at them.
COPIES = ("item", "cpu", "tolist", "numpy")
LOOKS = ("__float__", "__int__", "__bool__", "__index__", "__complex__", "nonzero", "__format__")


@contextmanager
def no_waiting(patch: pytest.MonkeyPatch, names: tuple[str, ...]) -> Iterator[None]:
    """Let this thread take no value out of a tensor; others may."""
    caller = threading.get_ident()

    def guarded(name: str) -> Callable[..., Any]:
        original = getattr(Tensor, name)

        def method(*args: Any, **named: Any) -> Any:
            assert threading.get_ident() != caller, f"Tensor.{name} on the training thread"
            return original(*args, **named)

        return method

    with patch.context() as inner:
        for name in names:
            inner.setattr(Tensor, name, guarded(name))
        yield


class Varied(nn.Module):
    """Every branch of the statistics: saturation, dead units, NaN, other types, an odd layout."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)
        self.bounded = nn.ModuleList([nn.Sigmoid(), nn.Hardtanh(), nn.ReLU6(), nn.ReLU()])
        self.broken = nn.Identity()
        self.wide = nn.Identity()
        self.narrow = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for module in self.bounded:
            x = module(x * 3)
        total: Tensor = x.sum() + self.wide(x.double()).sum() + self.narrow(x.bfloat16()).sum()
        self.broken(x.masked_fill(x > x.mean(), float("inf")))
        self.broken(torch.zeros(5))
        return total


@pytest.mark.parametrize("way", ["on-a-cpu", "as-on-a-device"])
def test_the_training_thread_takes_no_value_out_of_a_tensor(
    session: TrainingSession, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    model, x = Varied(), torch.randn(2, 3, 6, 6)
    x = x.contiguous(memory_format=torch.channels_last)
    with ByHand(model) as by_hand:
        model(x).backward()
    forbidden: tuple[str, ...] = COPIES
    if way == "as-on-a-device":
        forbidden = COPIES + LOOKS
        monkeypatch.setattr(statistics, "moments_on_cpu", lambda x: None)
        monkeypatch.setattr(statistics, "in_double", lambda x: x)
    config = HookEngineConfig(raise_on_error=True)

    with HookEngine(session, model, config=config) as hooks:
        with no_waiting(monkeypatch, forbidden):
            for step in range(3):
                with hooks.step(step):
                    model(x).backward()
        found = hooks.read()

    assert session.handle.diagnostics().faults == {}
    for step in range(3):
        check_summaries(tuple(one for one in found if one.step == step), by_hand.tensors)


def test_the_guard_notices_each_way_of_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.ones(1)
    with no_waiting(monkeypatch, COPIES + LOOKS):
        for look in (float, int, bool, Tensor.item, Tensor.tolist, Tensor.cpu, "{:.1f}".format):
            with pytest.raises(AssertionError, match="on the training thread"):
                look(x)


@pytest.mark.gpu
def test_a_watched_step_on_a_gpu_never_synchronizes(session: TrainingSession) -> None:
    model, x = Varied().cuda(), torch.randn(2, 3, 6, 6, device="cuda")
    with ByHand(model) as by_hand:
        model(x).backward()
    config = HookEngineConfig(raise_on_error=True)

    with HookEngine(session, model, config=config) as hooks:
        torch.cuda.set_sync_debug_mode("error")
        try:
            for step in range(20):
                with hooks.step(step):
                    model(x).backward()
        finally:
            torch.cuda.set_sync_debug_mode("default")
        found = hooks.read(step=19)

    check_summaries(found, by_hand.tensors)


def test_summaries_wait_for_their_copies_and_keep_their_order(
    session: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived = threading.Event()
    waits: list[str] = []

    class Slow(Transfer):
        def ready(self) -> bool:
            return arrived.is_set()

        def wait(self) -> Tensor:
            waits.append(threading.current_thread().name)
            return super().wait()

    monkeypatch.setattr(statistics, "moments_on_cpu", lambda x: None)
    monkeypatch.setattr(statistics, "Transfer", Slow)
    model = nn.Sequential(nn.Linear(2, 2))
    with HookEngine(session, model) as hooks:
        for step in range(20):
            with hooks.step(step):
                model(torch.full((1, 2), float(step))).sum().backward()
        assert waits == []
        session.handle.request_flush()
        arrived.set()
        assert [one.step for one in hooks.read(summary_type="gradient")] == list(range(20))
    assert len(waits) == 20


def test_a_session_that_closes_while_measurements_wait_keeps_them_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Never(Transfer):
        def ready(self) -> bool:
            return False

    monkeypatch.setattr(statistics, "moments_on_cpu", lambda x: None)
    monkeypatch.setattr(statistics, "Transfer", Never)
    model = nn.Sequential(nn.Linear(2, 2))
    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        hooks = HookEngine(session, model)
        for step in range(30):
            with hooks.step(step):
                model(torch.ones(1, 2)).sum().backward()

    assert [one.step for one in hooks.read(summary_type="activation")] == list(range(30))
    assert session.handle.diagnostics().dropped == {}


def test_nothing_of_a_step_lives_on_after_it(
    session: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Transfer, "ready", lambda self: False)
    monkeypatch.setattr(statistics, "moments_on_cpu", lambda x: None)  # so that it is under way
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(), nn.LSTM(4, 4))
    kept: list[weakref.ref[Any]] = []
    handles = [
        module.register_forward_hook(
            lambda module, args, output: kept.extend(
                weakref.ref(one) for one in (output if isinstance(output, Tensor) else output[0],)
            )
        )
        for module in model
    ]
    with HookEngine(session, model) as hooks:
        gc.disable()  # so that what goes, goes by itself
        try:
            with hooks.step(0):
                x = torch.randn(3, 4)
                out, _ = model(x)
                kept += [weakref.ref(x), weakref.ref(out)]
                out.sum().backward()
                del out, x, _
            alive = [reference() for reference in kept if reference() is not None]
        finally:
            gc.enable()
        assert len(kept) == 5
        assert alive == []
        assert len(hooks.read()) == 5 + 3
    for handle in handles:
        handle.remove()


def test_an_engine_lets_go_of_its_model(session: TrainingSession) -> None:
    model = nn.Sequential(nn.Linear(2, 2))
    there = weakref.ref(model)
    hooks = HookEngine(session, model)
    with hooks.step(0):
        model(torch.ones(1, 2)).sum().backward()
    hooks.close()

    del model

    assert there() is None
    assert len(hooks.read()) == 2


def test_engines_in_two_threads_do_not_disturb_each_other(session: TrainingSession) -> None:
    counts: dict[int, int] = {}

    def work(mine: int) -> None:
        model = nn.Sequential(nn.Linear(2, 2 + mine), nn.ReLU())
        with HookEngine(session, model) as hooks:
            for step in range(100):
                with hooks.step(step):
                    model(torch.ones(3, 2)).sum().backward()
                if step % 10 == 0:
                    hooks.flush()
            own = [one for one in hooks.read() if one.tensor_shape == (3, 2 + mine)]
            counts[mine] = len(own)

    threads = [threading.Thread(target=work, args=(mine,)) for mine in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert counts == {0: 400, 1: 400, 2: 400}
    assert session.handle.diagnostics().faults == {}


@pytest.fixture
def unjudged(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the live rules hold is bounded elsewhere, and grows to its bound."""
    monkeypatch.setenv("QUARK_LIVE_RULES", "0")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("way", "steps"), [("on-a-cpu", 10_000), ("as-on-a-device", 4_000)], ids=lambda item: str(item)
)
def test_nothing_grows_over_thousands_of_probed_steps(
    unjudged: None, session: TrainingSession, monkeypatch: pytest.MonkeyPatch, way: str, steps: int
) -> None:
    if way == "as-on-a-device":
        monkeypatch.setattr(statistics, "moments_on_cpu", lambda x: None)
    model, x = nn.Sequential(nn.Linear(4, 4), nn.Tanh()), torch.randn(2, 4)
    hooks = HookEngine(session, model)

    def run(first: int, last: int) -> Held:
        for step in range(first, last):
            with hooks.step(step):
                model(x).sum().backward()
        hooks.flush()
        gc.collect()
        return Held.now()

    settled = run(0, steps // 5)
    late = run(steps // 5, steps - 500)
    tracemalloc.start()
    try:
        first = run(steps - 500, steps - 400)
        last = run(steps - 400, steps)
    finally:
        tracemalloc.stop()
    hooks.close()

    assert late.blocks - settled.blocks < 2_000, (settled, late)
    assert late.rss_bytes - settled.rss_bytes < 16 * 2**20, (settled, late)
    assert last.traced_bytes - first.traced_bytes < 50_000, (first, last)
    assert len(hooks.read(step_min=steps - 1)) == 4


class Held(NamedTuple):
    """What the process holds in memory."""

    blocks: int  # of Python's allocator
    rss_bytes: int
    traced_bytes: int

    @classmethod
    def now(cls) -> Held:
        rss_bytes = psutil.Process().memory_info().rss
        return cls(sys.getallocatedblocks(), rss_bytes, tracemalloc.get_traced_memory()[0])
