"""The first command: where runs are kept, written once, read by scripts and commands alike."""

from __future__ import annotations

import subprocess
from pathlib import Path

from quark.cli import config_file
from quark.settings import Settings, config_path
from tests.support.cli import json_of, logged_run, on_terminal, run_cli
from tests.support.service import running_service, service_config


def test_a_folder_is_kept_for_scripts_and_commands_wherever_they_are_started(
    tmp_path: Path, python: str
) -> None:
    runs, elsewhere = tmp_path / "my runs", tmp_path / "elsewhere"
    elsewhere.mkdir()

    said = json_of(run_cli("init", "--storage-dir", runs, "--json"))
    assert (said["target"], said["storage_dir"], said["user"]) == ("local", str(runs), None)
    assert said["config_path"] == config_path()
    script = "from quark.settings import Settings; print(Settings.load().storage_path)"
    seen = subprocess.run([python, "-c", script], cwd=elsewhere, capture_output=True, text=True)
    assert seen.stdout.strip() == str(runs)

    assert run_cli("project", "ls", cwd=elsewhere).code == 1  # nothing was logged yet
    logged_run(Settings.load().storage_path, project="digits")
    assert "digits" in run_cli("project", "ls", cwd=elsewhere).ok().out

    again = run_cli("init", "--storage-dir", runs).ok()
    assert "quark run list" in again.out
    other = run_cli("init", "--storage-dir", tmp_path / "other")
    assert other.code == 1
    assert "There is a target 'local' already, which is another place" in other.err
    assert config_file.targets() == {"local": {"storage_dir": str(runs)}}
    run_cli("init", "--storage-dir", tmp_path / "other", "--target", "second").ok()
    assert config_file.chosen_target() == "second"
    warned = run_cli("init", "--storage-dir", runs, env={"QUARK_STORAGE_DIR": "/x"}).ok()
    assert "QUARK_STORAGE_DIR in the environment is stronger" in warned.err


def test_it_asks_on_a_terminal_and_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    shown, code = on_terminal("init", until="1 or 2", interrupt=True)
    assert (code, "Traceback" in shown) == (130, False)
    assert "Aborted." in shown
    assert not Path(config_path()).exists()

    shown, code = on_terminal("init", until="1 or 2", typed=f"1\n{tmp_path}/asked\n")
    assert code == 0, shown
    assert config_file.targets() == {"local": {"storage_dir": f"{tmp_path}/asked"}}


def test_what_cannot_be_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    for words, message in (
        (("init",), "no terminal to ask on; say where runs are to be kept with --storage-dir"),
        (("init", "--storage-dir", ".", "--url", "https://x.example.com"), "two places"),
        (("init", "--url", "quark.example.com"), "it must begin with https:// or http://"),
        (("init", "--url", "https://x.example.com/?key=1"), "only storage_dir may be there"),
        (("init", "--storage-dir", "/proc/no/such"), "cannot be made"),
        (("init", "--storage-dir", ".", "--target", "a b"), "a target's name must be up to 64"),
        (("init", "--storage-dir", ".", "--workspace", "a/b"), "workspace is 'a/b', but must"),
    ):
        done = run_cli(*words, cwd=tmp_path)
        assert done.code == 1, words
        assert message in done.err, (words, done.err)
    assert not Path(config_path()).exists()


def test_a_service_is_kept_once_it_has_accepted_the_key(tmp_path: Path) -> None:
    with running_service(service_config(tmp_path / "service")) as service:
        assert service.key is not None
        wrong = run_cli("init", "--url", service.url, "--key-stdin", stdin="qk_wrong_key\n")
        assert wrong.code == 2
        assert "qk_wrong" not in wrong.err + wrong.out
        assert not Path(config_path()).exists()

        good = run_cli("init", "--url", service.url, "--key-stdin", stdin=f"{service.key}\n")
        good.ok()
        assert "as admin" in good.out
        assert service.key not in good.out + good.err
        assert config_file.targets() == {
            "service": {"persistence_url": service.url, "user_key": service.key}
        }
        logged_run(tmp_path / "here", project="far")
        assert "far" in run_cli("project", "ls").ok().out

        later = run_cli("init", "--url", service.url, "--target", "later").ok()
        assert "quark auth login --target later" in later.out
        assert "user_key" not in config_file.targets()["later"]
