"""Artifacts through ``wandb.Api``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import quark.compat.wandb as wandb
from quark.compat.wandb.errors import CommError


def log(run: Any, name: str, type: str, text: str, **keywords: Any) -> Any:
    Path("f").write_text(text)
    return run.log_artifact("f", name=name, type=type, **keywords).wait()


def test_types_collections_and_versions_are_listed() -> None:
    with wandb.init(project="p") as run:
        for text in "123":
            log(run, "b", "dataset", text, tags=["odd"] if text in "13" else None)
        log(run, "a", "dataset", "1")
        log(run, "m", "model", "1")
    with wandb.init(project="q", entity="team") as run:
        log(run, "b", "dataset", "1")
    api = wandb.Api(overrides={"project": "p"})

    assert [type.name for type in api.artifact_types()] == ["dataset", "model"]
    assert [type.name for type in api.artifact_types("team/q")] == ["dataset"]
    assert [c.name for c in api.artifact_collections("p", "dataset")] == ["a", "b"]
    assert [c.name for c in api.artifact_type("model").collections()] == ["m"]
    collection = api.artifact_type("dataset", "p").collection("b")
    assert [a.version for a in collection.artifacts()] == ["v2", "v1", "v0"]
    assert [a.version for a in api.artifacts("dataset", "p/b", order="createdAt")] == [
        *("v0", "v1", "v2")
    ]
    assert [a.version for a in api.artifacts("dataset", "b", tags=["odd"])] == ["v2", "v0"]
    assert len(api.artifact_versions("dataset", "b")) == 3
    assert len(api.artifacts("model", "b")) == 0
    assert api.artifact("team/q/b:v0").entity == "team"
    assert api.artifact("q/b").entity == "team", "there is no other of this name"
    assert api.artifact_exists("b:v1")
    assert not api.artifact_exists("b:v7")
    assert not api.artifact_exists("b:v1", type="model")
    assert api.artifact_collection_exists("p/a", "dataset")
    assert not api.artifact_collection_exists("p/a", "model")
    with pytest.raises((CommError, ValueError), match="no collection"):
        api.artifact_collection("dataset", "nope")
    with pytest.raises(ValueError, match="path of an artifact"):
        api.artifact("a/b/c/d")


def test_a_collection_is_described_retyped_and_deleted() -> None:
    with wandb.init(project="p") as run:
        log(run, "b", "dataset", "1", aliases=["x"])
    api = wandb.Api()
    collection = api.artifact_collection("dataset", "p/b")

    collection.description = "about"
    collection.tags = ["t"]
    collection.type = "images"
    collection.save()

    found = api.artifact_collection("images", "p/b")
    assert (found.description, found.tags, found.is_sequence()) == ("about", ["t"], True)
    assert found.aliases == ["x", "latest", "v0"]
    assert api.artifact("p/b").type == "images"
    found.name = "c"
    with pytest.raises(ValueError, match="cannot be called 'c'"):
        found.save()
    found.delete()
    assert not api.artifact_collection_exists("p/b", "images")


def test_a_run_that_was_read_back_can_use_and_log_versions() -> None:
    with wandb.init(project="p", id="one") as run:
        log(run, "b", "dataset", "1")
    with wandb.init(project="p", id="two"):
        pass
    api = wandb.Api()
    artifact, second = api.artifact("p/b"), api.run("p/two")

    second.use_artifact(artifact)
    second.log_artifact(artifact, aliases=["from two"], tags=["t"])

    assert [a.name for a in second.used_artifacts()] == ["b:v0"]
    assert [a.name for a in second.logged_artifacts()] == ["b:v0"]
    assert api.artifact("p/b:from two").tags == ["t"]
    with pytest.raises(ValueError, match="was logged"):
        second.use_artifact(wandb.Artifact("n", "t"))
    with pytest.raises(TypeError):
        second.log_artifact("b")  # type: ignore[arg-type]
    api.run("p/one").delete()
    assert api.artifact("p/b").logged_by() is None
