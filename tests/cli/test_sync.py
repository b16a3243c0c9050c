"""What was logged offline, or left by a process that died, comes to where it belongs."""

from __future__ import annotations

from pathlib import Path

from quark.storage.embedded import EmbeddedStore
from quark.storage.layout import store_root
from tests.support.cli import json_of, logged_run, on_terminal, run_cli
from tests.support.service import running_service, service_config


def test_offline_runs_come_into_their_folder_once(tmp_path: Path) -> None:
    first = logged_run(tmp_path, mode="offline", steps=20)
    second = logged_run(tmp_path / "below", mode="offline", steps=3)
    assert run_cli("project", "ls", "--storage-dir", tmp_path).code in (0, 1)

    done = run_cli("sync", tmp_path).ok()
    assert "of 2 runs" in done.out
    store = EmbeddedStore(store_root(tmp_path))
    assert store.points.keys(first)["loss"].count == 20
    store.close()
    again = json_of(run_cli("sync", tmp_path, "--json"))
    assert (again["run_ids"], again["sent_count"], again["waiting"]) == ([], 0, [])
    assert "Nothing waits below" in run_cli("sync", cwd=tmp_path).ok().out
    assert run_cli("verify", second, "--storage-dir", tmp_path / "below").code == 0
    missing = run_cli("sync", tmp_path / "nowhere")
    assert (missing.code, "does not exist" in missing.err) == (1, True)


def test_runs_for_a_service_wait_say_why_and_then_go_with_a_bar_on_a_terminal(
    tmp_path: Path,
) -> None:
    with running_service(service_config(tmp_path / "service")) as service:
        key = {"QUARK_USER_KEY": service.key}
        run_id = logged_run(
            tmp_path, mode="offline", artifact=b"weights", persistence_url=service.url
        )
        waits = run_cli("sync", tmp_path, "--json")
        reason = json_of(waits, code=1)["waiting"][0]
        assert "set QUARK_PERSISTENCE_URL" in reason
        wrong = run_cli("sync", tmp_path, "--url", service.url, env={"QUARK_USER_KEY": "qk_a_b"})
        assert wrong.code == 2

        shown, code = on_terminal("sync", tmp_path, "--url", service.url, env=key)
        assert code == 0, shown
        assert "delivering" in shown
        rows = json_of(run_cli("project", "ls", "--url", service.url, "--json", env=key))
        assert rows[0]["last_run_id"] == run_id
        whole = run_cli("verify", run_id, "--url", service.url, env=key)
        assert whole.code == 0, whole.out + whole.err

        # Whole runs of a folder, by the beginning of a name, to a target.
        local = logged_run(tmp_path / "local", name="tall tree", artifact=b"other")
        login = ("auth", "login", "--url", service.url, "--target", "team", "--key-stdin")
        run_cli(*login, stdin=service.key or "").ok()
        words = ("sync", tmp_path / "local", "--run", "tall", "--target", "team")
        copied = json_of(run_cli(*words, "--json"))
        assert (copied["run_ids"], copied["payload_count"]) == ([local], 1)
        assert json_of(run_cli(*words, "--json"))["sent_count"] == 0
        both = run_cli(*words, "--all-runs")
        assert (both.code, "leave --run out" in both.err) == (1, True)
        assert run_cli("verify", local).code == 0  # the target was chosen by the login
        unknown = run_cli("sync", tmp_path / "local", "--run", "nobody", "--target", "team")
        assert (unknown.code, "There is no run 'nobody'" in unknown.err) == (1, True)
