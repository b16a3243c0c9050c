"""The doctor: quiet where all is well, and where it is not it says what to do."""

from __future__ import annotations

import http.server
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from quark.cli import config_file
from quark.cli.doctor_machine import check_machine
from quark.clock import SYSTEM_CLOCK
from quark.pipeline.segment_file import WriterLock
from quark.settings import config_path
from tests.support.cli import Done, json_of, logged_run, run_cli
from tests.support.service import running_service, service_config


def states(done: Done, *, code: int) -> dict[str, dict[str, Any]]:
    """Return the checks by what they are about; the worst of each."""
    found: dict[str, dict[str, Any]] = {}
    order = ["ok", "warning", "problem"]
    for check in json_of(done, code=code)["checks"]:
        known = found.setdefault(check["about"], check)
        if order.index(check["state"]) > order.index(known["state"]):
            found[check["about"]] = check
    return found


def test_a_healthy_folder_is_well_and_what_goes_wrong_in_it_is_found(tmp_path: Path) -> None:
    empty = states(run_cli("doctor", "--json", "--storage-dir", tmp_path / "new"), code=0)
    assert "the first run makes" in empty["store"]["said"]
    here = ("--storage-dir", tmp_path)
    first, second = logged_run(tmp_path), logged_run(tmp_path, project="other")
    well = run_cli("doctor", *here)
    assert (well.code, "All is well." in well.err) == (0, True)
    assert "2 runs" in well.out
    assert "\x1b" not in well.out

    runs = tmp_path / ".quark" / "runs"
    waiting = logged_run(tmp_path, mode="offline")
    left = states(run_cli("doctor", *here, "--json"), code=0)  # a warning is no problem
    assert left["journals"]["state"] == "warning"
    assert waiting in left["journals"]["said"]
    assert left["journals"]["todo"] == f"quark sync {tmp_path}"
    lock = WriterLock(next((runs / waiting / "journal").glob("*.qj")).with_suffix(".lock"))
    lock = WriterLock(lock.path.with_name(lock.path.name.rpartition("-")[0] + ".lock"))
    assert lock.acquire()
    going_on = states(run_cli("doctor", *here, "--json"), code=0)
    lock.release(remove=True)
    assert (going_on["journals"]["state"], "going on" in going_on["journals"]["said"]) == (
        "ok",
        True,
    )

    quarantine = runs / first / "quarantine"
    quarantine.mkdir()
    (quarantine / "w1-7.qj").write_bytes(b"refused")
    file = runs / second / "run.db"
    content = bytearray(file.read_bytes())
    content[4096 : 4096 + 2000] = os.urandom(2000)
    file.write_bytes(content)
    (tmp_path / ".quark" / "index.db").write_bytes(b"no database at all" * 100)
    (tmp_path / ".quark" / "outbox" / "ab" / "cd").mkdir(parents=True)
    (tmp_path / ".quark" / "outbox" / "ab" / "cd" / ("abcd" + "0" * 60)).write_bytes(b"payload")
    (tmp_path / ".quark" / "drafts" / "quarantine").mkdir(parents=True)
    (tmp_path / ".quark" / "drafts" / "quarantine" / "000000000001-x.json").write_bytes(b"{}")
    ill = states(run_cli("doctor", *here, "--json"), code=1)
    assert {name for name, check in ill.items() if check["state"] == "problem"} == {
        "runs",
        "index",
        "quarantine",
        "drafts",
    }
    assert second in ill["runs"]["said"]
    assert "quark reindex" in ill["index"]["todo"]
    assert "1 payload " in ill["outbox"]["said"]
    assert all(check["todo"] for check in ill.values() if check["state"] != "ok")


def test_settings_that_others_can_read_and_folders_that_cannot_be_written_are_problems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config_file.set_target("here", {"storage_dir": str(tmp_path), "user_key": "qk_a"}, choose=True)
    assert states(run_cli("doctor", "--json"), code=0)["settings"]["state"] == "ok"
    Path(config_path()).chmod(0o644)
    bad = states(run_cli("doctor", "--json"), code=1)["settings"]
    assert bad["todo"] == f"chmod 600 {config_path()}"
    assert "qk_a" not in bad["said"]

    found = {check.about: check for check in check_machine(Path("/proc/1"))}
    assert (found["folder"].state, "cannot be written" in found["folder"].said) == ("problem", True)
    monkeypatch.setattr("shutil.disk_usage", lambda place: Usage())
    full = {check.about: check for check in check_machine(tmp_path)}
    assert (full["disk"].state, "100.0 MB of 1.0 TB" in full["disk"].said) == ("problem", True)


@pytest.mark.parametrize("text", ["persistence_url = ", "workspce = 'a'", "target = 'gone'"])
def test_broken_settings_are_a_problem_and_the_rest_is_looked_at_all_the_same(
    text: str, tmp_path: Path
) -> None:
    logged_run(tmp_path)
    Path(config_path()).parent.mkdir(parents=True)
    Path(config_path()).write_text(text)

    found = states(run_cli("doctor", "--json", "--storage-dir", tmp_path), code=1)

    assert found["settings"]["state"] == "problem"
    assert config_path() in found["settings"]["said"]
    assert "1 run" in found["runs"]["said"]
    assert [about for about, check in found.items() if check["state"] == "problem"] == ["settings"]


class Usage:
    total, used, free = 10**12, 10**12 - 10**8, 10**8


def test_a_service_is_asked_for_all_that_a_training_needs_of_it(tmp_path: Path) -> None:
    waiting = logged_run(tmp_path / "here", mode="offline")
    with running_service(service_config(tmp_path / "service")) as service:
        key = {"QUARK_USER_KEY": service.key, "QUARK_STORAGE_DIR": str(tmp_path / "here")}
        url = ("--url", service.url)
        well = states(run_cli("doctor", *url, "--json", env=key), code=0)
        assert "wire version 1" in well["service"]["said"]
        assert well["clock"]["state"] == "ok"
        assert well["readiness"]["state"] == "ok"
        assert "admin in workspace local, scope admin" in well["key"]["said"]
        assert waiting in well["journals"]["said"]  # what is on this machine
        no_key = states(run_cli("doctor", *url, "--json"), code=1)
        assert (no_key["key"]["state"], no_key["key"]["todo"]) == ("problem", "quark auth login")
        named = states(run_cli("doctor", *url, "--workspace", "other", "--json", env=key), code=0)
        assert "workspace" not in named  # an administrator sees all
    gone = states(run_cli("doctor", *url, "--json", env=key), code=1)
    assert "cannot be reached" in gone["service"]["said"]
    assert "key" not in gone


@pytest.mark.parametrize(
    ("ahead_seconds", "state", "said"),
    [(0, "ok", "within"), (-30, "warning", "s ahead of"), (7200, "problem", "s behind")],
)
def test_a_clock_that_goes_wrong_is_noticed(
    ahead_seconds: int, state: str, said: str, tmp_path: Path
) -> None:
    with answering(ahead_seconds) as url:
        found = states(
            run_cli("doctor", "--url", url, "--json", env={"QUARK_STORAGE_DIR": str(tmp_path)}),
            code=1,  # it is no service otherwise
        )

    assert found["clock"]["state"] == state
    assert said in found["clock"]["said"]


@contextmanager
def answering(ahead_seconds: int) -> Iterator[str]:
    """Say that one lives, at another time."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(200)
            now = SYSTEM_CLOCK.time_us() / 1e6 + ahead_seconds
            self.send_header("Date", formatdate(now, usegmt=True))
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
