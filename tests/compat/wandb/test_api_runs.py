"""``Api().runs`` over many runs, and what the Api creates, changes and shows besides rows."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import quark.compat.wandb as wandb
from quark.compat.wandb.api_runs import Runs
from quark.persistence.http_records import HttpRecords
from quark.settings import Settings
from quark.storage.embedded_records import EmbeddedRecords


@pytest.fixture(autouse=True)
def _no_run_stays_open() -> Iterator[None]:
    yield
    wandb.teardown()


def init(**arguments: Any) -> wandb.Run:
    settings = {"silent": True, "console": "off"}
    return wandb.init(**{"project": "p", "settings": settings, **arguments})


def created(count: int) -> list[str]:
    api = wandb.Api()
    return [api.create_run(run_id=f"r{number:02}", project="p").id for number in range(count)]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return what counts the runs that the store is asked for."""
    counts: list[int] = []
    records: Any = EmbeddedRecords if Settings.load().persistence_url is None else HttpRecords
    list_runs = records.list_runs

    def counting(self: Any, query: Any) -> Any:
        found = list_runs(self, query)
        counts.append(len(found))
        return found

    monkeypatch.setattr(records, "list_runs", counting)
    return counts


def test_runs_are_read_page_by_page(read: list[int]) -> None:
    names = created(25)

    runs = wandb.Api().runs("p", per_page=10)

    assert read == []
    assert runs[0].id == "r00"
    assert runs[9].id == "r09"
    assert sum(read) == 10
    assert [run.id for run in runs[5:12]] == names[5:12]
    assert sum(read) == 21  # with the run where the second page begins
    assert [run.id for run in runs] == names
    assert (len(runs), runs[-1].id, [run.id for run in runs[-2:]]) == (25, "r24", names[-2:])
    assert sum(read) == 27
    assert [run.id for run in runs] == names
    assert next(wandb.Api().runs("p", per_page=1)).id == "r00"
    with pytest.raises(IndexError):
        runs[25]
    newest = wandb.Api().runs("p", order="-created_at", per_page=4)
    assert (newest[0].id, len(newest.objects)) == ("r24", 4)
    assert [run.id for run in newest] == names[::-1]
    assert len(wandb.Api().runs("p", per_page=5)) == 25
    assert not wandb.Api().runs("nothing")


@pytest.mark.parametrize("order", ["+created_at", "-created_at"])
def test_runs_that_are_deleted_on_the_way_hide_no_others(order: str) -> None:
    names = created(23)
    gone = []
    for run in wandb.Api().runs("p", order=order, per_page=5):
        run.delete()
        gone.append(run.id)

    assert sorted(gone) == names
    assert len(wandb.Api().runs("p")) == 0


def test_filters_reach_every_field_of_a_run() -> None:
    for number in range(4):
        with init(
            id=f"r{number}",
            config={"lr": number / 10, "m": {"value": number}, "value": number},
            group="g" if number % 2 else None,
            job_type="train",
            tags=["a", "b"][: number % 3],
        ) as run:
            run.log({"acc": number, "n": {"x": number}})
            if number == 3:
                run.finish(exit_code=2)
    api = wandb.Api()
    moments = [run.created_at for run in api.runs("p")]

    def found(**filters: Any) -> str:
        listed = {key.replace("__", "."): item for key, item in filters.items()}
        return " ".join(run.id for run in api.runs("p", filters=listed))

    assert found(config__lr={"$gte": 0.2}) == "r2 r3"
    assert found(config__lr__value=0.1) == "r1"
    assert found(config__m__value=2) == found(config__m__value__value=2) == "r2"
    assert found(config__value=1) == found(config__value__value=1) == "r1"
    assert found(summary_metrics__acc={"$in": [0, 3]}) == "r0 r3"
    assert found(summary_metrics__n__x=2) == "r2"
    assert found(state="finished") == "r0 r1 r2"
    assert found(state={"$ne": "finished"}) == "r3"
    assert found(group="g") == "r1 r3"
    assert found(group=None) == found(group={"$exists": False}) == "r0 r2"
    assert found(tags="a") == "r1 r2"
    assert found(tags={"$all": ["a", "b"]}) == "r2"
    assert found(jobType="train") == "r0 r1 r2 r3"
    assert found(name="r1") == "r1"
    assert found(display_name={"$regex": "-[12]$"}) == "r0 r1"
    assert found(username="local") == found(user__username="local") == "r0 r1 r2 r3"
    assert found(created_at={"$gt": moments[1]}) == "r2 r3"
    assert found(createdAt={"$lte": moments[1]}) == "r0 r1"
    assert found(created_at={"$gt": "2100-01-01"}) == ""
    assert found(created_at={"$gt": "2001-01-01T00:00:00+02:00"}) == "r0 r1 r2 r3"
    assert found(exit_code=2) == "r3"
    assert found(nothing={"$exists": True}) == ""


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("-config.lr", "r1 r0 r2"),
        ("config.lr.value", "r2 r0 r1"),
        ("+summary_metrics.acc", "r2 r1 r0"),
        ("-created_at", "r2 r1 r0"),
        ("display_name", "r0 r1 r2"),
        ("", "r0 r1 r2"),
    ],
)
def test_orders(order: str, expected: str) -> None:
    for number, lr in enumerate([1, 10.5, None]):
        with init(id=f"r{number}", config={} if lr is None else {"lr": lr}, name=f"n{number}"):
            wandb.log({"acc": -number})

    assert " ".join(run.id for run in wandb.Api().runs("p", order=order)) == expected


def test_histories_of_all_runs() -> None:
    for number in range(2):
        with init(id=f"r{number}") as run:
            run.log({"a": number})
            run.log({"a": number + 10, "b": 1})
    runs = wandb.Api().runs("p")

    rows = runs.histories(keys=["a"])
    frame = runs.histories(format="pandas")

    assert [(row["run_id"], row["a"]) for row in rows] == [
        *(("r0", 0), ("r0", 10), ("r1", 1), ("r1", 11)),
    ]
    assert list(frame.columns) == sorted(frame.columns)
    assert frame["run_id"].tolist() == ["r0", "r0", "r1", "r1"]
    with pytest.raises(ValueError, match="format"):
        runs.histories(format="csv")
    assert isinstance(runs, Runs)
    runs.upgrade_to_full()


def test_history_takes_names_only_and_scans_begin_anew() -> None:
    with init(id="r") as run:
        for step in range(4):
            run.log({"a": step, "text": f"t{step}"} | ({"x": step * 2} if step % 2 else {}))
    found = wandb.Api().run("r")
    scan = found.scan_history(keys=["a"])

    assert next(scan) == {"a": 0}
    assert next(scan) == {"a": 1}
    assert len(list(scan)) == len(list(scan)) == 4
    assert list(found.beta_scan_history(keys=["x"])) == [{"x": 2}, {"x": 6}]
    assert found.history(keys=["a"], x_axis="x", pandas=False) == [
        {"x": 2, "a": 1},
        {"x": 6, "a": 3},
    ]
    wrong: tuple[Any, ...] = ("a", [1])
    for keys in wrong:
        with pytest.raises(ValueError, match="list of texts"):
            found.scan_history(keys=keys)
        assert found.history(keys=keys) == []
    with pytest.raises(wandb.CommError):
        found.history(stream="other")
    assert found.history_keys["lastStep"] == 3
    assert {
        key: item["typeCounts"][0]["count"] for key, item in found.historyKeys["keys"].items()
    } == {
        "a": 4,
        "text": 4,
        "x": 2,
    }


# -- what is created and changed -----------------------------------------------------------------


def test_a_run_is_created_gone_on_with_or_given_up() -> None:
    api = wandb.Api()
    run = api.create_run(run_id="made", project="q")
    assert (run.state, run.project, list(run.scan_history())) == ("running", "q", [])
    with pytest.raises(wandb.UsageError, match="exists"):
        api.create_run(run_id="made")
    with pytest.raises(wandb.UsageError, match="valid"):
        api.create_run(run_id="a:b")
    assert wandb.Api().create_run().project == "uncategorized"
    assert type(run).create(api, project="q").id != "made"

    with init(id="made", project="q", resume="must") as open_run:
        open_run.log({"a": 1})
        for state in ("failed", "pending"):
            with pytest.raises(wandb.Error):
                api.run("made").update_state(state)
    assert (api.run("made").state, api.run("made").lastHistoryStep) == ("finished", 0)
    with pytest.raises(wandb.Error, match="finished"):
        api.run("made").update_state("failed")

    lost = api.create_run(project="q")
    assert lost.update_state("failed")
    assert lost.state == api.run(lost.id).state == "failed"


def test_a_project_is_there_before_its_runs() -> None:
    api = wandb.Api()
    api.create_project("empty")
    api.create_project("empty")
    with init(project="b"):
        pass
    api.create_project("b")

    assert [project.name for project in api.projects()] == ["b", "empty"]
    assert api.project("empty").path == ["local", "empty"]
    assert len(api.runs("empty")) == 0
    assert api.from_path("empty").name == api.from_path("local/empty").name == "empty"
    run_id = api.runs("b")[0].id
    assert api.from_path(f"local/b/{run_id}").id == api.from_path(f"local/b/runs/{run_id}").id
    with pytest.raises(wandb.Error, match="is none of"):
        api.from_path("a/b/c/d/e")
    for path in ("local/b/reports/x--1",):
        with pytest.raises(NotImplementedError):
            api.from_path(path)
    with pytest.raises(wandb.UsageError):
        api.create_project("a/b")


def test_people_are_workspaces() -> None:
    with init(entity="team"):
        pass
    api = wandb.Api()

    assert [user.username for user in [api.user("team")] if user] == ["team"]
    assert [user.name for user in api.users("local")] == ["local"]
    assert api.user("nobody") is None
    assert [member.name for member in api.team("team").members] == ["team"]
    assert api.user_agent.endswith(wandb.__version__)


def test_a_file_is_put_into_a_run_that_has_ended(tmp_path: Path) -> None:
    with init(id="r"):
        pass
    source = tmp_path / "out" / "result.txt"
    source.parent.mkdir()
    source.write_text("result")
    found = wandb.Api().run("r")

    file = found.upload_file(source, root=tmp_path)
    above = found.upload_file(source, root=tmp_path / "out" / "deeper")

    assert (file.name, above.name) == ("out/result.txt", "__/result.txt")
    assert file.md5 == "tKiSkYzo0eMEI8Hhc2GTyg==" or len(file.md5) == 24
    assert [found.name for found in found.files(pattern="OUT/%.t_t")] == ["out/result.txt"]
    with pytest.raises(ValueError, match="not both"):
        found.files(names=["a"], pattern="b")
    with pytest.raises(wandb.CommError, match="nothing"):
        found.upload_file(tmp_path / "nothing")


def test_waiting_for_a_run_ends_with_it() -> None:
    run = init(id="r")
    found = wandb.Api().run("r")
    waiting = threading.Thread(target=found.wait_until_finished)
    waiting.start()
    run.finish(exit_code=1)
    waiting.join(60)

    assert not waiting.is_alive()
    assert found.state == "failed"
    assert found.load_full_data()["exit_code"] == 1
    found.delete()
    with pytest.raises(wandb.CommError):
        found.wait_until_finished()


def test_runs_show_themselves_in_html() -> None:
    with init(id="r", config={"<b>": "<script>"}, name="<i>") as run:
        run.log({"loss": 0.5})
        texts = [run.to_html(), wandb.Api().run("r").to_html(height=100, hidden=True)]
        assert not run.display()
        status = run.status()
        assert status.sync_items_total is not None
        assert status.sync_items_total >= 1

    for text in texts:
        assert "&lt;script&gt;" in text
        assert "<script>" not in text
        assert "loss" in text
    assert "max-height:100px" in texts[1]
    assert " open" in texts[0]
    assert " open" not in texts[1]
    assert not wandb.Api().run("r").display()


def test_what_is_not_supported_says_so() -> None:
    with init(id="r"):
        pass
    found = wandb.Api().run("r")

    with pytest.raises(NotImplementedError, match=r"compat\.md"):
        found.stop()
    assert not hasattr(wandb.Api(), "reports")
    with pytest.raises(NotImplementedError, match=r"compat\.md"):
        _ = wandb.Api().reports
    assert (found.createdAt, found.commit, found.description) == (
        *(found.created_at, found.commit, found.notes),
    )
    assert found.heartbeatAt >= found.created_at
    assert found.snake_to_camel("created_at") == "createdAt"
    assert not found.read_only
