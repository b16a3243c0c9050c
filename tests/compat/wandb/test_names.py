"""Names that libraries reach for: modules below ``wandb``, classes, and what W&B has removed."""

from __future__ import annotations

import importlib
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import quark.compat.wandb as wandb
from quark.compat.wandb.namespaces import CONTENTS, INTEGRATIONS, ROOT, SYNONYMS

QUIET = {"silent": True}


@pytest.fixture(autouse=True)
def _no_run_stays_open() -> Iterator[None]:
    yield
    wandb.teardown()


def init(**arguments: Any) -> wandb.Run:
    return wandb.init(**{"project": "p", "settings": QUIET, **arguments})


# -- modules below -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted({*CONTENTS} - {"api", *INTEGRATIONS}))
def test_a_module_below_can_be_imported_and_touched(path: str) -> None:
    module = importlib.import_module(f"{ROOT}.{path}")

    touched: Any = wandb
    for part in path.split("."):
        touched = getattr(touched, part)
    assert touched is module
    assert importlib.util.find_spec(f"{ROOT}.{path}") is not None
    for name in CONTENTS[path]:
        assert getattr(module, name) is not None


#: What a library imports, from §1 of the list of what real code uses.
IMPORTS = """
from {0}.sdk.lib.config_util import ConfigError
from {0}.wandb_run import Run as OldRun
from {0}.sdk.wandb_run import Run
from {0}.sdk.lib import RunDisabled
from {0}.sdk.lib.disabled import RunDisabled as Same
from {0}.sdk.lib.runid import generate_id
from {0}.util import json_dumps_safer
from {0}.errors import CommError, UsageError
from {0}.apis.public import Api, Run as ApiRun
import {0}.env as env
import {0} as wandb
assert OldRun is Run is wandb.Run and Same is RunDisabled and Api is wandb.Api
assert wandb.sdk.wandb_run.Run is Run and wandb.wandb_lib.RunDisabled is RunDisabled
print(len(generate_id()), issubclass(ConfigError, Exception), env.PROJECT)
"""


@pytest.mark.parametrize(
    "package", [pytest.param("wandb", marks=pytest.mark.wandb_parity), "quark.compat.wandb"]
)
def test_what_libraries_import_is_there(package: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS.format(package)], capture_output=True, text=True, check=False
    )

    assert done.stdout == "8 True WANDB_PROJECT\n", done.stderr


def test_synonyms_are_the_same_modules() -> None:
    assert {name: getattr(wandb, name).__name__ for name in SYNONYMS} == {
        "wandb_sdk": f"{ROOT}.sdk",
        "wandb_lib": f"{ROOT}.sdk.lib",
    }


@pytest.mark.parametrize("owner", ["sdk", "util", "sdk.lib"])
def test_what_is_not_there_is_an_attribute_error(owner: str) -> None:
    module = importlib.import_module(f"{ROOT}.{owner}")

    assert not hasattr(module, "no_such_name")
    with pytest.raises(ImportError):
        importlib.import_module(f"{ROOT}.{owner}.no_such_name")


def test_runs_are_instances_of_what_libraries_ask_for() -> None:
    run = init()

    for kind in (wandb.Run, wandb.sdk.wandb_run.Run, wandb.wandb_run.Run):
        assert isinstance(run, kind)
    assert not isinstance(run, wandb.sdk.lib.RunDisabled)
    run.finish()
    disabled = init(mode="disabled")
    assert isinstance(disabled, (wandb.Run, wandb.sdk.lib.RunDisabled))
    assert isinstance(disabled.config, wandb.sdk.wandb_config.Config)
    assert isinstance(disabled.settings, wandb.sdk.wandb_settings.Settings)


# -- functions -----------------------------------------------------------------------------------


def test_json_dumps_safer_takes_what_a_row_holds() -> None:
    numpy = pytest.importorskip("numpy")

    text = wandb.util.json_dumps_safer({"a": numpy.float32(1.5), "b": numpy.arange(2), "c": {1}})

    assert json.loads(text) == {"a": 1.5, "b": [0, 1], "c": [1]}


def test_get_module_says_what_is_missing() -> None:
    assert wandb.util.get_module("json") is json
    assert wandb.util.get_module("no_such_module_at_all") is None
    with pytest.raises(wandb.Error, match="install it"):
        wandb.util.get_module("no_such_module_at_all", required="install it")


def test_ids_are_fresh() -> None:
    assert len({wandb.util.generate_id() for _ in range(100)}) == 100
    assert len(wandb.sdk.lib.runid.generate_id(12)) == 12


def test_nothing_asks_for_an_account() -> None:
    assert wandb.login() is wandb.login(key="0" * 40, relogin=True, anonymous="must") is False
    assert wandb.api.api_key is None
    wandb.ensure_configured()
    for feature in ("core", "service", "legacy-service"):
        wandb.require(feature)
    wandb.require(experiment="core")
    wandb.termsetup(None, None)
    assert wandb.setup(settings=wandb.Settings(project="p")) is not None
    wandb.teardown()


# -- what W&B has removed, and released code still calls ------------------------------------------


def test_old_names_of_a_run_work() -> None:
    run = init(settings=wandb.Settings(silent=True, start_method="thread", _disable_stats=True))

    run._label(code="transformers_trainer")
    run._label(repo="r", code="c", version="1")
    assert run.url is None
    run.get_url()
    assert run.project_name() == run.project == "p"
    assert run._attach_id.startswith(run.id)
    run.define_metric("loss", summary="best", goal="minimize")
    run.log({"loss": 2}, sync=False)
    run.log({"loss": 3}, step=1, sync=True)
    run.finish(quiet=True)

    assert wandb.Api().run(run.id).summary["loss"]["best"] == 2
    assert wandb.apis.PublicApi().run(run.id).id == run.id


def test_join_ends_the_run() -> None:
    run = init()

    wandb.join()

    assert wandb.run is None
    assert run.over


def test_a_settings_object_takes_what_it_took() -> None:
    settings = wandb.Settings(start_method="fork", _disable_meta=True, program_args=["--lr"])

    assert settings.start_method == "fork"
    with pytest.raises(ValueError, match="no_such_setting"):
        wandb.Settings(no_such_setting=1)


def test_what_is_not_supported_is_told_apart(tmp_path: Path) -> None:
    for name in ("proto", "analytics"):
        assert not hasattr(wandb, name)
        with pytest.raises(NotImplementedError, match=r"docs/compat\.md"):
            getattr(wandb, name)
