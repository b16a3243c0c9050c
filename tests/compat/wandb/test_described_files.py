"""``config.yaml``, ``wandb-summary.json`` and ``wandb-metadata.json`` are files of the run."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings, strategies as st

import quark.compat.wandb as wandb
from quark.compat.wandb.described_files import config_text

QUIET = {"silent": True}
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


def test_they_can_be_downloaded_and_config_yaml_starts_another_run(tmp_path: Path) -> None:
    config = {"lr": 1e-05, "model": {"depth": 3}, "on": True, "a/b": ["x: y", None], "wd": 0.1}
    with wandb.init(project="p", config=config, settings=QUIET) as run:
        run.log({"loss": 0.5, "nested": {"a": 1}})
        run.config.update({"late": 2})
    api_run = wandb.Api().run(run.path)

    with api_run.file("config.yaml").download(root=str(tmp_path / "got")) as file:
        read = yaml.safe_load(file)
    assert {key: item["value"] for key, item in read.items()} == {**config, "late": 2}
    with api_run.file("wandb-summary.json").download(root=str(tmp_path / "got")) as file:
        summary = json.load(file)
    assert (summary["loss"], summary["nested"]) == (0.5, {"a": 1})
    with api_run.file("wandb-metadata.json").download(root=str(tmp_path / "got")) as file:
        assert json.load(file)["startedAt"] == api_run.created_at

    again = wandb.init(project="p", config=str(tmp_path / "got" / "config.yaml"), settings=QUIET)
    assert again.config.as_dict() == {**config, "late": 2}
    again.finish()


def test_a_config_of_the_scripts_own_is_left_alone_and_ours_follows_the_run() -> None:
    run = wandb.init(project="p", config={"lr": 1}, id="own", settings=QUIET)
    (Path(run.dir) / "config.yaml").write_text("mine: true\n")
    run.finish()
    assert (Path(run.dir) / "config.yaml").read_text() == "mine: true\n"

    for lr in (1, 2):
        run = wandb.init(project="p", config={"lr": lr}, id="r1", resume="allow", settings=QUIET)
        run.finish()
    assert "value: 2" in (Path(run.dir) / "config.yaml").read_text()


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(min_size=1, max_size=20), PLAIN, max_size=4))
def test_any_config_is_read_back_from_its_yaml(config: dict[str, Any]) -> None:
    read = yaml.safe_load(config_text(config)) or {}

    assert same({key: item["value"] for key, item in read.items()}, config)


def same(found: Any, given: Any) -> bool:
    if isinstance(given, float) and isinstance(found, float):
        return found == given or (math.isnan(found) and math.isnan(given))
    if isinstance(given, dict):
        return found.keys() == given.keys() and all(same(found[key], given[key]) for key in given)
    if isinstance(given, list):
        return len(found) == len(given) and all(map(same, found, given))
    return type(found) is type(given) and bool(found == given)


@pytest.mark.parametrize("word", ["yes", "null", "NaN", "1", "-", "a b", "é", "#"])
def test_keys_that_yaml_would_take_for_something_else_stay_texts(word: str) -> None:
    assert yaml.safe_load(config_text({word: 1})) == {word: {"value": 1}}
