"""One run: its row, its keys, where it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quark import jsonio
from quark.dashboard.local import LocalDesk, local_app
from quark.dashboard.views.shortened import shortened
from quark.errors import RunNotFoundError
from quark.storage.embedded import EmbeddedStore
from quark.storage.model import EncodedRecord, PointBlock
from tests.dashboard.asking import ask
from tests.storage.building import batch, create_run, log, losses, record
from tests.support.asgi import InProcess

RUN = {"run_id": "run-1"}
HISTOGRAM = {"_type": "histogram", "values": [1, 2], "bins": [0, 1, 2]}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore(tmp_path / ".quark")
    create_run(
        store,
        name="<b>best</b>",
        config={"lr": 0.1, "files": [f"file {number}" for number in range(2000)]},
        summary={"loss": 0.5, "weights": HISTOGRAM},
    )
    yield store
    store.close()


def test_the_overview_tells_how_a_run_does_and_leaves_long_values_out(store: EmbeddedStore) -> None:
    words: dict[str, Any] = {"category": "optimization", "summary": "s"}
    alert: dict[str, Any] = {
        "rule_id": "r",
        "title": "t",
        "fact": "f",
        "inference": "i",
        "severity": "error",
        **words,
    }
    score: dict[str, Any] = {"status": "watch", **words}
    store.append(
        batch(
            1,
            4,
            record(1, "alert", **alert),
            record(2, "alert", **alert),
            record(3, "health_score", score_key="overall", score=61.5, **score),
            record(4, "health_score", score_key="optimization", score=20.0, **score),
        )
    )

    found = ask(store, "/runs/{run_id}", RUN)

    assert found["run"]["name"] == "<b>best</b>"
    assert found["run"]["config"] == {"lr": 0.1, "files": {"_shortened": "a list of 2000 values"}}
    assert found["run"]["summary"]["weights"] == {
        "_type": "histogram",
        "_shortened": "a histogram",
    }
    assert found["alerts"] == {"error": 2}
    assert (found["health"]["score"], found["health"]["status"]) == (61.5, "watch")
    assert [(one["key"], one["score"]) for one in found["health"]["parts"]] == [
        ("optimization", 20.0)
    ]
    assert found["counts"]["health_score"] == 2
    whole = ask(store, "/runs/{run_id}/value", RUN, part="summary", name="weights")
    assert whole == {"value": HISTOGRAM}


def test_a_run_that_was_never_judged_has_no_health(store: EmbeddedStore) -> None:
    found = ask(store, "/runs/{run_id}", RUN)

    assert (found["health"], found["alerts"]) == (None, {})


def test_the_pulse_changes_with_every_kind_of_news_and_else_stays(store: EmbeddedStore) -> None:
    news: tuple[PointBlock | EncodedRecord, ...] = (
        losses(1, [1.0]),
        record(1, "event"),
        record(1, "run_update", changes={"status": "failed"}, time_us=2 * 10**15),
    )
    seen = [ask(store, "/runs/{run_id}/pulse", RUN)["revision"]]
    for number, one in enumerate(news):
        store.append(batch(1, 1, one, writer_id=f"w{number}"))
        seen.append(ask(store, "/runs/{run_id}/pulse", RUN)["revision"])

    assert len(set(seen)) == 4
    pulse = ask(store, "/runs/{run_id}/pulse", RUN)
    assert (pulse["revision"], pulse["status"]) == (seen[-1], "failed")


def test_keys_say_along_what_they_were_defined(store: EmbeddedStore) -> None:
    for number, key in enumerate(("epoch", "val/loss", "val/top", "train/loss", "secret")):
        log(store, losses(1, [1.0], key=key), writer_id=f"w{number}")
    store.append(
        batch(
            1,
            5,
            record(1, "metric_definition", name="val/top", step_metric="seen"),
            record(2, "metric_definition", name="val/*", step_metric="epoch"),
            record(3, "metric_definition", name="val/top", summary=["max"]),
            record(4, "metric_definition", name="secret", hidden=True),
            record(5, "metric_definition", name="epoch", step_metric="epoch"),
            writer_id="definitions",
        )
    )

    found = ask(store, "/runs/{run_id}/keys", RUN)

    by_key = {one["key"]: one for one in found["keys"]}
    assert list(by_key) == ["epoch", "val/loss", "val/top", "train/loss", "secret"]
    assert {key: one["x"] for key, one in by_key.items()} == {
        "epoch": None,
        "val/loss": "epoch",
        "val/top": "seen",
        "train/loss": None,
        "secret": None,
    }
    assert [key for key, one in by_key.items() if one["hidden"]] == ["secret"]
    assert found["roles"]["train/loss"] == "train_loss"
    assert found["has_epochs"] is True


def test_the_folder_tells_where_a_run_comes_from_and_follows_no_link(store: EmbeddedStore) -> None:
    folder = store.run_dir("run-1")
    assert folder is not None
    # A service has a folder for a run that was sent to it, with nothing of the training's own.
    assert folder.is_dir()
    assert ask(store, "/runs/{run_id}/about", RUN)["has_folder"] is False
    (folder / "files" / "deep").mkdir(parents=True)
    (folder / "files" / "deep" / "model.pt").write_bytes(b"12345")
    (folder / "files" / "stolen").symlink_to("/etc/passwd")
    (folder / "run_metadata.json").write_bytes(jsonio.dumps({"git_sha": "abc"}))
    (folder / "runtime_env.json").write_text("{torn")

    found = ask(store, "/runs/{run_id}/about", RUN)

    assert found == {
        "has_folder": True,
        "metadata": {"git_sha": "abc"},
        "runtime": {},
        "files": [{"name": "deep/model.pt", "size_bytes": 5}],
        "more_files": 0,
    }


@pytest.mark.parametrize(
    "path",
    ["", "/pulse", "/keys", "/marks", "/about", "/value", "/system", "/logs", "/events", "/event"],
)
def test_an_unknown_run_is_said_to_be_unknown(store: EmbeddedStore, path: str) -> None:
    with pytest.raises(RunNotFoundError, match="nobody"):
        ask(store, "/runs/{run_id}" + path, {"run_id": "nobody"})


def test_over_http_the_views_need_the_word_and_say_what_is_wrong(store: EmbeddedStore) -> None:
    log(store, losses(1, [1.0, float("nan")]))
    app: Any = local_app(LocalDesk(store, port=1, token="word"))
    known = {"Cookie": "quark_ui_1=word", "Host": "127.0.0.1"}
    with InProcess(app) as client:
        stranger = client.request("GET", "/ui/api/runs/run-1/logs", headers={"Host": "127.0.0.1"})
        good, wrong, missing = (
            client.request("GET", f"/ui/api/{path}", headers=known)
            for path in (
                "charts?run=run-1&key=loss",
                "charts?run=run-1&key=loss&buckets=0",
                "runs/nobody/system",
            )
        )

    assert stranger.status_code == 401
    assert good.json()["series"][0]["mean"] == [1.0, None]
    assert good.headers["Cache-Control"] == "no-store"
    assert wrong.status_code in (400, 422)
    assert "buckets 0 is not valid" in wrong.json()["error"]["message"]
    assert missing.status_code == 404


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(3, 3, id="number"),
        pytest.param("a" * 3000, "a" * 2000 + "…", id="long text"),
        pytest.param(
            {"a": [1] * 5000}, {"a": {"_shortened": "a list of 5000 values"}}, id="inside"
        ),
        pytest.param(
            {"_type": "table-file", "data": ["x"] * 5000},
            {"_type": "table-file", "_shortened": "table-file"},
            id="media",
        ),
        pytest.param(
            {f"key {n}": "v" * 100 for n in range(2000)}, {"_shortened": "2000 values"}, id="many"
        ),
    ],
)
def test_long_values_are_named_instead_of_sent(value: object, expected: object) -> None:
    assert shortened(value) == expected
