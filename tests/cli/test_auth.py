"""Keys: asked for, checked at the service before they are kept, never shown, taken back."""

from __future__ import annotations

import stat
from pathlib import Path

from quark.cli import config_file
from quark.settings import config_path
from tests.support.cli import json_of, on_terminal, run_cli
from tests.support.service import running_service, service_config


def test_a_key_is_kept_if_it_is_good_and_goes_when_it_should(tmp_path: Path) -> None:
    nowhere = run_cli("auth", "login", "--key-stdin", stdin="qk_x\n")
    assert (nowhere.code, "names no service to log in to" in nowhere.err) == (1, True)
    local = json_of(run_cli("auth", "whoami", "--storage-dir", tmp_path, "--json"))
    assert (local["kind"], local["place"]) == ("folder", str(tmp_path))

    with running_service(service_config(tmp_path / "service")) as service:
        assert service.key is not None
        wrong = run_cli("auth", "login", "--url", service.url, "--key-stdin", stdin="qk_no_no\n")
        assert (wrong.code, Path(config_path()).exists()) == (2, False)
        empty = run_cli("auth", "login", "--url", service.url, "--key-stdin", stdin="\n")
        assert (empty.code, "The user key is empty" in empty.err) == (1, True)

        words = ("auth", "login", "--url", service.url, "--target", "team", "--key-stdin")
        said = json_of(run_cli(*words, "--json", stdin=f" {service.key}\n"))
        assert (said["user"], said["workspace"], said["scope"]) == ("admin", "local", "admin")
        file = Path(config_path())
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700

        shown = run_cli("auth", "whoami").ok()
        assert "admin" in shown.out
        assert service.key not in shown.out
        me = json_of(run_cli("auth", "whoami", "--json"))
        assert (me["kind"], me["target"], me["key_id"] in service.key) == ("service", "team", True)
        bad = run_cli("auth", "whoami", env={"QUARK_USER_KEY": "qk_no_no"})
        assert bad.code == 2
        # The same service has one target, however its URL is written.
        again = run_cli(
            "auth", "login", "--url", f"{service.url}/", "--key-stdin", stdin=service.key
        )
        again.ok()
        assert list(config_file.targets()) == ["team"]
        other = run_cli("auth", "login", "--target", "team", "--url", "https://x.example.com")
        assert (other.code, "leave one of them out" in other.err) == (1, True)

        asked, code = on_terminal("auth", "login", until="not shown", typed=f"{service.key}\n")
        assert code == 0, asked
        assert service.key not in asked  # it is not echoed
        assert "Logged in" in asked

        gone = json_of(run_cli("auth", "logout", "--revoke", "--json"))
        assert gone["revoked"] is True
        assert "user_key" not in config_file.targets()["team"]
        assert run_cli("auth", "whoami").code == 2
        assert run_cli("auth", "whoami", env={"QUARK_USER_KEY": service.key}).code == 2
        twice = run_cli("auth", "logout")
        assert (twice.code, "nobody is logged in" in twice.err) == (1, True)


def test_a_folder_does_not_become_a_service_by_a_login(tmp_path: Path) -> None:
    run_cli("init", "--storage-dir", tmp_path).ok()

    for words in (("--target", "local"), ("--target", "local", "--url", "http://127.0.0.1:1")):
        done = run_cli("auth", "login", *words, "--key-stdin", stdin="qk_x_y\n")
        assert done.code == 1
        assert "is a folder" in done.err or "names no service" in done.err
    assert config_file.targets() == {"local": {"storage_dir": str(tmp_path)}}
