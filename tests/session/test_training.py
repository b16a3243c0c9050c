"""A run's life, on the embedded store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, ClassVar

import pytest

import quark
from quark import (
    EventLogger,
    InvalidRunStateError,
    MetricsLogger,
    RunContext,
    RunNotFoundError,
    SchemaValidationError,
    SessionStoreError,
    TrainingSession,
)
from quark.session import RunRequest
from quark.settings import Settings
from tests.support.threads import LASTING


def events_of(session: TrainingSession) -> list[tuple[str, str]]:
    with EventLogger(session.context) as events:
        return [(event.event_type, event.severity) for event in events.read()]


def test_a_run_goes_from_running_to_completed_and_can_be_read_back(tmp_path: Path) -> None:
    with TrainingSession.start_run(
        project="image-classifier",
        config={"model": "resnet18", "lr": 3e-4, "nested": {"a": [1, 2]}},
        tags=["baseline", "dev", "baseline"],
        storage_dir=tmp_path,
    ) as session:
        assert session.status == "running"
        assert session.reload().run.config["nested"] == {"a": [1, 2]}

    run = session.reload().run
    assert (session.status, run.status, run.tags) == ("completed", "completed", ("baseline", "dev"))
    assert run.ended_at is not None
    assert run.ended_at >= run.created_at
    assert session.run_path == tmp_path / ".quark" / "runs" / session.run_id
    assert run.run_path == f".quark/runs/{session.run_id}"
    assert session.project_name == "image-classifier"
    assert events_of(session) == [("run_started", "info"), ("run_ended", "info")]
    payload = session.to_dict()
    assert payload["run"]["id"] == session.run_id
    assert payload["project"]["name"] == "image-classifier"
    json.dumps(payload)


@pytest.mark.parametrize(
    ("error", "status", "event", "identifier"),
    [
        pytest.param(ValueError("boom"), "failed", "runtime_error", "Error", id="error"),
        pytest.param(
            KeyboardInterrupt(), "interrupted", "runtime_interruption", "Warning", id="ctrl-c"
        ),
        pytest.param(SystemExit(3), "interrupted", "runtime_interruption", "Warning", id="exit"),
    ],
)
def test_an_exception_ends_the_run_and_is_kept_and_goes_on(
    tmp_path: Path, error: BaseException, status: str, event: str, identifier: str
) -> None:
    with (
        pytest.raises(type(error)),
        TrainingSession.start_run(project="p", storage_dir=tmp_path) as session,
    ):
        raise error

    assert session.reload().status == status
    with EventLogger(session.context) as events:
        (record,) = events.read(event_type=event)
    assert record.payload["identifier"] == identifier
    assert type(error).__name__ in record.payload["traceback"]


def test_a_secret_in_config_or_traceback_never_reaches_the_disk(tmp_path: Path) -> None:
    secret = "ghp_" + "a1B2" * 9

    with (
        pytest.raises(RuntimeError),
        TrainingSession.start_run(
            project="p", storage_dir=tmp_path, config={"github": {"token": secret}, "lr": 0.1}
        ) as session,
    ):
        raise RuntimeError(f"could not log in with {secret}")

    assert session.reload().run.config["lr"] == 0.1
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path


def test_a_run_that_was_interrupted_is_gone_on_with(tmp_path: Path) -> None:
    session = TrainingSession.start_run(project="resume-demo", storage_dir=tmp_path)
    session.end_run(status="interrupted")

    resumed = TrainingSession.resume_run(run_id=session.run_id, storage_dir=tmp_path)
    context = resumed.add_tag("recovered")
    resumed.add_log("Recovered after a scheduled maintenance window.", identifier="Info")
    resumed.end_run(status="completed")

    assert isinstance(context, RunContext)
    assert context.run.tags == ("recovered",)
    run = resumed.reload().run
    assert (run.status, run.resume_count) == ("completed", 1)
    assert [kind for kind, _ in events_of(resumed)] == [
        "run_started",
        "run_ended",
        "run_resumed",
        "user_log",
        "run_ended",
    ]


def test_transitions_that_are_not_allowed_are_refused_by_name(tmp_path: Path) -> None:
    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        with pytest.raises(InvalidRunStateError, match="running"):
            TrainingSession.resume_run(run_id=session.run_id, storage_dir=tmp_path)
        with pytest.raises(SchemaValidationError, match="'done'"):
            session.end_run(status="done")
    with pytest.raises(InvalidRunStateError, match="has ended"):
        session.end_run()
    with pytest.raises(InvalidRunStateError, match="has ended"):
        session.add_log("too late")
    with pytest.raises(InvalidRunStateError, match="completed"):
        TrainingSession.resume_run(run_id=session.run_id, storage_dir=tmp_path)
    with pytest.raises(RunNotFoundError, match="no_such_run"):
        TrainingSession.resume_run(run_id="no_such_run", storage_dir=tmp_path)


def test_lineage_leads_back_to_the_first_run(tmp_path: Path) -> None:
    ids: list[str] = []
    for _ in range(3):
        parent = ids[-1] if ids else None
        with TrainingSession.start_run(
            project="p", storage_dir=tmp_path, parent_run_id=parent
        ) as session:
            ids.append(session.run_id)

    run = session.reload().run
    assert (run.parent_run_id, run.lineage_root_run_id) == (ids[1], ids[0])
    with pytest.raises(RunNotFoundError, match="run_nobody"):
        TrainingSession.start_run(project="p", storage_dir=tmp_path, parent_run_id="run_nobody")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"project": ""}, "Project", id="project"),
        pytest.param({"project": "p", "tags": [""]}, "[Tt]ag", id="tag"),
        pytest.param({"project": "p", "config": {"x": object()}}, "object", id="config"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_written(
    tmp_path: Path, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(SchemaValidationError, match=message):
        TrainingSession.start_run(storage_dir=tmp_path, **arguments)
    assert not list(tmp_path.rglob("run.db"))


def test_the_helpers_without_a_session_mean_the_latest_one(tmp_path: Path) -> None:
    first = quark.start_run(project="p", storage_dir=tmp_path)
    second = quark.start_run(project="p", storage_dir=tmp_path)

    quark.add_tag("mine")
    quark.add_log("hello")
    quark.end_run()
    quark.end_run(status="failed")

    assert second.reload().run.tags == ("mine",)
    assert (first.status, second.status) == ("failed", "completed")
    with pytest.raises(InvalidRunStateError, match="start_run"):
        quark.add_log("nobody listens")


def test_the_run_folder_has_what_is_needed_to_do_it_again(tmp_path: Path) -> None:
    source = tmp_path / "train.yaml"
    source.write_text("lr: 0.1\n")
    request = RunRequest(
        project="p",
        settings=Settings.load(storage_dir=str(tmp_path)),
        config={"lr": 0.1, "seed": 7},
        config_path=source,
    )

    with TrainingSession.open(request) as session:
        names = {path.name for path in session.run_path.iterdir()}
        resolved = json.loads((session.run_path / "resolved_config.json").read_text())

    assert {"resolved_config.json", "runtime_env.json", "run_metadata.json"} <= names
    assert "config_source.yaml" in names
    assert (resolved["schema_version"], resolved["dataset_seed"]) == (1, 7)


def test_offline_everything_waits_in_the_journal_for_a_later_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUARK_MODE", "offline")
    with (
        TrainingSession.start_run(project="p", storage_dir=tmp_path) as session,
        MetricsLogger(session) as metrics,
    ):
        for step in range(10):
            metrics.log("train/loss", 0.5, step=step)
        with pytest.raises(SessionStoreError, match="offline"):
            metrics.read()
    with pytest.raises(RunNotFoundError):
        session.reload()

    monkeypatch.setenv("QUARK_MODE", "online")
    with TrainingSession.start_run(project="p", storage_dir=tmp_path):
        wait_until_gone(tmp_path / ".quark" / "runs" / session.run_id / "journal")

    assert session.reload().status == "completed"
    with MetricsLogger(session.context) as metrics:
        assert len(metrics.read()) == 10


def test_disabled_nothing_is_written_and_everything_can_be_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUARK_MODE", "disabled")
    with (
        TrainingSession.start_run(project="p", storage_dir=tmp_path, tags=["a"]) as session,
        MetricsLogger(session) as metrics,
    ):
        for step in range(100):
            metrics.log("train/loss", 0.5, step=step)
        session.add_tag("b")
        assert metrics.read() == ()

    assert (session.status, session.reload().run.tags) == ("completed", ("a", "b"))
    assert session.diagnostics().dropped == {}
    assert list(tmp_path.iterdir()) == []


def wait_until_gone(path: Path) -> None:
    waiting = threading.Event()
    for _ in range(3_000):
        if not path.exists():
            return
        waiting.wait(0.01)
    raise AssertionError(f"{path} is still there")


@pytest.mark.parametrize(
    ("script_end", "status", "code"),
    [
        pytest.param("", "completed", 0, id="end-of-script"),
        pytest.param("raise ValueError('x')", "failed", 1, id="uncaught"),
        pytest.param("import sys; sys.exit(0)", "completed", 0, id="exit-0"),
        pytest.param("import sys; sys.exit(3)", "failed", 3, id="exit-3"),
        pytest.param(
            "import os, signal; os.kill(os.getpid(), signal.SIGINT)",
            "interrupted",
            None,
            id="ctrl-c",
        ),
    ],
)
def test_a_run_left_open_ends_with_the_process(
    tmp_path: Path, script_end: str, status: str, code: int | None
) -> None:
    script = (
        "from quark import TrainingSession, MetricsLogger\n"
        f"session = TrainingSession.start_run(project='p', storage_dir={str(tmp_path)!r})\n"
        "MetricsLogger(session).log('loss', 1.0, step=0)\n"
        "print(session.run_id, flush=True)\n" + script_end
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60
    )
    if code is not None:
        assert done.returncode == code, done.stderr

    context = read_context(tmp_path, done.stdout.strip())
    assert context.status == status
    with MetricsLogger(context) as metrics:
        assert [record.value for record in metrics.read()] == [1.0]


def read_context(storage_dir: Path, run_id: str) -> RunContext:
    """The context of a run that another process made."""
    from quark.session.reading import load_context

    return load_context(run_id, Settings.load(storage_dir=str(storage_dir)))


def test_a_forked_child_logs_into_the_run_but_does_not_end_it(tmp_path: Path) -> None:
    with (
        TrainingSession.start_run(project="p", storage_dir=tmp_path) as session,
        MetricsLogger(session) as metrics,
    ):
        metrics.log("parent", 1.0, step=0)
        metrics.flush()
        child = os.fork()
        if child == 0:
            try:
                for step in range(100):
                    metrics.log("child", float(step), step=step)
                session.end_run("failed")
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        metrics.log("parent", 2.0, step=1)

    assert session.reload().status == "completed"
    with MetricsLogger(session.context) as metrics:
        assert [r.value for r in metrics.read(metric_key="parent")] == [1.0, 2.0]
        assert [r.value for r in metrics.read(metric_key="child")] == [float(s) for s in range(100)]


def test_a_directory_that_cannot_be_written_does_not_stop_the_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")

    with (
        TrainingSession.start_run(project="p", storage_dir=blocked) as session,
        MetricsLogger(session) as metrics,
    ):
        for step in range(100):
            metrics.log("loss", 1.0, step=step)
        state = session.diagnostics()
        assert state.degraded is not None
        assert metrics.flush() == ()

    assert session.status == "completed"
    after = session.diagnostics()
    assert after.dropped["metric: never_written"] == 100
    err = capsys.readouterr().err
    assert err.count("cannot write to") == 1
    with (
        pytest.raises(SessionStoreError),
        TrainingSession.start_run(project="p", storage_dir=blocked, strict_mode=True),
    ):
        pass


class Recorder:
    """An extension that notes what it was told."""

    calls: ClassVar[list[Any]] = []

    def on_start(self, session: TrainingSession) -> None:
        self.calls.append(("start", session.status))

    def on_batch(self, session: TrainingSession, batch: Any) -> None:
        self.calls.append(("batch", batch.point_count))

    def on_end(self, session: TrainingSession, status: str) -> None:
        self.calls.append(("end", status))
        raise RuntimeError("a bug in an extension")


def test_extensions_follow_a_session_and_cannot_harm_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("QUARK_EXTENSIONS", f"{__name__}:Recorder")
    monkeypatch.setattr(Recorder, "calls", [])

    with (
        TrainingSession.start_run(project="p", storage_dir=tmp_path) as session,
        MetricsLogger(session) as metrics,
    ):
        metrics.log("loss", 1.0, step=0)
        metrics.flush()

    assert Recorder.calls[0] == ("start", "running")
    end = Recorder.calls.index(("end", "completed"))
    assert [count for kind, count in Recorder.calls[1:end] if count] == [1]
    assert all(kind == "batch" for kind, _ in Recorder.calls[end + 1 :])  # the run's own end
    assert session.reload().status == "completed"
    assert "a bug in an extension" in capsys.readouterr().err


def test_no_thread_or_journal_is_left_when_a_run_has_ended(tmp_path: Path) -> None:
    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        assert any(thread.name == "quark-shipper" for thread in threading.enumerate())

    left = set(threading.enumerate()) - LASTING  # those are of a service that tests share
    assert not any(thread.name.startswith("quark-") for thread in left)
    assert not (session.run_path / "journal").exists()
