"""report, compare, gate and artifact, on runs of real sessions: kept here, and by a service."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import quark.compat.wandb as wandb
from tests.support.cli import json_of, run_cli
from tests.support.service import running_service, service_config

PROJECT = "cli-judging"


class Place(NamedTuple):
    """Where runs are, and the variables that say so."""

    env: dict[str, str]
    cwd: Path


def train(name: str, lr: float, last_loss: float, *, model: Path | None = None) -> str:
    run = wandb.init(project=PROJECT, name=name, config={"lr": lr, "model": {"depth": 3}})
    for step in range(40):
        run.log({"val/loss": last_loss + 2.0 * 0.8**step, "train/loss": last_loss + 0.8**step})
    if model is not None:
        artifact = wandb.Artifact("net", type="model")
        artifact.add_file(str(model))
        run.log_artifact(artifact)
    run.finish()
    return str(run.id)


@pytest.fixture(scope="module", params=["embedded", "service"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp(f"cli-{request.param}")
    model = folder / "net.bin"
    model.write_bytes(b"weights" * 1000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUARK_STORAGE_DIR", str(folder))
        patch.setenv("QUARK_QUIET", "1")
        env = {"QUARK_STORAGE_DIR": str(folder)}
        if request.param == "embedded":
            _train_all(model)
            yield Place(env, folder)
            return
        with running_service(service_config(folder / "service")) as service:
            env |= {"QUARK_PERSISTENCE_URL": service.url, "QUARK_USER_KEY": str(service.key)}
            for name, value in env.items():
                patch.setenv(name, value)
            _train_all(model)
            yield Place(env, folder)


def _train_all(model: Path) -> None:
    for number, loss in enumerate((0.30, 0.31, 0.33)):
        train(f"past-{number}", 0.1, loss)
    train("good", 0.2, 0.29, model=model)
    train("bad", 0.9, 1.5)


def test_a_report_is_the_one_of_the_runs_end(place: Place) -> None:
    found = json_of(run_cli("report", "good", "--json", env=place.env, cwd=place.cwd))
    assert (found["status"], found["judged"], found["project"]) == ("completed", True, PROJECT)
    assert {score["score_key"] for score in found["health_scores"]} >= {"overall"}
    assert found["curve"]["last"] == pytest.approx(0.29 + 0.8**39, abs=1e-12)

    run_cli("report", "good", "--format", "md", "-o", "r.md", env=place.env, cwd=place.cwd).ok()
    assert (place.cwd / "r.md").read_text().startswith("# good: completed\n")
    text = run_cli("report", "good", env=place.env, cwd=place.cwd).ok().out
    assert "curve" in text
    assert "\x1b" not in text
    service = place.env.get("QUARK_PERSISTENCE_URL")
    page = f"{service}/ui/runs/{found['run_id']}" if service else f"{found['run_id']}/report.md"
    assert text.rstrip().endswith(page)


def test_a_comparison_shows_what_differs_alone(place: Place) -> None:
    words = ("compare", "good", "bad", "--target-value", "val/loss<=1.0")
    found = json_of(run_cli(*words, "--json", env=place.env, cwd=place.cwd))
    assert found["config_diff"] == [{"key": "lr", "primary": 0.2, "reference": 0.9}]
    (diff,) = (one for one in found["metric_diffs"] if one["metric_key"] == "val/loss")
    first = next(step for step in range(40) if 0.29 + 2.0 * 0.8**step <= 1.0)
    assert diff["better"] == "primary"
    assert diff["time_to_target_step"]["primary"] == first
    assert diff["time_to_target_step"]["reference"] is None

    text = run_cli(*words, env=place.env, cwd=place.cwd).ok().out
    assert f"{first} / –" in text
    assert "depth" not in text
    same = run_cli("compare", "good", "good", env=place.env, cwd=place.cwd).ok().out
    run_id = found["primary"]["id"]
    assert same.startswith(f"good {run_id} (completed) beside good {run_id} (completed)\n")


def test_a_gate_lets_pass_what_is_good_and_says_why_not(place: Place) -> None:
    words: tuple[str, ...] = ("gate", "--project", PROJECT)
    newest = run_cli(*words, "--assert", "val/loss<=0.5", env=place.env, cwd=place.cwd)
    assert newest.code == 1  # the newest is the bad one
    assert "FAIL  val/loss is 1.5" in newest.out

    words = ("gate", "--run", "good", "--project", PROJECT, "--junit", "gate.xml")
    done = run_cli(*words, "--assert", "val/loss<=0.5", "--json", env=place.env, cwd=place.cwd)
    assert done.code == 0
    assert json_of(done)["passed"] is True
    suite = ElementTree.parse(place.cwd / "gate.xml").getroot()
    assert (suite.get("failures"), int(suite.get("tests", 0)) > 1) == ("0", True)

    against = ("--baseline", "best:val/loss:min", "--metric", "val/loss")
    assert run_cli("gate", "--run", "good", *against, env=place.env, cwd=place.cwd).code == 0
    assert run_cli("gate", "--run", "bad", *against, env=place.env, cwd=place.cwd).code == 1
    many = ("gate", "--run", "good", "--project", PROJECT, "--min-baselines")
    too_few = run_cli(*many, 9, env=place.env, cwd=place.cwd)
    assert (too_few.code, "(--min-baselines)" in too_few.err) == (1, True)
    assert run_cli(*many, 3, env=place.env, cwd=place.cwd).code == 0
    lost = run_cli(*many, 3, "--junit", "none/x.xml", env=place.env, cwd=place.cwd)
    assert (lost.code, lost.err) == (1, "Error: none/x.xml: No such file or directory.\n")
    assert "Run " in lost.out  # the verdict is not lost with the file
    for wrong, said in (
        (("--run", "nosuch"), "nosuch"),
        (("--run", "good", "--assert", "val/loss=<1"), "val/loss=<1"),
        (("--run", "good", "--baseline", "best:val/loss"), "best:KEY:min"),
        (("--run", "good", "--baseline", "tag:none"), "tag:none"),
        (tuple[str, ...](), "--project NAME"),
    ):
        refused = run_cli("gate", *wrong, "--junit", "why.xml", env=place.env, cwd=place.cwd)
        assert (refused.code, refused.out) == (1, "")
        assert said in refused.err
        suite = ElementTree.parse(place.cwd / "why.xml").getroot()
        why = suite.find("testcase/error")
        assert (suite.get("errors"), why is not None and said in why.get("message", "")) == (
            "1",
            True,
        )


def test_an_artifact_is_listed_fetched_and_checked(place: Place, tmp_path: Path) -> None:
    (listed,) = json_of(run_cli("artifact", "ls", "--json", env=place.env, cwd=place.cwd))
    assert (listed["name"], listed["version"], listed["file_count"]) == ("net", "v0", 1)
    assert "latest" in listed["aliases"]

    words = ("artifact", "get", "net:latest", "-o", tmp_path / "out")
    run_cli(*words, env=place.env, cwd=place.cwd).ok()
    assert (tmp_path / "out" / "net.bin").read_bytes() == b"weights" * 1000
    checked = json_of(run_cli("artifact", "verify", "net", "--json", env=place.env, cwd=place.cwd))
    assert (checked["checked"], checked["faults"]) == (1, [])
    tree = json_of(run_cli("artifact", "lineage", "net:v0", "--json", env=place.env, cwd=place.cwd))
    assert tree["logged_by"]["run_id"] == listed["logged_by"]
    unknown = run_cli("artifact", "get", "nett", env=place.env, cwd=place.cwd)
    assert unknown.code == 1
    assert "there are: net" in unknown.err
