"""The SDK guide's examples of sections 7 and 9 run as they are printed, against a real service."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from quark import EventLogger, TrainingSession
from quark.settings import Settings
from tests.support.over_service import ServicePlace

BLOCKS = Path(__file__).resolve().parent / "guide_service"
DIGEST = "96e2498a39684330ae1e05690374d0c9c09a39e5d7612c1b4b3ec844c8f63197"


def block(name: str) -> str:
    return (BLOCKS / f"{name}.txt").read_text()


def run_block(name: str, **given: Any) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": f"guide_{name}", **given}
    exec(compile(block(name), name, "exec"), namespace)
    return namespace


def test_the_blocks_are_the_guides() -> None:
    content = b"".join(path.read_bytes() for path in sorted(BLOCKS.glob("*.txt")))

    assert hashlib.sha256(content).hexdigest() == DIGEST


def test_an_interrupted_run_is_resumed(over_service: ServicePlace) -> None:
    made = run_block("01_resume_interrupted_runs")

    session, resumed = made["session"], made["resumed"]
    assert resumed.run_id == session.run_id
    store = over_service.store()
    run = store.records.get_run(session.run_id)
    store.close()
    assert (run.status, run.resume_count, run.tags) == ("completed", 1, ("recovered",))
    with EventLogger(resumed.context) as events:
        kinds = [event.event_type for event in events.read()]
    assert "run_resumed" in kinds
    assert kinds.count("run_ended") == 2


def test_the_variables_lead_a_training_to_the_service(
    place: ServicePlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    *assignments, command = block("02_persistence_service").splitlines()
    given = dict(re.findall(r'^\$env:(\w+) = "(.+)"$', "\n".join(assignments), re.M))
    assert len(given) == len(assignments)
    given["QUARK_PERSISTENCE_URL"] = place.url  # the guide's are examples
    given["QUARK_USER_KEY"] = place.key
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = Settings.load()
    assert (settings.persistence_url, settings.user_key) == (place.url, place.key)
    assert settings.persistence_timeout_seconds == 30.0
    assert Settings().persistence_timeout_seconds == 15.0
    (tmp_path / "train.py").write_text(
        "from quark import MetricsLogger, TrainingSession\n"
        "with TrainingSession.start_run(project='p') as session:\n"
        "    with MetricsLogger(session) as metrics:\n"
        "        metrics.log('train/loss', 0.5, step=0)\n"
        "print(session.run_id)\n"
    )

    assert command == "python train.py"
    done = subprocess.run(
        [sys.executable, "train.py"], capture_output=True, text=True, check=True, timeout=100
    )

    store = place.store()
    assert store.points.series(done.stdout.strip(), "train/loss").value.tolist() == [0.5]
    store.close()


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("resumable", None),
        ("not-there", "Run does not exist: run_gone"),
        ("completed", "Cannot resume this run: .*completed"),
        ("no-service", "Persistence service error: .*cannot be reached"),
        ("wrong-key", "Persistence service error: .*QUARK_USER_KEY"),
    ],
)
def test_service_errors_are_caught_as_the_guide_does(
    over_service: ServicePlace, monkeypatch: pytest.MonkeyPatch, case: str, said: str | None
) -> None:
    session = TrainingSession.start_run(project="p")
    session.end_run("completed" if case == "completed" else "interrupted")
    run_id = "run_gone" if case == "not-there" else session.run_id
    if case == "no-service":
        monkeypatch.setenv("QUARK_PERSISTENCE_URL", "http://127.0.0.1:9")
    if case == "wrong-key":
        monkeypatch.setenv("QUARK_USER_KEY", over_service.key[:-4] + "zzzz")

    given = {"run_id": run_id, "storage_dir": Path.cwd()}
    if said is None:
        run_block("03_persistence_service", **given)["session"].end_run()
        return
    with pytest.raises(SystemExit, match=said):
        run_block("03_persistence_service", **given)
