"""Everything that is logged becomes plain, keeps nothing alive, and never raises."""

from __future__ import annotations

import datetime
import enum
import gc
import json
import math
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import quark.compat.wandb as wandb
from quark.compat.wandb.values import plain


class Hostile:
    """Whatever is asked of it, it raises."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __str__(self) -> str:
        raise ValueError("no text")


class Hook:
    def __call__(self, gradient: torch.Tensor) -> None: ...


class Level(enum.Enum):
    HIGH = "high"


class HalfArray:
    """Says that it is an array and is none."""

    shape = (2,)

    def tolist(self) -> list[float]:
        raise TypeError("not today")

    def __str__(self) -> str:
        return "half"


def circular() -> list[Any]:
    listed: list[Any] = []
    listed.append(listed)
    return listed


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(np.float32(0.5), 0.5, id="numpy float"),
        pytest.param(np.float64(0.5), 0.5, id="numpy double"),
        pytest.param(np.uint8(200), 200, id="numpy byte"),
        pytest.param(np.datetime64("2020-01-02"), "2020-01-02", id="numpy date"),
        pytest.param(np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]], id="matrix"),
        pytest.param(np.array([1 + 2j]), "1+2j", id="complex array"),
        pytest.param(torch.tensor([1.0, 2.0], requires_grad=True), [1.0, 2.0], id="gradient"),
        pytest.param(torch.tensor(3, dtype=torch.int8), 3, id="int8"),
        pytest.param(torch.tensor([[7.0]]), 7.0, id="one element"),
        pytest.param(torch.tensor([]), [], id="empty tensor"),
        pytest.param(Level.HIGH, "high", id="enum"),
        pytest.param(datetime.time(1, 2), "01:02:00", id="time"),
        pytest.param(memoryview(b"ab"), "ab", id="memory"),
        pytest.param(b"\xff", "\ufffd", id="bytes that are no text"),
        pytest.param({1: {2: 3}, None: 4}, {"1": {"2": 3}, "None": 4}, id="keys"),
        pytest.param(2**70, 2**70, id="large"),
        pytest.param(HalfArray(), "half", id="half an array"),
        pytest.param(Hostile(), "<tests.compat.wandb.test_values.Hostile>", id="hostile"),
        pytest.param(Path("a/b"), "a/b", id="path"),
        pytest.param(json.JSONDecoder, "json.decoder.JSONDecoder", id="class"),
    ],
)
def test_a_value_has_a_plain_form(value: Any, expected: Any) -> None:
    found = plain(value)

    assert found == expected
    assert type(found) is type(expected)


def test_what_contains_itself_ends_as_text() -> None:
    found = plain(circular())

    for _ in range(200):
        if isinstance(found, str):
            return
        (found,) = found
    pytest.fail("it does not end")


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_large_array_becomes_a_histogram_of_its_finite_values(bad: float) -> None:
    numbers = np.linspace(-1, 1, 1000)
    numbers[7] = bad

    found = plain(torch.from_numpy(numbers))

    assert found["_type"] == "histogram"
    assert len(found["bins"]) == len(found["values"]) + 1 == 33
    assert sum(found["values"]) == 999


def test_a_logged_tensor_and_its_graph_are_let_go() -> None:
    hidden = torch.ones(4, requires_grad=True) * 2
    hook = Hook()
    hidden.register_hook(hook)  # type: ignore[no-untyped-call]
    loss = hidden.sum()
    listed = [loss]
    graph, tensor = weakref.ref(hook), weakref.ref(loss)  # the graph alone holds the hook
    run = wandb.init(settings={"silent": True})

    run.log({"loss": loss, "nested": {"loss": loss}, "listed": listed})
    run.summary["loss again"] = loss
    del loss, hidden, hook
    listed.clear()
    gc.collect()

    assert tensor() is None
    assert graph() is None
    assert run.summary["loss"] == run.summary["listed"][0] == run.summary["loss again"] == 8.0
    run.finish()


def test_nothing_that_is_logged_raises_into_the_training(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = wandb.init()

    for value in (Hostile(), circular(), object(), torch.device("cpu"), "\ud800", 2**80):
        run.log({"x": value, "y": 1})

    assert run.step == 6
    run.finish()
    assert len(list(wandb.Api().run(run.id).scan_history(["y"]))) == 6
    assert capsys.readouterr().err.count("its text is kept instead") == 4
