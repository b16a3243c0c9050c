"""Requests that wait for changes: woken, answered once for all, and gone without a trace."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from quark import jsonio
from quark.clock import SYSTEM_CLOCK
from quark.errors import RunNotFoundError
from quark.service.app import create_app
from quark.service.config import ServiceConfig
from quark.service.ingest import RunPlace
from quark.service.live_waiting import EVERY_RUN, LiveWaiting
from tests.storage.building import batch, create_run, losses, record
from tests.support.service import RunningService, running_service, service_config

RUN = RunPlace("team", "", "run-1")


class Asker:
    """What a request is to those who wait with it."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self._asked = False

    async def receive(self) -> dict[str, str]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request"}
        await self.gone.wait()
        return {"type": "http.disconnect"}


class Told:
    """Something that can be read, and how often it was."""

    def __init__(self) -> None:
        self.word = ""
        self.readings = 0
        self.looks = 0

    def read(self) -> str:
        self.readings += 1
        return self.word

    def look(self) -> bool:
        self.looks += 1
        return bool(self.word)

    def ask(
        self,
        waiting: LiveWaiting,
        asker: Asker | None = None,
        *,
        place: RunPlace = RUN,
        wait_seconds: float = 30,
    ) -> asyncio.Task[str]:
        """Begin to wait for a word."""
        return asyncio.ensure_future(
            waiting.answer(
                asker or Asker(),  # type: ignore[arg-type]
                place=place,
                key="key",
                read=self.read,
                is_empty=lambda word: not word,
                has_changed=self.look,
                wait_seconds=wait_seconds,
            )
        )


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


def test_thousands_wait_without_threads_and_are_given_what_is_read_once() -> None:
    async def run() -> None:
        waiting, told = LiveWaiting(SYSTEM_CLOCK, look_seconds=60), Told()
        asked = [told.ask(waiting) for _ in range(2000)]
        await until(lambda: waiting.waiting == 2000 and told.readings == 1)
        readings = told.readings
        threads = threading.active_count()
        told.word = "news"
        threading.Thread(target=waiting.touched, args=(RUN,)).start()
        words = await asyncio.gather(*asked)

        assert set(words) == {"news"}
        assert readings == 1
        assert told.readings < 10, "those who come late, on a slow machine, read it once more"
        assert threads < 50
        assert waiting.waiting == 0

    asyncio.run(run())


@pytest.mark.parametrize("place", [RUN, RUN._replace(run_id=EVERY_RUN)])
def test_what_others_store_is_noticed_by_looking_and_other_runs_wake_nobody(
    place: RunPlace,
) -> None:
    async def run() -> None:
        waiting, told = LiveWaiting(SYSTEM_CLOCK, look_seconds=0.01), Told()
        asked = told.ask(waiting, place=place)
        await until(lambda: told.looks > 3)
        waiting.touched(RunPlace("team", "else", "run-1"))
        await until(lambda: told.looks > 5)
        assert told.readings == 1

        told.word = "news"

        assert await asked == "news"

    asyncio.run(run())


def test_who_has_gone_and_whose_time_is_over_leaves_nothing_behind() -> None:
    async def run() -> None:
        waiting, told, asker = LiveWaiting(SYSTEM_CLOCK, look_seconds=60), Told(), Asker()
        going = told.ask(waiting, asker)
        await until(lambda: waiting.waiting == 1)
        asker.gone.set()
        assert await going == ""

        cancelled = told.ask(waiting)
        await until(lambda: waiting.waiting == 1)
        cancelled.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await cancelled

        assert await told.ask(waiting, wait_seconds=0.02) == ""
        assert await told.ask(waiting, wait_seconds=0) == ""
        assert waiting.waiting == 0
        await until(lambda: len(asyncio.all_tasks()) == 1)

    asyncio.run(run())


def test_who_waits_when_the_service_stops_is_answered_and_nobody_waits_any_more() -> None:
    async def run() -> None:
        waiting, told = LiveWaiting(SYSTEM_CLOCK, look_seconds=60), Told()
        asked = [told.ask(waiting) for _ in range(3)]
        await until(lambda: waiting.waiting == 3)

        waiting.end()

        assert await asyncio.gather(*asked) == ["", "", ""]
        assert await told.ask(waiting) == ""

    asyncio.run(run())


def test_a_run_that_goes_while_it_is_waited_for_is_told_of() -> None:
    async def run() -> None:
        waiting, told = LiveWaiting(SYSTEM_CLOCK, look_seconds=0.01), Told()
        gone = threading.Event()

        def read() -> str:
            if gone.is_set():
                raise RunNotFoundError("gone")
            return ""

        told.read, told.look = read, lambda: bool(read())  # type: ignore[method-assign]
        asked = told.ask(waiting)
        await until(lambda: waiting.waiting == 1)
        gone.set()
        with pytest.raises(RunNotFoundError):
            await asked

    asyncio.run(run())


# -- over HTTP -----------------------------------------------------------------------------------


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    with running_service(service_config(tmp_path / "root")) as service:
        yield service


class Follower:
    """Follows a run until it has ended, on a thread of its own."""

    def __init__(self, service: RunningService, path: str, **query: Any) -> None:
        self.url = f"{service.url}/api/v1/workspaces/-/{path}"
        self.headers = {
            "Authorization": f"Bearer {service.key}",
            "Quark-Storage-Dir": "live",
        }
        self.query = query
        self.after: str | None = None

    def ask(self, wait_seconds: float = 0) -> Any:
        query = {**self.query, "wait_seconds": wait_seconds}
        if self.after is not None:
            query["after"] = self.after
        answer = httpx.get(self.url, params=query, headers=self.headers, timeout=70)
        assert answer.status_code == 200, answer.text
        plain = jsonio.loads(answer.content)
        self.after = plain["cursor"]
        return plain


WRITER = """
import sys
from pathlib import Path
from quark.storage.embedded import EmbeddedStore
from tests.storage.building import batch, losses, record
store = EmbeddedStore(Path(sys.argv[1]))
for seq in range(1, 121):
    store.append(batch(seq, seq, losses(seq, [float(seq)]), losses(seq, [-1.0], key="b"),
                       record(seq, message=str(seq))))
    if seq % 40 == 0:
        store.points.merge("run-1", final=True)
end = {"status": "completed"}
store.append(batch(121, 121, record(121, "run_update", changes=end)))
store.close()
"""


def test_a_follower_hears_everything_once_of_a_writer_in_another_process_across_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = service_config(tmp_path / "root")
    folder = config.root / "workspaces" / "local" / "stores" / "live" / ".quark"
    with running_service(config) as service:
        store = service.store("live")
        create_run(store)
        store.close()
        follower = Follower(service, "runs/run-1/changes", limit=7)
        answers = [follower.ask()]
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(folder)])
        for _ in range(5):
            answers.append(follower.ask(wait_seconds=30))
    with running_service(config) as service:
        second = Follower(service, "runs/run-1/changes", limit=1000)
        second.after = follower.after
        while not any((answer["run"] or {}).get("status") == "completed" for answer in answers):
            answers.append(second.ask(wait_seconds=30))
        while answers[-1]["more"]:
            answers.append(second.ask())
        rest = second.ask()
    assert writer.wait(60) == 0

    seqs: dict[str, list[int]] = {"loss": [], "b": []}
    for answer in answers:
        for series in answer["series"]:
            seqs[series["key"]] += series["seq"]
    events = [one["body"].get("message") for answer in answers for one in answer["records"]]
    assert seqs == {"loss": list(range(1, 121)), "b": list(range(1, 121))}
    assert [word for word in events if word] == [str(seq) for seq in range(1, 121)]
    assert rest["records"] == rest["series"] == []
    assert rest["run"] is None


def test_a_list_of_runs_is_followed_with_their_last_values(service: RunningService) -> None:
    store = service.store("live")
    for number in range(3):
        create_run(store, f"run-{number}", created_at=f"2026-01-0{number + 1}T00:00:00Z")
    follower = Follower(service, "changes", limit=2, key=["loss"])

    first = follower.ask()
    nothing = follower.ask()
    asked: list[Any] = []
    thread = threading.Thread(target=lambda: asked.append(follower.ask(wait_seconds=30)))
    thread.start()
    store.append(batch(1, 2, losses(1, [2.0, 1.0]), run_id="run-1"))
    thread.join(60)
    store.append(batch(1, 1, record(1, "run_update", changes={"status": "failed"}), run_id="run-2"))
    ended = follower.ask()
    store.append(batch(2, 2, losses(2, [9.0]), run_id="run-2"))
    still = follower.ask()
    store.records.delete_run("run-2")
    gone = follower.ask()
    store.close()

    def changed(answer: Any) -> list[tuple[str, str, Any]]:
        return [
            (one["run"]["id"], one["run"]["status"], one["last"].get("loss", {}).get("value"))
            for one in answer["changed"]
        ]

    assert first["run_ids"] == ["run-2", "run-1"]
    assert changed(first) == [("run-2", "running", None), ("run-1", "running", None)]
    assert nothing["changed"] == []
    assert changed(asked[0]) == [("run-1", "running", 1.0)]
    assert changed(ended) == [("run-2", "failed", None)]
    assert changed(still) == []
    assert gone["run_ids"] == ["run-1", "run-0"]
    assert changed(gone) == [("run-0", "running", None)]


def test_a_service_stops_at_once_while_somebody_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    made: list[Any] = []

    def create_and_keep(config: ServiceConfig) -> Any:
        made.append(create_app(config))
        return made[0]

    monkeypatch.setattr("tests.support.service.create_app", create_and_keep)
    with running_service(service_config(tmp_path)) as service:
        store = service.store("live")
        create_run(store)
        store.close()
        follower = Follower(service, "runs/run-1/changes")
        follower.ask()
        thread = threading.Thread(target=lambda: asked.append(follower.ask(wait_seconds=60)))
        thread.start()
        state = made[0].state.service
        while not state.live.waiting:
            threading.Event().wait(0.01)
        state.begin_to_stop()
    thread.join(60)

    assert asked[0]["series"] == []
