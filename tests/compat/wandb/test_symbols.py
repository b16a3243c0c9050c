"""Every public name of the installed wandb has a state, and the document says the same."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import quark.compat.wandb as shim
from quark.compat.wandb.document import compat_document
from quark.compat.wandb.errors import UnsupportedSymbolError
from quark.compat.wandb.settings import Settings
from quark.compat.wandb.symbols import PARTS, STATES, SYMBOLS, names

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "compat.md"

#: Names that the shim has and W&B 0.31 does not: removed ones, and those of Quark's own making.
BEYOND = {
    "Run": {"end", "get_url", "guest", "inherited", "over", "log", "project_name", "renew_lock"},
    "Api run": {"display_name", "exit_code"},
}


def public(owner: Any) -> set[str]:
    return {name for name in dir(owner) if not name.startswith("_")}


def real_names(part: str) -> set[str]:
    wandb = import_module("wandb")
    if part == "module":
        return (public(wandb) | {"__version__", "Api"}) - {"docker"}  # if anyone has imported it
    if part == "environment":
        env = vars(import_module("wandb.env")).values()
        return {text for text in env if isinstance(text, str) and text.startswith("WANDB_")}
    if part == "init":
        return set(inspect.signature(wandb.init).parameters)
    if part == "Settings":
        return set(wandb.Settings.model_fields)
    owners = {
        "Run": wandb.Run,
        "Config": wandb.Config,
        "Summary": wandb.sdk.wandb_summary.Summary,
        "Api": wandb.Api,
        "Api run": import_module("wandb.apis.public").Run,
    }
    return public(owners[part])


@pytest.mark.wandb_parity
@pytest.mark.parametrize("part", PARTS)
def test_every_symbol_of_wandb_has_a_state(part: str) -> None:
    assert real_names(part) - names(part) == set()


@pytest.mark.wandb_parity
def test_init_takes_the_parameters_of_wandb_in_their_order() -> None:
    real = list(inspect.signature(import_module("wandb").init).parameters)
    ours = list(inspect.signature(shim.init).parameters)

    assert len(real) == 25
    assert ours[: len(real)] == real


@pytest.mark.parametrize("name", sorted(names("module", "works", "differs", "no-op")))
def test_what_is_said_to_be_there_is_there(name: str) -> None:
    assert hasattr(shim, name)


@pytest.mark.parametrize(
    ("part", "owner"),
    [("Run", shim.Run), ("Config", shim.Config), ("Api", shim.Api)],
)
def test_a_class_has_what_its_table_says(part: str, owner: type) -> None:
    assert names(part, "works", "differs", "no-op") - set(dir(owner)) == set()
    assert public(owner) - names(part) - BEYOND.get(part, set()) == set()


@pytest.mark.parametrize("name", sorted(names("module", "later")))
def test_what_comes_later_says_so(name: str) -> None:
    assert getattr(shim, name, None) is None
    with pytest.raises(UnsupportedSymbolError, match=r"docs/compat\.md"):
        getattr(shim, name)


@pytest.mark.parametrize("name", sorted(names("Settings")))
def test_every_setting_is_accepted(name: str) -> None:
    assert getattr(Settings(), name) in (None, False, "online", "wrap")


def test_an_unknown_name_is_a_plain_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name") as caught:
        _ = shim.no_such_name

    assert not isinstance(caught.value, NotImplementedError)


def test_states_and_parts_are_the_known_ones() -> None:
    assert {symbol.state for symbol in SYMBOLS.values()} <= set(STATES)
    assert {symbol.part for symbol in SYMBOLS.values()} == set(PARTS)


def test_the_document_is_made_from_the_table() -> None:
    assert DOCUMENT.read_text() == compat_document(), (
        "run: python -m quark.compat.wandb.document > docs/compat.md"
    )
