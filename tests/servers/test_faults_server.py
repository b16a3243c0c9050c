"""What can happen to the machine of a service: its disk, its clock, its database, its clients."""

from __future__ import annotations

import contextlib
import errno
import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from quark.clock import SYSTEM_CLOCK, parse_timestamp
from tests.servers.ground_truth import check_artifacts, check_everything_is_there
from tests.servers.loads import HealthyClient
from tests.servers.training import Training
from tests.support.processes import ServiceProcess, ask, remount, small_disk, wait_until
from tests.support.servers.postgresql import own_server
from tests.support.wall_clock import WallClock

pytestmark = pytest.mark.timeout(900)  # processes start slowly on a busy machine

DAY_SECONDS = 86_400.0
_FIRST_CALLS = 200


def reach(service: ServiceProcess, **more: str) -> dict[str, str]:
    return {
        "QUARK_PERSISTENCE_URL": service.url,
        "QUARK_USER_KEY": service.key or "",
        "QUARK_PERSISTENCE_TIMEOUT_SECONDS": "15",
        **more,
    }


def begun(training: Training, steps: int = 1) -> Training:
    wait_until(
        lambda: len(training.logged()) >= steps or not training.running, what="the training goes on"
    )
    assert training.running, training.said()
    return training


def goes_on(training: Training) -> None:
    """Fail unless the training logs while things are as they are."""
    begun(training, len(training.logged()) + 500)


def stored(service: ServiceProcess, training: Training) -> int:
    """Return how many points of the training the service has."""
    path = f"/api/v1/workspaces/-/runs/{training.run_id}/keys"
    status, body = ask(service.port, path, key=service.key)
    assert status == 200, body
    return sum(key["count"] for key in json.loads(body)["keys"])


def has_more(service: ServiceProcess, training: Training, count: int) -> None:
    """Wait until the service has more points of the training than so many."""
    wait_until(lambda: stored(service, training) > count, what="deliveries go on")


def finished(service: ServiceProcess, *trainings: Training) -> None:
    """Have trainings end, and fail unless the service has all of them."""
    for training in trainings:
        training.stop()
    codes = [training.wait() for training in trainings]
    assert not any(codes), [training.said()[-3000:] for training in trainings]
    store = service.store()
    for training in trainings:
        check_everything_is_there(store, training)
    store.close()


class Started:
    """Trainings of a test, which none of them outlives."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = contextlib.ExitStack()

    def __call__(self, kind: str, service: ServiceProcess, **more: str) -> Training:
        """Return one that has begun to log."""
        folder = self._folder / f"{kind}-{len(list(self._folder.iterdir()))}"
        training = Training(kind, folder, environment=reach(service, **more))
        return begun(self._stack.enter_context(training), _FIRST_CALLS)

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    (tmp_path / "trainings").mkdir()
    started = Started(tmp_path / "trainings")
    yield started
    started.close()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "small", "size=16m") as folder:
        if folder is None:
            pytest.skip("this machine does not let tests mount a file system")
        yield folder


def fill(folder: Path) -> Path:
    """Leave no byte free; return what takes the room."""
    ballast = folder / "ballast"
    with ballast.open("ab", buffering=0) as file:
        for size in (65_536, 4_096, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
    return ballast


def test_a_full_disk_of_the_service_delays_and_loses_nothing(
    small: Path, tmp_path: Path, started: Started
) -> None:
    with ServiceProcess(small / "service", log=tmp_path / "log") as service:
        training = started("native", service)
        wait_until(lambda: stored(service, training) > 100)
        ballast = fill(small)
        goes_on(training)
        wait_until(lambda: fill_again(ballast) and refused(service), what="the disk is full")
        assert ask(service.port, "/healthz")[0] < 500, "the service is alive"
        full_at = stored(service, training)
        assert full_at > 0, "what is there can be read"
        goes_on(training)
        ballast.unlink()

        finished(service, training)
        assert stored(service, training) > full_at


def fill_again(ballast: Path) -> bool:
    """Take what the service gave back meanwhile: what it packed, what it removed."""
    fill(ballast.parent)
    return True


def refused(service: ServiceProcess) -> bool:
    """Say whether the service says that it cannot store anything."""
    from quark.errors import SessionStoreError

    try:
        with HealthyClient(service) as client:
            client.work(0.2)
    except SessionStoreError as error:
        return any(word in str(error).lower() for word in ("disk", "full", "read-only", "readonly"))
    return False


def test_a_disk_that_cannot_be_written_is_said_and_nothing_is_lost(
    small: Path, tmp_path: Path, started: Started
) -> None:
    with ServiceProcess(small / "service", log=tmp_path / "log") as service:
        training = started("native", service)
        wait_until(lambda: stored(service, training) > 100)
        service.kill()
        remount(small, "ro")
        goes_on(training)
        try:
            service.start()
            assert stored(service, training) > 100
            assert refused(service)
            service.kill()
        except AssertionError as error:
            said = str(error)
            assert "the service ended with" in said, said
            assert "Read-only file system" in said or "cannot be written" in said, said
            assert "Traceback" not in said, said
        remount(small, "rw")
        service.start()

        finished(service, training)


def test_clocks_that_jump_change_neither_what_is_stored_nor_its_order(
    tmp_path: Path, started: Started
) -> None:
    server_clock, client_clock = WallClock(tmp_path / "server"), WallClock(tmp_path / "client")
    with ServiceProcess(tmp_path / "service", prelude=server_clock.prelude) as service:
        prelude = {"TRAINING_PRELUDE": client_clock.prelude}
        remote = [started(kind, service, **prelude) for kind in ("native", "shim")]
        for server_off, client_off in (
            (0, -DAY_SECONDS),
            (400 * DAY_SECONDS, 0),
            (-400 * DAY_SECONDS, 2 * DAY_SECONDS),
            (0, -3_600),
        ):
            server_clock.set_off(server_off)
            client_clock.set_off(client_off)
            before = [stored(service, training) for training in remote]
            for training in remote:
                goes_on(training)
            for training, count in zip(remote, before, strict=True):
                has_more(service, training, count)

        finished(service, *remote)
        store = service.store()
        times = store.points.series(remote[0].run_id, "loss").time_us
        ended_at = store.records.get_run(remote[0].run_id).ended_at
        store.close()
    assert times.min() < times[0], "the training's clock was set back, and its times say so"
    assert ended_at is not None
    assert abs(parse_timestamp(ended_at) + 3_600e6 - SYSTEM_CLOCK.time_us()) < 600e6


def test_a_training_killed_while_the_service_is_down_is_delivered_by_the_next(
    tmp_path: Path, started: Started
) -> None:
    with ServiceProcess(tmp_path / "service") as service:
        local = {"QUARK_STORAGE_DIR": str(tmp_path / "local")}
        lost = [started(kind, service, **local) for kind in ("native", "shim")]
        service.kill()
        for training in lost:
            goes_on(training)
            training.kill()
        service.start()
        runs = [training.run_id for training in lost]
        journals = [tmp_path / "local" / ".quark" / "runs" / run / "journal" for run in runs]
        assert all(journal.is_dir() for journal in journals)

        later = started("native", service, **local)
        wait_until(lambda: not any(journal.exists() for journal in journals), seconds=30)
        finished(service, later)

        store = service.store()
        for training in lost:
            check_everything_is_there(store, training, ended="failed")
        store.close()


def test_payloads_that_are_logged_while_the_service_is_down_arrive_when_it_is_back(
    started: Started, tmp_path: Path
) -> None:
    with ServiceProcess(tmp_path / "service") as service:
        training = started("shim", service, TRAINING_PAYLOADS="1")
        service.kill()
        wait_until(
            lambda: sum(what == "artifact" for what, _ in training.logged()) >= 3,
            what="artifacts are logged",
        )
        service.start()

        finished(service, training)
        store = service.store()
        assert check_artifacts(store, training) >= 3
        store.close()


def test_postgresql_restarted_and_stopped_under_load_loses_nothing(
    tmp_path: Path, started: Started
) -> None:
    with (
        own_server() as database,
        ServiceProcess(tmp_path / "service", "--db", database.new_database()) as service,
    ):
        remote = [started(kind, service) for kind in ("native", "shim")]

        for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGQUIT):
            before = [stored(service, training) for training in remote]
            database.stop(how)
            for training in remote:
                goes_on(training)
            assert ask(service.port, "/healthz")[0] < 500
            database.start()
            for training, count in zip(remote, before, strict=True):
                has_more(service, training, count)
        database.pause()
        threading.Event().wait(1)
        for training in remote:
            goes_on(training)
        database.go_on()

        finished(service, *remote)


def test_a_service_told_to_stop_under_load_stores_what_it_acknowledged_and_ends_in_time(
    tmp_path: Path, started: Started
) -> None:
    with ServiceProcess(tmp_path / "service") as service:
        remote = [started(kind, service) for kind in ("native", "shim")]
        for _ in range(3):
            assert service.stop(seconds=40) in (0, -15)
            service.start()
        assert "Traceback" not in service.said(), service.said()[-4000:]

        finished(service, *remote)


def test_a_service_that_stands_still_for_a_while_delays_nobody(
    tmp_path: Path, started: Started
) -> None:

    with ServiceProcess(tmp_path / "service") as service:
        training = started("native", service, QUARK_PERSISTENCE_TIMEOUT_SECONDS="2")
        for _ in range(2):
            service.signal(signal.SIGSTOP)
            goes_on(training)
            threading.Event().wait(3)  # longer than a request may take
            service.signal(signal.SIGCONT)
            threading.Event().wait(1)

        finished(service, training)
