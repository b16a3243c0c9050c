"""Grouped smoke checks of a Quark service and of the SDK that writes to it.

    python smoke_tests.py                 # starts a service of its own, in a folder of its own
    QUARK_PERSISTENCE_URL=https://quark.example.com QUARK_USER_KEY=qk_... python smoke_tests.py

Each check says ok or what went wrong; the exit code is 0 if all are ok. Against a service that is
in use, everything is put into a store of its own below the key's workspace: ``smoke``.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

import quark
from quark import (
    ArtifactStore,
    AuthenticationError,
    ComparisonEngine,
    EventLogger,
    InvalidRunStateError,
    MetricsLogger,
    RunNotFoundError,
    SystemTelemetry,
    TrainingSession,
)
from quark.session import RunRequest
from quark.settings import Settings

CHECKS: list[tuple[str, str, Callable[[], None]]] = []
_START_SECONDS = 60.0


def check(group: str, what: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Take a function into the table of checks."""

    def taken(function: Callable[[], None]) -> Callable[[], None]:
        CHECKS.append((group, what, function))
        return function

    return taken


def expect(condition: bool, what: str) -> None:
    """Fail with ``what`` if ``condition`` does not hold."""
    if not condition:
        raise AssertionError(what)


def url() -> str:
    """Return where the service is, without the store."""
    return os.environ["QUARK_PERSISTENCE_URL"].partition("?")[0].rstrip("/")


def ask(path: str, key: str | None = None) -> httpx.Response:
    """Ask the service for a page."""
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return httpx.get(url() + path, headers=headers, timeout=15)


# -- the service -----------------------------------------------------------------------------------


@check("service", "it lives and is ready")
def lives() -> None:
    expect(ask("/healthz").status_code == 200, "/healthz is not 200")
    expect(ask("/readyz").status_code == 200, "/readyz is not 200")


@check("service", "the user key is accepted")
def key_is_accepted() -> None:
    answer = ask("/api/v1/me", os.environ["QUARK_USER_KEY"])
    expect(answer.status_code == 200, f"/api/v1/me says {answer.status_code}: {answer.text[:200]}")
    expect("workspace" in answer.json(), "/api/v1/me names no workspace")


@check("service", "no key and a wrong key are refused")
def keys_are_refused() -> None:
    for key in (None, "qk_000000000000_" + "0" * 40):
        expect(ask("/api/v1/workspaces/-/runs", key).status_code == 401, "not refused with 401")


# -- the SDK ---------------------------------------------------------------------------------------


def a_run(**arguments: Any) -> TrainingSession:
    """Start a run of the smoke checks."""
    return TrainingSession.start_run(project="smoke", **arguments)


@check("runs", "metrics and events come back as they were logged")
def metrics_come_back() -> None:
    values = [1.0 / (step + 1) for step in range(1_000)]
    with (
        a_run(config={"lr": 0.1}, tags=["smoke"]) as session,
        MetricsLogger(session) as metrics,
        EventLogger(session) as events,
    ):
        for step, value in enumerate(values):
            metrics.log("train/loss", value, step=step)
        events.log("checkpoint_saved", step=10, payload={"name": "a"})
        read = [record.value for record in metrics.read(metric_key="train/loss")]
        expect(read == values, "other values came back")
        found = [event.payload for event in events.read(event_type="checkpoint_saved")]
        expect(found == [{"name": "a"}], "the event did not come back")
    expect(session.reload().status == "completed", "the run is not completed")


@check("runs", "an interrupted run is resumed, a completed one is not")
def runs_are_resumed() -> None:
    session = a_run()
    session.end_run(status="interrupted")
    resumed = TrainingSession.resume_run(run_id=session.run_id)
    resumed.add_tag("recovered")
    resumed.end_run()
    expect(resumed.reload().run.resume_count == 1, "it was not resumed once")
    with contextlib.suppress(InvalidRunStateError):
        TrainingSession.resume_run(run_id=session.run_id)
        raise AssertionError("a completed run was resumed")
    with contextlib.suppress(RunNotFoundError):
        TrainingSession.resume_run(run_id="no-such-run")
        raise AssertionError("a run that is not there was resumed")


@check("runs", "telemetry is kept")
def telemetry_is_kept() -> None:
    with a_run() as session, SystemTelemetry(session) as telemetry:
        telemetry.sample(step=0)
        expect(len(telemetry.read()) == 1, "the sample did not come back")


@check("runs", "two runs are compared")
def runs_are_compared() -> None:
    sessions = []
    for rate in (0.1, 0.2):
        with a_run() as session, MetricsLogger(session) as metrics:
            for step in range(50):
                metrics.log("train/loss", rate / (step + 1), step=step)
        sessions.append(session)
    result = ComparisonEngine.compare_runs(sessions[1].context, sessions[0].context)
    expect(bool(result.metric_diffs), "no metric differs")


@check("payloads", "an artifact comes back")
def artifacts_come_back() -> None:
    payload = os.urandom(300_000)
    with a_run() as session:
        store = ArtifactStore(session)
        record = store.store("weights", "best", payload, payload_format="bytes")
        expect(store.load(record) == payload, "other bytes came back")
        store.close()


@check("delivery", "what was logged offline is delivered by a sync, once")
def offline_runs_are_delivered() -> None:
    settings = Settings.load(mode="offline")
    with TrainingSession.open(RunRequest(project="smoke", settings=settings)) as session:
        for step in range(200):
            session.log_row({"loss": float(step)}, step)
    result = quark.sync(Path.cwd())
    expect(not result.waiting, f"something waits: {result.waiting}")
    expect(quark.sync(Path.cwd()).sent_count == 0, "something was delivered twice")
    found = MetricsLogger(session.context).read()
    expect([record.value for record in found] == [float(i) for i in range(200)], "other values")


@check("delivery", "a run that was kept locally is copied, once")
def local_runs_are_copied() -> None:
    folder = Path(tempfile.mkdtemp(prefix="quark-smoke-local-"))
    local = Settings(storage_dir=str(folder), quiet=True)
    with TrainingSession.open(RunRequest(project="smoke", settings=local)) as session:
        for step in range(200):
            session.log_row({"loss": float(step)}, step)
    expect(quark.sync(folder, runs="all").sent_count > 0, "nothing was sent")
    expect(quark.sync(folder, runs="all").sent_count == 0, "it was sent twice")


@check("wandb", "a script that changed one import works")
def wandb_scripts_work() -> None:
    import quark.compat.wandb as wandb

    run = wandb.init(project="smoke", config={"lr": 0.1})
    for step in range(20):
        wandb.log({"loss": 1.0 / (step + 1)})
    run_path = run.path
    wandb.finish()
    found = wandb.Api().run(run_path)
    expect(found.state == "finished", f"the run is {found.state}")
    expect(len(list(found.scan_history(keys=["loss"]))) == 20, "rows are missing")


@check("errors", "a wrong key is an AuthenticationError, which shows no key")
def wrong_keys_are_errors() -> None:
    good = os.environ["QUARK_USER_KEY"]
    os.environ["QUARK_USER_KEY"] = wrong = "qk_000000000000_" + "0" * 40
    try:
        a_run()
    except AuthenticationError as error:
        expect(wrong not in str(error), "the message shows the key")
    else:
        raise AssertionError("a wrong key was accepted")
    finally:
        os.environ["QUARK_USER_KEY"] = good


# -- running them ----------------------------------------------------------------------------------


@contextlib.contextmanager
def own_service(folder: Path) -> Iterator[None]:
    """Have a service while the block runs, and the variables that lead to it set."""
    command = [sys.executable, "-c", "from quark.cli.main import main; main()"]
    told = subprocess.run(
        [*command, "admin", "bootstrap", "--root", str(folder)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    key = re.search(r"qk_\w+", told)
    assert key is not None, told
    with folder.joinpath("log.txt").open("wb") as log:
        service = subprocess.Popen(
            [*command, "serve", "--root", str(folder), "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert service.stdout is not None
        address = next((line for line in service.stdout if "listens on" in line), "")
        found = re.search(r"http://\S+", address)
        assert found is not None, (folder / "log.txt").read_text()[-2000:]
        os.environ["QUARK_PERSISTENCE_URL"] = found[0]
        os.environ["QUARK_USER_KEY"] = key[0]
        deadline = time.monotonic() + _START_SECONDS
        while not _answers() and time.monotonic() < deadline:
            time.sleep(0.1)
        yield
    finally:
        service.terminate()
        service.wait(30)
        service.stdout.close()


def say(line: str) -> None:
    """Write a line of the table."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _answers() -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return ask("/readyz").status_code == 200
    return False


def run_checks() -> int:
    """Run all checks and print a table of them; return how many failed."""
    os.environ["QUARK_PERSISTENCE_URL"] = f"{url()}?storage_dir=smoke"
    os.environ.setdefault("QUARK_QUIET", "1")
    quark.ui.set_quiet(True)
    failed = 0
    last_group = ""
    for group, what, function in CHECKS:
        begun = time.perf_counter()
        try:
            function()
            outcome = "ok"
        except Exception as error:
            failed += 1
            outcome = f"FAILED: {type(error).__name__}: {error}"
            traceback.print_exc()
        seconds = time.perf_counter() - begun
        say(f"{group if group != last_group else '':<10}{what:<64}{seconds:>6.2f} s  {outcome}")
        last_group = group
    say(f"{len(CHECKS) - failed} of {len(CHECKS)} checks are ok.")
    return failed


def main() -> int:
    """Run the checks in a folder of their own."""
    with tempfile.TemporaryDirectory(prefix="quark-smoke-") as folder:
        work = Path(folder) / "work"
        work.mkdir()
        os.chdir(work)
        if "QUARK_PERSISTENCE_URL" in os.environ:
            return int(run_checks() > 0)
        with own_service(Path(folder) / "service"):
            return int(run_checks() > 0)


if __name__ == "__main__":
    sys.exit(main())
