"""``quark run`` and its commands, on an embedded store and over a real service."""

from __future__ import annotations

import json
import os
import pty
from pathlib import Path

import pytest

from quark import TrainingSession, TrainingStoppedError
from quark.cli.run_values import sort_key
from quark.clock import SYSTEM_CLOCK
from quark.live import stop_watch
from tests.support.cli import COMMAND, json_of, run_cli
from tests.support.cli_inside import called
from tests.support.cli_runs import HOSTILE, kept, trained
from tests.support.over_service import place, running

__all__ = ["kept", "place", "running"]


def test_a_run_of_a_shell_script_from_its_start_to_its_removal(kept: str) -> None:
    Path("config.json").write_text('{"lr": 1, "optimizer": {"name": "sgd"}}')
    TrainingSession.start_run(project="other").end_run()

    words = ("--project", "digits", "--name", "shell", "--tag", "a", "--tag", "b")
    config = ("--config-file", "config.json", "-c", "lr=0.01", "-c", "optimizer.momentum=0.9")
    run_id = called("run", "start", *words, *config, "-c", "kind=mlp").ok().out.strip()
    started = json_of(called("run", "show", "shell", "--json"))

    assert started["run"]["config"] == {
        "lr": 0.01,
        "kind": "mlp",
        "optimizer": {"name": "sgd", "momentum": 0.9},
    }
    assert started["run"]["tags"] == ["a", "b"]
    assert started["metrics"] == []
    assert called("run", "status", run_id[:9]).ok().out == "running\n"
    assert "No metrics yet" in called("run", "show", run_id).ok().out

    tags = json_of(called("run", "tag", run_id, "+c", "-a", "-b", "-x", "plain word", "--json"))
    assert tags == {"id": run_id, "tags": ["c", "plain word"]}
    assert called("run", "tag", run_id, "-c", "-plain word").ok().out == ""
    assert "not blank" in called("run", "tag", run_id, "+").err

    ended = json_of(called("run", "finish", run_id, "--exit-code", 3, "--reason", "x", "--json"))
    assert (ended["status"], ended["exit_code"]) == ("failed", 3)
    assert "ended already." in called("run", "finish", run_id, "--exit-code", 3).ok().err
    refused = called("run", "finish", run_id)
    assert (refused.code, "is 'failed' already" in refused.err) == (1, True)
    assert called("run", "start", "--id", run_id).code == 1
    assert "is 'failed'; only a run that is running" in called("run", "stop", run_id).err

    asks = called("run", "delete", run_id)
    assert (asks.code, "--yes" in asks.err) == (1, True)
    assert called("run", "delete", run_id, "no_such_run", "--yes").code == 1
    assert json_of(called("run", "delete", "shell", "-y", "--json")) == {"deleted": [run_id]}
    gone = called("run", "status", run_id)
    assert (gone.code, "There is no run" in gone.err) == (1, True)


def test_runs_are_listed_by_what_they_are_and_hold(kept: str) -> None:
    low = trained(lr=0.001, loss=0.2, group="sweep")
    high = trained(lr=0.1, loss=0.9)
    bare = called("run", "start", "--project", "other", "--name", "bare").ok().out.strip()
    put_away = trained(project="other")
    called("run", "tag", put_away, "archived").ok()

    def listed(*words: object) -> list[str]:
        return [row["id"] for row in json_of(called("run", "list", "--json", *words))]

    assert listed() == [bare, high, low]
    assert listed("--archived") == [put_away, bare, high, low]
    assert listed("--tag", "archived") == [put_away]
    assert listed("--project", "digits", "--limit", 1) == [high]
    assert listed("--status", "running") == [bare]
    assert listed("--group", "sweep", "--tag", "nightly") == [low]
    assert listed("--since", "1h") == [bare, high, low]
    assert listed("--since", "2999-01-01") == []
    assert listed("--sort", "config.lr") == [low, high, bare]
    assert listed("--sort", "-config.lr") == [high, low, bare]
    assert listed("--sort", "summary.train/loss", "--limit", 2) == [low, high]
    assert listed("--sort", "created") == [low, high, bare]
    rows = json_of(called("run", "list", "-c", "config.optimizer.name", "-c", "status", "--json"))
    assert [row["values"]["config.optimizer.name"] for row in rows] == [None, "adam", "adam"]
    assert rows[0]["values"]["status"] == "running"
    assert rows[1]["tags"] == ["nightly"]

    table = called("run", "list", "-c", "summary.train/loss", "--limit", 2).ok()
    assert table.out.splitlines()[0].split()[:2] == ["ID", "NAME"]
    assert "0.045" in table.out  # 0.9 / 20
    assert r"[bold]x[/] \x1b[31m<b>" in table.out  # as text, and harmless
    assert "--limit 0 shows all" in table.err
    for words in (("--sort", "nonsense"), ("-c", "config."), ("--since", "yesterday")):
        refused = called("run", "list", *words)
        assert (refused.code, words[1] in refused.err) == (1, True)
    assert "No run fits" in called("run", "list", "--project", "none").ok().err

    shown = called("run", "show", low).ok().out
    assert "\x1b" not in shown
    assert "train/loss" in shown
    assert "nightly" in shown
    everything = json_of(called("run", "show", low, "--json"))
    assert everything["step"] == 19
    assert everything["counts"]["metric"] == 20
    assert everything["run"]["name"] == HOSTILE
    assert everything["metrics"][0]["last_value"] == 0.2 / 20
    several = called("run", "status", "run_")
    assert (several.code, low in several.err) == (1, True)


@pytest.mark.parametrize("values", [[None, "b", 2, float("nan"), 1.5, True, "a", [1]]])
def test_values_of_every_kind_have_an_order(values: list[object]) -> None:
    ordered = sorted(values, key=sort_key)

    assert ordered[:5] == [True, 1.5, 2, "a", "b"]


def test_what_is_no_command_is_a_script_and_a_typo_is_told() -> None:
    Path("list").write_text("print('the script')")

    assert run_cli("run", "./list").ok().out == "the script\n"
    assert called("run", "list").code == 1  # no store here
    typo = run_cli("run", "lst")
    assert (typo.code, "Did you mean 'list'?" in typo.err) == (1, True)
    both = called("run", "--help").ok().out
    assert "SCRIPT [ARGUMENTS]" in both
    assert "watch" in both


# -- stopping --------------------------------------------------------------------------------------


def test_a_training_that_is_asked_to_stop_ends_at_its_next_step(
    kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(stop_watch, "LOCAL_SECONDS", 0.05)
    monkeypatch.setattr(stop_watch, "REMOTE_SECONDS", 0.05)
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([weight], lr=1e-3)
    session = TrainingSession.start_run(project="digits")

    def train() -> None:
        begun = SYSTEM_CLOCK.monotonic()
        with session:
            while SYSTEM_CLOCK.monotonic() - begun < 60:
                (weight**2).sum().backward()
                optimizer.step()

    session.flush()
    asked = called("run", "stop", session.run_id, "--reason", f"flat {HOSTILE}").ok()
    status = json_of(called("run", "status", session.run_id, "--json"))

    with pytest.raises(TrainingStoppedError, match=r"stop requested by .+: flat") as raised:
        train()

    assert "asked to stop" in asked.out
    assert status["stop_requested"] is True
    assert "\x1b" not in str(raised.value)
    after = json_of(called("run", "status", session.run_id, "--json"))
    assert after["status"] == "interrupted"
    assert after["end_reason"].startswith("stop requested by ")
    assert after["stop_requested"] is False  # it is done
    optimizer.step()  # the hook is gone, and so is the order
    (event,) = json_of(
        called("events", "tail", session.run_id, "--type", "stop_requested", "--json")
    )
    assert event["payload"]["reason"] == f"flat {HOSTILE}"


def test_a_request_is_taken_back_and_one_of_an_earlier_life_does_not_count(
    kept: str,
) -> None:
    run_id = called("run", "start").ok().out.strip()
    called("run", "stop", run_id).ok()
    assert json_of(called("run", "stop", run_id, "--cancel", "--json"))["stop_requested"] is False
    assert called("run", "stop", run_id, "--cancel").ok().out == "nobody had asked\n"

    called("run", "stop", run_id).ok()
    waited = called("run", "stop", run_id, "--wait", 0)
    assert (waited.code, "goes on after 0 s" in waited.err) == (1, True)
    called("run", "finish", run_id, "--status", "interrupted").ok()
    assert json_of(called("run", "status", run_id, "--json"))["stop_requested"] is False


def test_a_run_that_is_being_written_is_neither_finished_nor_deleted_beside_its_process() -> None:
    with TrainingSession.start_run(project="digits") as session:
        session.flush()

        for words in (("finish", session.run_id), ("delete", session.run_id, "--yes")):
            refused = called("run", *words)
            assert (refused.code, "quark run stop" in refused.err) == (1, True)

    assert session.reload().status == "completed"


def test_delete_asks_on_a_terminal() -> None:
    run_id = called("run", "start", "--name", "asked").ok().out.strip()

    assert b"Aborted" in _on_a_terminal("run", "delete", run_id, answer=b"n\n")
    assert called("run", "status", run_id).ok().out == "running\n"
    assert run_id.encode() in _on_a_terminal("run", "delete", run_id, answer=b"y\n")
    assert called("run", "status", run_id).code == 1


def _on_a_terminal(*words: str, answer: bytes) -> bytes:
    """Run the command on a terminal of its own and type an answer; return what it showed."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(COMMAND[0], [*COMMAND, *words])
    said = b""
    answered = False
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:
            break
        if not part:
            break
        said += part
        if not answered and b"?" in said:
            os.write(terminal, answer)
            answered = True
    os.close(terminal)
    os.waitpid(pid, 0)
    return said


# -- going on --------------------------------------------------------------------------------------

SCRIPT = """
import pathlib, sys
import wandb
run = wandb.init(project="digits", name="fragile", config={"lr": 0.1})
for step in range(run.step, 6):
    if step == 3 and not pathlib.Path("mended").exists():
        raise ValueError("broken")
    run.log({"loss": 1.0 / (step + 1)})
print("args:", *sys.argv[1:])
"""


def test_a_wandb_script_goes_on_with_its_run() -> None:
    Path("place").mkdir()
    Path("place/train.py").write_text(SCRIPT)
    first = run_cli("run", "train.py", "--lr", "0.1 x", cwd=Path("place"))
    assert first.code == 1
    there = ("--storage-dir", "place")

    said = called("run", "resume", "fragile", *there).ok().out
    plain = json_of(called("run", "resume", "fragile", *there, "--json"))

    assert "is failed after step 2" in said
    assert "quark run train.py --lr '0.1 x'" in said
    assert plain["api"] == "wandb"
    assert plain["problem"] is None
    assert plain["environment"]["WANDB_RUN_ID"] == plain["id"]
    Path("place/mended").touch()
    again = run_cli("run", "resume", "fragile", *there, "--start").ok()
    assert "args: --lr 0.1 x" in again.out
    after = json_of(called("run", "show", "fragile", *there, "--json"))
    assert (after["run"]["status"], after["run"]["resume_count"]) == ("completed", 1)
    assert after["metrics"][-1]["count"] >= 1
    steps = json_of(called("metrics", "export", "fragile", *there, "-k", "loss", "--json"))
    assert [row["step"] for row in steps] == list(range(6))


def test_another_script_is_told_what_to_call(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="x"), TrainingSession.start_run(project="p") as session:
        raise ValueError("x")
    said = called("run", "resume", session.run_id).ok().out
    assert f"TrainingSession.resume_run(run_id={session.run_id!r})" in said
    refused = called("run", "resume", session.run_id, "--start")
    assert (refused.code, "resume_run()" in refused.err) == (1, True)

    done = trained()
    assert "completed, which is final" in called("run", "resume", done).err
    running_id = called("run", "start").ok().out.strip()
    assert "quark run watch" in called("run", "resume", running_id).err
    unknown = called("run", "start", "--id", "nowhere").ok().out.strip()
    called("run", "finish", unknown, "--status", "failed").ok()
    assert json_of(called("run", "resume", unknown, "--json"))["api"] in ("unknown", "native")


def test_a_run_whose_process_died_is_not_shown_as_running() -> None:
    script = (
        "import os\nfrom quark import TrainingSession\n"
        "s = TrainingSession.start_run(project='p')\ns.log_row({'a': 1.0}, 0)\n"
        "print(s.run_id, flush=True)\ns.flush()\nos._exit(9)"
    )
    Path("dies.py").write_text(script)
    run_id = run_cli("run", "dies.py").out.strip()

    assert called("run", "status", run_id).ok().out == "failed\n"
    assert json_of(called("run", "status", run_id, "--json"))["end_reason"] == "process_lost"


def test_a_configuration_that_cannot_be_is_refused() -> None:
    Path("list.json").write_text("[1]")
    Path("bad.toml").write_text("= 1")
    Path("good.toml").write_text("lr = 0.5\n")
    Path("good.yaml").write_text("lr: 0.25\n")
    for words in (
        ("-c", "lr"),
        ("-c", "=1"),
        ("-c", "a=1", "-c", "a.b=2"),
        ("--config-file", "list.json"),
        ("--config-file", "bad.toml"),
        ("--config-file", "none.json"),
        ("--project", "a/b"),
        ("--tag", " "),
    ):
        assert called("run", "start", *words).code == 1, words
    for name, lr in (("good.toml", 0.5), ("good.yaml", 0.25)):
        run_id = called("run", "start", "--config-file", name).ok().out.strip()
        assert json_of(called("run", "show", run_id, "--json"))["run"]["config"] == {"lr": lr}
    piped = called("run", "start", "--config-file", "-", stdin=json.dumps({"lr": 2})).ok()
    shown = json_of(called("run", "show", piped.out.strip(), "--json"))
    assert shown["run"]["config"] == {"lr": 2}
