"""What a page does with runs of a store on this machine, one by one and many at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import quark
from quark.dashboard.asked import Asked
from quark.dashboard.place import Place
from quark.dashboard.views import actions
from quark.errors import InvalidRunStateError, RunNotFoundError, SchemaValidationError
from quark.storage.embedded import EmbeddedStore
from quark.storage.run_edit import ARCHIVED_TAG
from quark.storage.stop_requests import find_stop_request
from tests.storage.building import batch, run_record


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    store = EmbeddedStore(tmp_path / ".quark")
    for number in range(3):
        store.append(batch(1, 1, run_record(), run_id=f"run-{number}"))
    yield Place(
        store=store,
        workspace="local",
        storage_dir="",
        user="you",
        may_write=True,
        kind="local",
    )
    store.close()


def act(place: Place, run_id: str, action: Any, **more: Any) -> dict[str, Any]:
    return actions.act(place, Asked({"run_id": run_id}, [], {"action": action, **more}))


def may(place: Place, run_id: str) -> dict[str, Any]:
    return actions.possible(place, Asked({"run_id": run_id}))


def test_words_and_tags_are_changed_once_and_kept_as_they_are_written(place: Place) -> None:
    hostile = "<img src=x onerror=alert(1)> \u202e {0} %s \N{PILE OF POO}"
    assert act(place, "run-0", "rename", name=hostile)["run"]["name"] == hostile
    assert act(place, "run-0", "note", notes="one\ntwo")["run"]["notes"] == "one\ntwo"
    assert act(place, "run-0", "note", notes="  ")["run"]["notes"] is None
    assert act(place, "run-0", "group", group="sweep 1")["run"]["group"] == "sweep 1"
    assert act(place, "run-0", "tag", tags=["b", "a", "b"])["run"]["tags"] == ["b", "a"]
    assert act(place, "run-0", "untag", tags=["b", "never there"])["run"]["tags"] == ["a"]
    again = act(place, "run-0", "untag", tags=["b"])
    assert (again["changed"], again["run"]["tags"]) == (False, ["a"])
    assert not act(place, "run-0", "rename", name=hostile)["changed"]
    reread = EmbeddedStore(place.store.run_dir("run-0").parents[1])  # type: ignore[union-attr]
    assert reread.records.get_run("run-0").name == hostile
    reread.close()


def test_archiving_is_a_tag_that_everybody_can_see(place: Place) -> None:
    assert "archive" in may(place, "run-0")["actions"]
    act(place, "run-0", "archive")

    assert place.store.records.get_run("run-0").tags == (ARCHIVED_TAG,)
    state = may(place, "run-0")
    assert state["archived"]
    assert "unarchive" in state["actions"]
    assert "archive" not in state["actions"]
    act(place, "run-0", "unarchive")
    assert place.store.records.get_run("run-0").tags == ()


def test_several_pages_at_once_lose_no_tag(place: Place) -> None:
    barrier = threading.Barrier(8)

    def tag(number: int) -> None:
        barrier.wait()
        act(place, "run-0", "tag", tags=[f"tag-{number}"])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(tag, range(8)))

    found = place.store.records.get_run("run-0").tags
    assert sorted(found) == [f"tag-{number}" for number in range(8)]


def test_a_training_that_goes_on_is_asked_to_stop_and_not_removed(tmp_path: Path) -> None:
    session = quark.start_run(project="vision", storage_dir=tmp_path)
    store = EmbeddedStore(tmp_path / ".quark")
    place = Place(
        store=store, workspace="local", storage_dir="", user="you", may_write=True, kind="local"
    )
    run_id = session.run_id
    try:
        state = may(place, run_id)
        assert (state["written"], state["stop"]) == (True, None)
        assert {"delete", "finish"}.isdisjoint(state["actions"])
        with pytest.raises(InvalidRunStateError, match="is running"):
            act(place, run_id, "delete")
        with pytest.raises(InvalidRunStateError, match="still trains"):
            act(place, run_id, "finish")
        with pytest.raises(InvalidRunStateError, match="nobody asked"):
            act(place, run_id, "resume")

        assert act(place, run_id, "stop", reason="flat")["changed"]
        assert not act(place, run_id, "stop", reason="again")["changed"]
        assert may(place, run_id)["stop"]["reason"] == "flat"
        assert "resume" in may(place, run_id)["actions"]
        assert act(place, run_id, "resume")["changed"]
        assert find_stop_request(store.documents, run_id) is None
        act(place, run_id, "rename", name="changed meanwhile")
    finally:
        quark.end_run(session)
    run = store.records.get_run(run_id)
    assert (run.status, run.name) == ("completed", "changed meanwhile")
    with pytest.raises(InvalidRunStateError, match="final"):
        act(place, run_id, "resume")
    assert "delete" in may(place, run_id)["actions"]
    act(place, run_id, "delete")
    with pytest.raises(RunNotFoundError):
        store.records.get_run(run_id)
    store.close()


def test_a_run_whose_process_died_can_be_ended_and_says_how_it_goes_on(place: Place) -> None:
    assert may(place, "run-0")["written"] is False
    assert "no process of this machine" in act(place, "run-0", "stop")["message"]

    ended = act(place, "run-0", "finish", status="interrupted")
    assert ended["run"]["status"] == "interrupted"
    assert ended["run"]["ended_at"]
    assert find_stop_request(place.store.documents, "run-0") is None
    assert not act(place, "run-0", "finish", status="interrupted")["changed"]
    going_on = act(place, "run-0", "resume")
    assert going_on["command"] == "quark run resume run-0"
    assert going_on["run"]["status"] == "interrupted"  # nothing is started from a page
    with pytest.raises(InvalidRunStateError):
        act(place, "run-0", "stop")


def test_many_runs_at_once_fail_alone(place: Place) -> None:
    asked = Asked({}, [], {"action": "tag", "tags": ["x"], "run_ids": ["run-0", "?", "run-2"]})

    answer = actions.act_on_many(place, asked)

    assert (answer["changed"], answer["failed"]) == (2, 1)
    assert "There is no run '?'" in answer["results"][1]["error"]
    assert place.store.records.get_run("run-1").tags == ()
    gone = actions.act_on_many(
        place, Asked({}, [], {"action": "delete", "run_ids": ["run-0", "run-1", "run-0"]})
    )
    assert [one["run_id"] for one in gone["results"]] == ["run-0", "run-1"]
    assert [run.id for run in place.store.records.list_runs()] == ["run-2"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "action 'None' is not known"),
        ({"action": "__class__"}, "must be one of tag"),
        ({"action": ["tag"]}, "is not known"),
        ({"action": "tag"}, "tags must be a list"),
        ({"action": "tag", "tags": []}, "tags must be a list"),
        ({"action": "tag", "tags": [1]}, "tags must be a list"),
        ({"action": "tag", "tags": ["x"] * 101}, "1 to 100"),
        ({"action": "tag", "tags": ["x" * 257]}, "Tag"),
        ({"action": "tag", "tags": ["  "]}, "blank"),
        ({"action": "rename", "name": 3}, "must be a text"),
        ({"action": "rename", "name": "x" * 513}, "513 characters"),
        ({"action": "note", "notes": "x" * 65_537}, "65537 characters"),
        ({"action": "finish", "status": "running"}, "no end of a run"),
        ({"action": "finish", "status": 3}, "no end of a run"),
    ],
)
def test_what_is_not_meant_is_refused_and_changes_nothing(
    place: Place, body: dict[str, Any], said: str
) -> None:
    before = place.store.records.get_run("run-0")
    with pytest.raises(SchemaValidationError, match=said):
        actions.act(place, Asked({"run_id": "run-0"}, [], body))
    with pytest.raises(SchemaValidationError):
        actions.act_on_many(place, Asked({}, [], {**body, "run_ids": ["run-0"] * 501}))
    assert place.store.records.get_run("run-0") == before


def test_the_command_that_goes_on_is_safe_to_paste(place: Place) -> None:
    odd = "a b'; rm -rf ~"
    place.store.append(batch(1, 1, run_record(), run_id=odd))
    act(place, odd, "finish")

    assert act(place, odd, "resume")["command"] == "quark run resume 'a b'\\''; rm -rf ~'"
