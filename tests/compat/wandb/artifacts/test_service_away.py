"""Artifacts that are logged while their service is away: they rest here, and arrive once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import quark
import quark.compat.wandb as wandb
from quark import MetricsLogger, TrainingSession
from quark.catalog import lineage
from quark.catalog.model import CollectionKey, RunRef
from quark.catalog.reading import find_collection, get_version, list_versions, read_manifest
from quark.catalog.removal import delete_collection
from quark.compat.wandb.artifacts.exceptions import WaitTimeoutError
from quark.records import EventRecord
from quark.storage.protocols import Store
from tests.support.over_service import ServicePlace
from tests.support.proxy import Link, Proxy

CUT = Link(accepts=False)
SILENT = Link(forwards_requests=False, forwards_responses=False)
KEY = CollectionKey("local", "p", "ds")


@pytest.fixture
def proxy(place: ServicePlace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """The way to the service that runs take."""
    with Proxy(place.port) as proxy:
        monkeypatch.setenv("QUARK_PERSISTENCE_URL", place.url_by_way_of(proxy.url))
        monkeypatch.setenv("QUARK_USER_KEY", place.key)
        monkeypatch.setenv("QUARK_PERSISTENCE_TIMEOUT_SECONDS", "10")
        config = Path(os.environ["XDG_CONFIG_HOME"]) / "quark" / "config.toml"
        config.parent.mkdir(parents=True)
        config.write_text("finish_timeout_seconds = 3.0\n")
        yield proxy


@pytest.fixture
def store(place: ServicePlace) -> Iterator[Store]:
    """What the service has."""
    store = place.store()
    yield store
    store.close()


def go_away(proxy: Proxy) -> None:
    proxy.link = CUT
    proxy.cut()


def dataset(text: str, name: str = "ds", type: str = "dataset") -> Any:
    artifact = wandb.Artifact(name, type)
    with artifact.new_file("text.txt") as file:
        file.write(text)
    return artifact


def texts(store: Store, key: CollectionKey = KEY) -> list[str]:
    """Return what the versions of a collection hold, oldest first."""
    if find_collection(store, key) is None:
        return []
    found = []
    for version in list_versions(store, key):
        (entry,) = read_manifest(store, version).entries.values()
        assert entry.sha256 is not None
        with store.blobs.open(entry.sha256) as file:
            found.append(file.read().decode())
    return found


def told(store: Store, run_id: str) -> list[str]:
    """Return what the run's records say that it logged, or used."""
    events = store.records.read(EventRecord, run_id)
    return sorted(
        f"{event.event_type} {event.payload['artifact']}"
        for event in events
        if event.event_type in ("artifact_logged", "artifact_used")
    )


def logged(store: Store, run_id: str) -> list[str]:
    run = RunRef(run_id, "p", "local")
    return [version.name for version in lineage.versions_of(store, run, lineage.OUTPUT)]


def resting(folder: Path) -> list[Path]:
    return sorted((folder / ".quark" / "drafts").glob("*.json"))


def wait_until(condition: Callable[[], object], seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        pause.wait(0.02)


def test_what_is_logged_while_the_service_is_away_waits_and_is_delivered_by_the_run_itself(
    proxy: Proxy, store: Store, tmp_path: Path
) -> None:
    run = wandb.init(project="p", id="one")
    run.log_artifact(dataset("0")).wait()
    go_away(proxy)
    slowest = 0.0
    for number in range(1, 4):
        artifact = dataset(str(number))
        begun = time.monotonic()
        run.log_artifact(artifact, aliases=[f"a{number}"])
        slowest = max(slowest, time.monotonic() - begun)
    run.log_artifact(artifact, aliases=["again"], tags=["checked"])
    table = wandb.Table(columns=["a"], data=[[1]])
    run.log({"table": table})
    with pytest.raises(WaitTimeoutError, match=r"cannot be reached.*\.quark/drafts/") as caught:
        artifact.wait(0.3)
    assert str(resting(tmp_path)[2]) in str(caught.value)
    assert slowest < 2.0
    assert artifact.is_draft()
    proxy.link = Link()
    assert artifact.wait(60).version == "v3"
    assert artifact.logged_by().id == "one"
    run.finish()

    assert texts(store) == ["0", "1", "2", "3"]
    assert get_version(store, KEY, "a2").index == 2
    assert get_version(store, KEY, "again") == get_version(store, KEY, "a3")
    assert get_version(store, KEY, "again").tags == ("checked",)
    assert told(store, "one") == [
        *(f"artifact_logged local/p/ds:v{number}" for number in (0, 1, 2, 3, 3)),
        "artifact_logged local/p/run-one-table:v0",
    ]
    assert logged(store, "one") == ["ds:v0", "ds:v1", "ds:v2", "ds:v3", "run-one-table:v0"]
    assert not (tmp_path / ".quark" / "drafts").exists()
    assert not (tmp_path / ".quark" / "outbox").exists()


@pytest.mark.parametrize("link", [CUT, SILENT], ids=["refused", "silent"])
def test_a_run_ends_in_time_and_the_next_one_delivers(
    proxy: Proxy,
    store: Store,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    link: Link,
) -> None:
    if link is SILENT:
        monkeypatch.setenv("QUARK_PERSISTENCE_TIMEOUT_SECONDS", "2")
    run = wandb.init(project="p", id="one")
    artifact = run.log_artifact(dataset("0"))
    assert artifact.wait().version == "v0"
    later = dataset("1")
    proxy.link = link
    if link is CUT:
        proxy.cut()
    run.log_artifact(later)
    begun = time.monotonic()
    returned = run.link_artifact(later, "registry/found", aliases=["best"])
    assert returned.is_draft()
    run.finish()
    took_seconds = time.monotonic() - begun

    assert took_seconds < 45  # finish_timeout_seconds is 3, and silent requests wait for 2
    said = capsys.readouterr().err
    assert "2 artifacts" in said
    assert str(tmp_path / ".quark" / "drafts") in said
    assert len(resting(tmp_path)) == 2
    assert texts(store) == ["0"]
    proxy.link = CUT
    proxy.cut()
    proxy.link = Link()
    with TrainingSession.start_run(project="other") as session, MetricsLogger(session) as metrics:
        metrics.log("loss", 1.0, step=0)
        wait_until(lambda: not resting(tmp_path))

    assert texts(store) == ["0", "1"]
    assert told(store, "one") == [
        "artifact_logged local/p/ds:v0",
        "artifact_logged local/p/ds:v1",
    ]
    assert logged(store, "one") == ["ds:v0", "ds:v1"]
    linked = get_version(store, CollectionKey("local", "registry", "found"), "best")
    assert (linked.source, linked.source_index) == (KEY, 1)


def test_a_lost_answer_makes_no_second_version(proxy: Proxy, store: Store, tmp_path: Path) -> None:
    with wandb.init(project="p", id="one") as run:
        run.log_artifact(dataset("0")).wait()
        for number in range(1, 6):  # each lets some more of the answers through
            proxy.link = Link(cut_after_response_bytes=900 * number, cuts=2 * number)
            artifact = run.log_artifact(dataset(str(number)))
            run.log_artifact(dataset(str(number), name="other"))
            artifact.wait(60)
        proxy.link = Link()
    assert proxy.traffic.cut > 5

    numbers = [str(number) for number in range(6)]
    assert texts(store) == numbers
    assert texts(store, KEY._replace(name="other")) == numbers[1:]
    assert told(store, "one") == sorted(
        [f"artifact_logged local/p/ds:v{number}" for number in range(6)]
        + [f"artifact_logged local/p/other:v{number}" for number in range(5)]
    )
    assert not resting(tmp_path)


def test_offline_nothing_is_sent_before_a_sync(
    proxy: Proxy, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with wandb.init(project="p", id="one", mode="offline") as run:
        first = run.log_artifact(dataset("0"))
        run.log_artifact(dataset("1"))
        run.link_artifact(first, "found")
        with pytest.raises(WaitTimeoutError, match="quark sync"):
            first.wait()
    assert proxy.traffic.connections == 0
    assert len(resting(tmp_path)) == 3

    result = quark.sync(tmp_path)

    assert (result.waiting, result.artifact_count, result.refused_count) == ((), 3, 0)
    assert quark.sync(tmp_path).artifact_count == 0
    assert texts(store) == ["0", "1"]
    assert told(store, "one") == [
        "artifact_logged local/p/ds:v0",
        "artifact_logged local/p/ds:v1",
    ]
    assert get_version(store, CollectionKey("local", "p", "found")).source_index == 0
    assert not (tmp_path / ".quark" / "drafts").exists()


def test_what_is_refused_for_good_is_set_aside_told_once_and_holds_up_nothing(
    proxy: Proxy, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with wandb.init(project="p", id="one") as run:
        run.log_artifact(dataset("0")).wait()
        bad = run.log_artifact(dataset("1", type="model"))
        good = run.log_artifact(dataset("2"))
        assert good.wait().version == "v1"
        with pytest.raises(ValueError, match="exists with type 'dataset'"):
            bad.wait()
        with pytest.raises(ValueError, match="exists with type 'dataset'"):
            run.use_artifact(bad)
    with wandb.init(project="p", id="two") as run:
        run.log_artifact(dataset("3")).wait()

    said = capsys.readouterr().err
    assert said.count("the artifact ds was refused and set aside: ") == 1
    aside = list((tmp_path / ".quark" / "drafts" / "quarantine").glob("*.json"))
    assert len(aside) == 1
    assert str(aside[0]) in said
    assert texts(store) == ["0", "2", "3"]
    again = quark.sync(tmp_path, quarantined=True)
    assert (again.refused_count, again.artifact_count) == (1, 0)
    assert "exists with type" in again.waiting[0]
    delete_collection(store, KEY)
    assert quark.sync(tmp_path).artifact_count == 0, "it is not tried again unless that is asked"
    assert quark.sync(tmp_path, quarantined=True).artifact_count == 1
    assert texts(store) == ["1"]
    assert not (tmp_path / ".quark" / "drafts").exists()


def test_a_draft_goes_to_no_other_service_by_itself(
    proxy: Proxy, place: ServicePlace, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with wandb.init(project="p", id="one") as run:
        go_away(proxy)
        run.log_artifact(dataset("0"))
    monkeypatch.setenv("QUARK_PERSISTENCE_URL", place.url)  # another way to the same service
    with TrainingSession.start_run(project="other"):
        pass
    assert len(resting(tmp_path)) == 1
    left = quark.sync(tmp_path)
    assert any("was logged for" in reason for reason in left.waiting)
    assert texts(store) == []

    assert quark.sync(tmp_path, url=place.url).artifact_count == 1
    assert texts(store) == ["0"]


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.compat.wandb.artifacts.children", *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.PIPE, text=True
    )


def test_what_a_killed_process_logged_is_delivered_once_by_two_at_the_same_time(
    proxy: Proxy, store: Store, tmp_path: Path
) -> None:
    child = start("log_for_a_service", "killed", "8")
    assert child.stdout is not None
    assert child.stdin is not None
    assert child.stdout.readline() == "open\n", child.wait(60)
    go_away(proxy)
    child.stdin.write("\n")
    child.stdin.flush()
    assert child.stdout.readline() == "logged\n"
    wait_until(lambda: len(resting(tmp_path)) == 8)
    child.send_signal(signal.SIGKILL)
    child.wait(60)
    child.stdin.close()
    child.stdout.close()
    proxy.link = Link()

    others = [start("sync_here") for _ in range(3)]
    counts = []
    for other in others:
        said, _ = other.communicate(timeout=60)
        assert other.returncode == 0, said
        counts.append(int(said))
    assert sum(counts) == 8, counts
    assert texts(store) == [f"killed {number}" for number in range(8)]
    assert len(told(store, "killed")) == 8
    assert store.records.get_run("killed").end_reason == "process_lost"
    assert not resting(tmp_path)


def test_whole_local_runs_come_to_a_service_with_their_artifacts_and_once(
    place: ServicePlace, store: Store, tmp_path: Path
) -> None:
    with wandb.init(project="p", id="first") as run:
        for number in range(3):
            run.log_artifact(dataset(str(number)), aliases=[f"a{number}"])
        made = run.log_artifact(dataset("m", name="net", type="model"))
        run.link_artifact(made, "registry/net", aliases=["best"])
    created_at = made.created_at
    with wandb.init(project="p", id="second") as run:
        run.use_artifact("ds:v1")
    with wandb.init(project="p", id="third") as run:
        run.log_artifact(dataset("not this one"))

    for _ in range(2):
        runs = ["second", "first"]
        result = quark.sync(tmp_path, runs=runs, url=place.url, user_key=place.key)
        assert (result.waiting, result.artifact_count) == ((), 4)
        assert texts(store) == ["0", "1", "2"]
        assert texts(store, KEY._replace(name="net")) == ["m"]
        assert logged(store, "first") == ["ds:v0", "ds:v1", "ds:v2", "net:v0"]
        used = lineage.versions_of(store, RunRef("second", "p", "local"), lineage.INPUT)
        assert [version.name for version in used] == ["ds:v1"]
        linked = get_version(store, CollectionKey("local", "registry", "net"), "best")
        assert (linked.source.name, linked.created_at) == ("net", created_at)
        assert get_version(store, KEY, "a2") == get_version(store, KEY, "latest")
    assert quark.sync(tmp_path, runs="all", url=place.url, user_key=place.key).artifact_count == 5
    assert texts(store) == ["0", "1", "2", "not this one"]
