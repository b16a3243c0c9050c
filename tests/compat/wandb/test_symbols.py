"""Every public name of the installed wandb has a state, and the document says the same."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterator
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

#: Classes whose members are listed. An EvalTable has those of a Table.
DATA_TYPES = (
    *("Audio", "Classes", "Graph", "Histogram", "Html", "Image", "JoinedTable", "Molecule"),
    *("Object3D", "Plotly", "Table", "Video"),
)
API_OBJECTS = (
    *("ArtifactCollection", "ArtifactCollections", "ArtifactType", "ArtifactTypes", "Artifacts"),
    *("File", "Files", "Project", "Projects", "RunArtifacts", "Runs", "Sweep", "User"),
)
#: Names that the shim has and W&B 0.31 does not: removed ones, and those of Quark's own making.
BEYOND = {
    "Run": {"end", "get_url", "guest", "inherited", "over", "log", "project_name", "renew_lock"},
    "Api": {"sweeps_of"},
    "Api run": {"display_name", "exit_code"},
}


def public(owner: Any) -> set[str]:
    return {name for name in dir(owner) if not name.startswith("_")}


def real_names(part: str) -> set[str]:
    wandb = import_module("wandb")
    if part == "module":
        imported = {"cli", "docker"}  # there if anyone has imported them
        return (public(wandb) | {"__version__", "Api"}) - imported
    if part == "environment":
        env = vars(import_module("wandb.env")).values()
        return {text for text in env if isinstance(text, str) and text.startswith("WANDB_")}
    if part == "init":
        return set(inspect.signature(wandb.init).parameters)
    if part == "Settings":
        return set(wandb.Settings.model_fields)
    if part == "data types":
        return set(_data_type_names(wandb))
    if part == "plot":
        return public(import_module("wandb.plot"))
    if part == "Api objects":
        module = import_module("wandb.apis.public")
        return {f"{name}.{member}" for name in API_OBJECTS for member in public(vars(module)[name])}
    if part == "apis.public":
        return public(import_module("wandb.apis.public"))
    if part == "commands":
        return set(import_module("wandb.cli.cli").cli.commands)
    owners = {
        "Artifact": wandb.Artifact,
        "Run": wandb.Run,
        "Config": wandb.Config,
        "Summary": wandb.sdk.wandb_summary.Summary,
        "Api": wandb.Api,
        "Api run": import_module("wandb.apis.public").Run,
    }
    return public(owners[part])


def _data_type_names(wandb: Any) -> Iterator[str]:
    """The types themselves, members by their class, and once each what many of them have."""
    yield from public(wandb.data_types)
    members = {name: public(vars(wandb.data_types)[name]) for name in DATA_TYPES}
    counts = Counter(member for its in members.values() for member in its)
    for name, its in members.items():
        yield from (m if counts[m] > 3 or "_all" in f"_{m}" else f"{name}.{m}" for m in its)


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


#: What only an object has, not its class.
_OF_OBJECTS = frozenset(
    {
        *("ArtifactCollection.description", "ArtifactCollection.name", "ArtifactCollection.tags"),
        *("ArtifactCollection.type", "ArtifactType.name", "Project.id", "Project.owner"),
        *("Sweep.config", "Sweep.entity", "Sweep.expected_run_count", "User.teams"),
    }
)


@pytest.mark.parametrize(
    ("part", "owner"),
    [
        ("Artifact", "Artifact"),
        ("data types", "data_types"),
        ("plot", "plot"),
        ("apis.public", "apis.public"),
        ("Api objects", "apis.public"),
    ],
)
def test_members_that_are_said_to_be_there_are_there(part: str, owner: str) -> None:
    for name in names(part, "works", "differs", "no-op") - _OF_OBJECTS - {"from_json"}:
        found: Any = shim
        for word in (*owner.split("."), *name.split(".")):
            assert word in dir(found) or hasattr(found, word), name
            found = getattr(found, word)
    for name in DATA_TYPES:
        assert callable(getattr(shim.data_types, name).from_json)


@pytest.mark.parametrize("part", ["module", "Run", "init"])
def test_at_least_95_of_100_names_work(part: str) -> None:
    assert len(names(part, "works", "differs")) >= 0.95 * len(names(part))


@pytest.mark.parametrize("name", sorted(names("module", "not supported")))
def test_what_is_not_supported_says_so(name: str) -> None:
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
