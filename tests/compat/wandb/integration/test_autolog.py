"""``autolog``: a library's calls are logged, and stay what they are."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import pytest

import quark.compat.wandb as wandb
from quark.compat.wandb.integration.autolog import Autolog, Call
from quark.compat.wandb.integration.requirement import MissingLibraryError


class Client:
    """A class of some library."""

    def ask(self, question: str, *, loudly: bool = False) -> str:
        """Answer."""
        if not question:
            raise ValueError("nothing was asked")
        return question.upper() if loudly else question


def describe(call: Call) -> Mapping[str, Any] | None:
    _, question = call.args
    if question == "odd":
        raise KeyError("cannot be described")
    return None if question == "secret" else {"said": call.returned, "words": len(call.keywords)}


@pytest.fixture
def autolog(monkeypatch: pytest.MonkeyPatch) -> Iterator[Autolog]:
    module = ModuleType("some_library")
    monkeypatch.setattr(module, "Client", Client, raising=False)
    monkeypatch.setitem(sys.modules, "some_library", module)
    made = Autolog("some", "some_library", "Client", "ask", describe)
    yield made
    made.disable()


def test_calls_are_logged_until_it_is_disabled(
    autolog: Autolog, capsys: pytest.CaptureFixture[str]
) -> None:
    original = Client.ask
    autolog({"project": "asked", "id": "a1", "settings": {"silent": False}})
    autolog()  # a second time changes nothing
    client = Client()

    assert client.ask("hello") == "hello"
    assert client.ask("hello", loudly=True) == "HELLO"
    assert client.ask("secret") == "secret"
    assert client.ask("odd") == "odd"
    with pytest.raises(ValueError, match="nothing was asked"):
        client.ask("")
    autolog.disable()

    assert Client.ask is original
    assert client.ask("later") == "later"
    assert wandb.run is None
    rows = list(wandb.Api().run("a1").scan_history(keys=["said", "words"]))
    assert [(row["said"], row["words"]) for row in rows] == [("hello", 0), ("HELLO", 1)]
    assert "could not be logged: KeyError" in capsys.readouterr().err


def test_a_run_of_the_scripts_own_stays_open(autolog: Autolog) -> None:
    run = wandb.init(project="own", settings={"silent": True})

    autolog.enable()
    Client().ask("hello")
    autolog.disable()

    assert wandb.run is run
    assert run.summary["said"] == "hello"
    run.finish()
    autolog.enable({"project": "own", "mode": "disabled"})
    assert Client().ask("hello") == "hello"


def test_a_library_that_is_not_there_is_named() -> None:
    with pytest.raises(MissingLibraryError, match="pip install no_such_library"):
        Autolog("some", "no_such_library", "Client", "ask", describe).enable()
    assert wandb.run is None
