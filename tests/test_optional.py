"""Optional packages: loaded when asked for, and a pip line for who lacks one."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest

from quark import _optional
from quark.errors import MissingDependencyError, QuarkError

PYPROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())

#: Where the name that is imported differs from the name that is installed.
DISTRIBUTION_OF = {
    "prometheus_client": "prometheus-client",
    "PIL": "pillow",
    "yaml": "pyyaml",
}


def names(requirements: list[str]) -> set[str]:
    """The distributions that a list of requirements asks for."""
    return {re.split(r"[\[<>=;! ]", requirement)[0] for requirement in requirements}


def test_a_package_that_is_here_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(_optional.EXTRA_OF, "math", "hooks")

    assert _optional.require("math", purpose="A test").sqrt(9) == 3


def test_a_missing_package_is_named_with_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)

    with pytest.raises(MissingDependencyError) as caught:
        _optional.require("torch", purpose="HookEngine")

    assert str(caught.value) == (
        "HookEngine needs the package 'torch', which is not installed. "
        'Install it with: pip install "quark-observe[hooks]"'
    )
    assert caught.value.name == "torch"
    assert isinstance(caught.value, QuarkError)
    assert isinstance(caught.value, ImportError)


def test_a_part_of_a_missing_package_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightning", None)

    with pytest.raises(MissingDependencyError, match=r"\[integrations\]"):
        _optional.require("lightning.pytorch", purpose="QuarkLogger")


def test_what_an_installed_package_lacks_is_its_own_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half_here.py").write_text("import something_it_needs_and_nobody_has")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(_optional.EXTRA_OF, "half_here", "hooks")

    with pytest.raises(ModuleNotFoundError) as caught:
        _optional.require("half_here", purpose="A test")

    assert not isinstance(caught.value, MissingDependencyError)
    assert caught.value.name == "something_it_needs_and_nobody_has"


def test_looking_for_a_package_does_not_import_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "looked_at.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)

    assert _optional.available("looked_at")
    assert not _optional.available("surely_not_installed")


@pytest.mark.parametrize(("module", "extra"), sorted(_optional.EXTRA_OF.items()))
def test_the_extra_that_is_named_brings_the_package(module: str, extra: str) -> None:
    extras = PYPROJECT["project"]["optional-dependencies"]

    assert DISTRIBUTION_OF.get(module, module) in names(extras[extra])


def test_all_is_every_extra_for_users() -> None:
    extras = PYPROJECT["project"]["optional-dependencies"]
    users = set(extras) - {
        "all",
        "test",
        "test-integrations",
        "test-servers",
        "test-browser",
        "dev",
    }

    (requirement,) = extras["all"]

    assert requirement == f"quark-observe[{','.join(e for e in extras if e in users)}]"


def test_boto3_and_s3fs_are_asked_for_nowhere() -> None:
    project = PYPROJECT["project"]
    everything = [project["dependencies"], *project["optional-dependencies"].values()]

    asked_for = set().union(*map(names, everything))

    assert not asked_for & {"boto3", "s3fs"}


def test_the_base_is_what_the_design_says() -> None:
    assert names(PYPROJECT["project"]["dependencies"]) == {
        *("click", "httpx", "numpy", "nvidia-ml-py", "orjson", "psutil", "rich")
    }
