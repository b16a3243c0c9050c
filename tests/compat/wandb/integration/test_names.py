"""``wandb.keras``, ``wandb.integration.xgboost`` and their like: found late, refused clearly."""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

import quark.compat.wandb as wandb
from quark.compat.wandb.errors import UnsupportedSymbolError
from quark.compat.wandb.integration import BUILT, NOT_BUILT
from quark.compat.wandb.integration.requirement import MissingLibraryError, library
from quark.compat.wandb.integration.when_imported import WhenImported
from quark.compat.wandb.namespaces import INTEGRATIONS

ROOT = "quark.compat.wandb"

#: Integrations whose library the test extra brings, or that need none.
AT_HAND = ("gym", "sklearn", "tensorboard", "torch")

LIBRARIES = {
    "catboost": "catboost",
    "fastai": "fastai",
    "keras": "keras",
    "lightgbm": "lightgbm",
    "sacred": "sacred",
    "sb3": "stable_baselines3",
    "tensorflow": "tensorflow",
    "xgboost": "xgboost",
}


@pytest.mark.parametrize("path", INTEGRATIONS)
def test_another_name_gives_the_same_objects(path: str) -> None:
    home, names = INTEGRATIONS[path]
    module = importlib.import_module(f"{ROOT}.{path}")
    if home in LIBRARIES and find_spec(LIBRARIES[home]) is None:
        with pytest.raises(MissingLibraryError, match=f"pip install {LIBRARIES[home][:6]}"):
            getattr(module, names.split()[0])
        return

    own = importlib.import_module(f"{ROOT}.integration.{home}")

    assert all(getattr(module, name) is getattr(own, name) for name in names.split())
    below = path.removeprefix(f"integration.{home}.")
    if below != path:
        assert getattr(own, below) is module


@pytest.mark.parametrize("name", AT_HAND)
def test_an_integration_is_an_attribute_of_its_package(name: str) -> None:
    assert getattr(wandb.integration, name) is sys.modules[f"{ROOT}.integration.{name}"]
    assert name in dir(wandb.integration)


@pytest.mark.parametrize("name", sorted(NOT_BUILT))
def test_what_is_not_built_says_so(name: str) -> None:
    with pytest.raises(UnsupportedSymbolError, match=r"docs/compat\.md"):
        getattr(wandb.integration, name)
    assert not hasattr(wandb.integration, name)


def test_a_name_nobody_knows_is_a_plain_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_library"):
        _ = wandb.integration.no_such_library
    assert BUILT.isdisjoint(NOT_BUILT)


def test_a_missing_library_is_both_an_import_error_and_one_of_wandbs() -> None:
    with pytest.raises(ImportError, match="pip install no-such-thing") as caught:
        library("no_such_thing.callbacks", integration="thing", install="no-such-thing")

    assert isinstance(caught.value, wandb.Error)
    assert caught.value.name == "no_such_thing"


def test_a_library_that_lacks_one_itself_raises_its_own_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "halfway_library.py").write_text("import no_such_thing\n")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ModuleNotFoundError, match="no_such_thing") as caught:
        library("halfway_library", integration="halfway")

    assert not isinstance(caught.value, MissingLibraryError)


def test_a_module_is_patched_when_it_is_imported_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("waited_for", "there_already", "of_no_interest"):
        (tmp_path / f"{name}.py").write_text("value = 1\n")
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("there_already")
    seen: list[ModuleType] = []
    waiting = WhenImported(("waited_for", "there_already", "never_there"), seen.append)

    waiting.start()
    waiting.start()
    first = [module.__name__ for module in seen]
    importlib.import_module("of_no_interest")
    module = importlib.import_module("waited_for")
    waiting.stop()

    assert set(first) == {"there_already"}
    assert seen[-1] is module
    assert module.value == 1
    assert find_spec("never_there") is None
    assert waiting not in sys.meta_path
    assert module.__spec__ is not None
    assert importlib.reload(module) is module
    for name in ("waited_for", "there_already", "of_no_interest"):
        monkeypatch.delitem(sys.modules, name, raising=False)
