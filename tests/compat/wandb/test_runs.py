"""What the shim does with runs that W&B cannot do offline, or does otherwise."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import quark.compat.wandb as wandb
from tests.compat.wandb.driver import without_own

QUIET = {"silent": True}


@pytest.fixture(autouse=True)
def _no_run_stays_open() -> Iterator[None]:
    yield
    wandb.teardown()


def init(**arguments: Any) -> wandb.Run:
    return wandb.init(**{"project": "p", "settings": QUIET, **arguments})


def api_run(run_id: str) -> Any:
    return wandb.Api().run(run_id)


# -- where and whether ---------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["online", "offline", "shared", "dryrun"])
def test_every_mode_but_disabled_keeps_the_run_here(mode: str) -> None:
    run = init(mode=mode)
    run.log({"a": 1})
    run.finish()

    assert [row["a"] for row in api_run(run.id).scan_history()] == [1]
    assert run.offline == (mode in ("offline", "dryrun"))
    assert run.url is None


@pytest.mark.parametrize(
    "variables",
    [{"WANDB_MODE": "disabled"}, {"WANDB_DISABLED": "true"}, {"QUARK_MODE": "disabled"}],
    ids=str,
)
def test_a_variable_can_disable_runs(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, text in variables.items():
        monkeypatch.setenv(name, text)

    with wandb.init(config={"lr": 1}) as run:
        wandb.log({"loss": 1})
        wandb.define_metric("loss", summary="min")
        assert wandb.save("*") == []
        assert run.disabled
        assert run.summary["loss"] == run.config.lr == 1

    assert list(tmp_path.iterdir()) == []


def test_the_storage_directory_is_chosen_in_order(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def folder(**arguments: Any) -> Path:
        with init(**arguments) as run:
            return Path(os.path.realpath(run.dir)).parents[3].relative_to(tmp_path)

    assert folder() == Path()
    wandb.teardown()  # the environment is read once
    monkeypatch.setenv("WANDB_DIR", "from-wandb-dir")
    assert folder() == Path("from-wandb-dir")
    assert folder(dir=Path("from-argument")) == Path("from-argument")
    monkeypatch.setenv("QUARK_STORAGE_DIR", "from-quark")
    assert folder(dir="from-argument") == Path("from-quark")


def test_the_environment_names_what_no_argument_does(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "WANDB_PROJECT": "proj",
        "WANDB_NAME": "named",
        "WANDB_RUN_ID": "given-id",
        "WANDB_RUN_GROUP": "group",
        "WANDB_JOB_TYPE": "eval",
        "WANDB_NOTES": "noted",
        "WANDB_TAGS": "a, b",
        "WANDB_ENTITY": "me",
        "WANDB_SILENT": "true",
        "WANDB_WATCH": "false",  # transformers' own
    }
    for name, text in values.items():
        monkeypatch.setenv(name, text)

    run = wandb.init(group="argument")

    facts = (run.project, run.name, run.id, run.group, run.job_type, run.notes, run.tags)
    assert facts == ("proj", "named", "given-id", "argument", "eval", "noted", ("a", "b"))
    assert run.path == "me/proj/given-id"


def test_names_count_the_runs(capsys: pytest.CaptureFixture[str]) -> None:
    names = []
    for _ in range(3):
        with wandb.init() as run:
            names.append(run.name or "")

    assert [name.rpartition("-")[2] for name in names] == ["1", "2", "3"]
    assert "completed" in capsys.readouterr().err


def test_old_keywords_are_taken_and_unknown_ones_are_not() -> None:
    run = init(magic=True, anonymous="allow", force=True, monitor_gym=True, save_code=True)
    run.log({"a": 1}, sync=False)
    run.finish(quiet=True)

    with pytest.raises(TypeError, match="no argument 'lerning_rate'"):
        init(lerning_rate=1)


# -- going on ------------------------------------------------------------------------------------


def test_a_run_is_gone_on_with() -> None:
    first = init(id="r", config={"lr": 1, "depth": 2}, name="n", tags=["t"], group="g")
    first.log({"loss": 3.0}, step=10)
    first.summary["best"] = 7
    first.finish()

    second = init(id="r", resume="allow", config={"lr": 5})
    second.log({"acc": 1})
    second.finish()

    assert (second.resumed, second.starting_step) == (True, 11)
    assert (second.name, second.tags, second.group) == ("n", ("t",), "g")
    assert dict(second.config) == {"lr": 5, "depth": 2}
    found = api_run("r")
    assert [(row["_step"], row.get("loss"), row.get("acc")) for row in found.scan_history()] == [
        (10, 3, None),
        (11, None, 1),
    ]
    assert without_own(found.summary) == {"loss": 3, "best": 7, "acc": 1}
    assert found.config == {"lr": 5, "depth": 2}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"id": "new", "resume": "must"}, "new"), ({"id": "old", "resume": "never"}, "exists")],
    ids=["must", "never"],
)
def test_what_cannot_be_resumed_is_refused(arguments: dict[str, str], message: str) -> None:
    init(id="old").finish()

    with pytest.raises(wandb.UsageError, match=message):
        init(**arguments)

    assert wandb.run is None


def test_auto_goes_on_with_the_last_run_that_did_not_end_well() -> None:
    init(id="broken").finish(exit_code=1)
    with init(resume="auto") as run:
        assert (run.id, run.resumed) == ("broken", True)

    with init(resume="auto") as run:
        assert run.id != "broken"
        assert not run.resumed


def test_a_known_id_without_resume_loses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    for value in (1, 2):
        with wandb.init(id="same") as run:
            run.log({"a": value})

    assert [row["a"] for row in api_run("same").scan_history()] == [1, 2]
    assert "exists already" in capsys.readouterr().err


# -- rows ----------------------------------------------------------------------------------------


def test_a_late_row_is_kept_at_its_own_step(capsys: pytest.CaptureFixture[str]) -> None:
    run = wandb.init()
    run.log({"a": 1}, step=5, commit=True)

    run.log({"a": 2, "b": 2}, step=3)
    run.log({"a": 3}, step=4)

    assert run.step == 6
    assert dict(run.summary)["a"] == 1
    assert "b" not in run.summary
    run.finish()
    rows = [(row["_step"], row["a"]) for row in api_run(run.id).scan_history()]
    assert rows == [(3, 2), (4, 3), (5, 1)]
    assert capsys.readouterr().err.count("after step 6") == 1


def test_a_refused_row_leaves_no_trace() -> None:
    run = init()
    rows: list[tuple[Any, int | None]] = [({1: 2}, None), ({"a": 1, 2: 3}, 7), ({"a": 1}, 2**63)]
    for data, step in rows:
        with pytest.raises((TypeError, ValueError)):
            run.log(data, step=step)
    run.define_metric("*", summary="min")
    with pytest.raises(TypeError, match="strings"):
        run.log(rows[0][0])

    assert run.step == 0
    assert "a" not in run.summary


def test_a_forked_child_that_calls_init_gets_a_run_of_its_own() -> None:
    parent = init(id="parent")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            own = init(id="child")
            wandb.log({"a": 1})
            wandb.finish()
            status = 0 if own is not parent else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0

    parent.log({"b": 2})
    parent.finish()

    assert [row["a"] for row in api_run("child").scan_history()] == [1]
    assert api_run("child").state == api_run("parent").state == "finished"


def test_threads_share_the_rows() -> None:
    script = """
import threading
import quark.compat.wandb as wandb
run = wandb.init(id="threads", settings={"silent": True})
def work(name):
    for number in range(500):
        wandb.log({"value": number, "thread": name})
threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(run.step)
"""
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    rows = list(api_run("threads").scan_history())
    assert result.stdout.strip() == str(len(rows)) == "2000"
    for name in range(4):
        assert [row["value"] for row in rows if row["thread"] == name] == list(range(500))


def test_a_forked_child_logs_into_the_run_and_does_not_end_it() -> None:
    run = init(id="forked")
    run.log({"before": 1})
    child = os.fork()
    if child == 0:
        status = 1
        try:
            run.log({"in child": 2})
            run.finish()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0

    run.log({"after": 3})
    assert wandb.run is run
    run.finish()

    logged = {key for row in api_run("forked").scan_history() for key in row if key[0] != "_"}
    assert logged == {"before", "in child", "after"}
    assert api_run("forked").state == "finished"


# -- the rest of a run ---------------------------------------------------------------------------


def test_files_are_saved_below_the_run(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.txt").write_text("a")
    run = init()

    saved = [
        *wandb.save("out/*.txt"),
        *wandb.save(str(tmp_path / "out" / "a.txt"), base_path=tmp_path / "out", policy="now"),
    ]

    assert [Path(path).relative_to(run.dir) for path in saved] == [Path("out/a.txt"), Path("a.txt")]
    assert all(Path(path).read_text() == "a" for path in saved)
    with pytest.raises(ValueError, match="Policy"):
        wandb.save("out/*", policy="never")
    with pytest.raises(ValueError, match="outside"):
        wandb.save("out/*", base_path=run.dir)


def test_names_imported_before_init_mean_the_open_run() -> None:
    log = wandb.log  # what `from wandb import log` binds
    with pytest.raises(wandb.Error, match="init"):
        log({"a": 1})
    run = init()

    log({"a": 1})

    assert run.step == 1


def test_a_failed_run_is_failed() -> None:
    def train() -> None:
        with init(id="failing") as run:
            run.log({"a": 1 / 0})

    with pytest.raises(ZeroDivisionError):
        train()

    found = api_run("failing")
    assert (found.state, found.exit_code) == ("failed", 1)
    assert wandb.run is None
