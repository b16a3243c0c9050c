"""``quark serve``: its flags, what it says, and what it refuses to do."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click
import pytest

from quark.cli.main import EXIT_FAILED, EXIT_OK, cli, run
from quark.cli.serve import serve
from quark.service import serving
from quark.service.config import ServiceConfig
from quark.service.config_sources import OPTIONS
from tests.support.certificates import Authority


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[ServiceConfig]:
    """Return the configurations that would have been served."""
    configs: list[ServiceConfig] = []

    def remember(config: ServiceConfig, listener: object, ready: object) -> int:
        configs.append(config)
        return 0

    monkeypatch.setattr(serving, "run", remember)
    return configs


def test_every_option_of_a_service_is_a_flag() -> None:
    flags = {flag for parameter in serve.params for flag in parameter.opts}

    assert {option.flag for option in OPTIONS} <= flags
    assert {"--config", "--db-file", "--points-file", "--blobs-file"} <= flags


def test_flags_become_the_configuration(
    tmp_path: Path, served: list[ServiceConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    words = "--port 0 --fsync --no-metrics-public --max-keys-per-run 7 --max-headers 8 "
    words += "--behind-proxy 10.0.0.1 --behind-proxy ::1 --host 0.0.0.0"

    code = run(cli, ["serve", "--root", str(tmp_path / "root"), *words.split()])

    (config,) = served
    assert code == EXIT_OK, capsys.readouterr().err
    assert (config.root, config.port, config.fsync) == (tmp_path / "root", 0, True)
    assert (config.max_keys_per_run, config.guards.max_headers) == (7, 8)
    assert config.behind_proxy == ("10.0.0.1", "::1")


def test_a_first_start_says_where_it_is_and_how_to_make_a_key(
    tmp_path: Path, served: list[ServiceConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "root"
    run(cli, ["serve", "--root", str(root), "--port", "0"])
    first = capsys.readouterr().out
    command = next(line for line in first.splitlines() if "quark admin" in line).split()

    assert run(cli, command[1:]) == EXIT_OK  # what it says works as it stands
    key = capsys.readouterr().out.strip()
    run(cli, ["serve", "--root", str(root), "--port", "0"])
    second = capsys.readouterr().out

    assert "Quark listens on http://127.0.0.1:" in first
    assert f"data: {root}" in first
    assert "this machine only" in first
    assert "administrators: admin" in second
    assert key.startswith("qk_")
    assert key not in second
    assert len(served) == 2


def test_a_root_that_is_new_is_said_to_be_once_and_refused_where_it_must_not_be(
    tmp_path: Path, served: list[ServiceConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    root, slip = tmp_path / "root", tmp_path / "not-mounted"
    words = ["serve", "--port", "0", "--root"]

    assert run(cli, [*words, str(slip), "--no-new-root"]) == EXIT_FAILED
    refused = capsys.readouterr().err
    assert f"No service was on the root {slip} before" in refused
    assert not slip.exists()

    run(cli, [*words, str(root)])
    first = capsys.readouterr()
    assert f"Quark begins a new store: no service was on {root} before." in first.out
    (line,) = map(json.loads, first.err.splitlines())
    assert (line["event"], line["level"], line["root"]) == ("new root", "warning", str(root))
    run(cli, [*words, str(root), "--no-new-root"])
    second = capsys.readouterr()
    assert "new" not in second.out.replace(str(root), "")
    assert second.err == ""
    assert len(served) == 2


def test_without_tls_it_stays_on_this_machine_unless_told_otherwise(
    tmp_path: Path, served: list[ServiceConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["serve", "--root", str(tmp_path / "root"), "--port", "0", "--host", "0.0.0.0"]

    refused = run(cli, words)
    said = capsys.readouterr().err
    allowed = run(cli, [*words, "--allow-plain-http"])

    assert (refused, allowed) == (EXIT_FAILED, EXIT_OK)
    assert "can read user keys" in said
    for way_out in ("--tls-cert", "--behind-proxy", "--allow-plain-http"):
        assert way_out in said
    assert not (tmp_path / "root").exists() or len(served) == 1
    assert "user keys can be read on the way" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--port", "many"], "many"),
        (["--root", "/dev/null/root"], "cannot be used"),
        (["--root", "r", "--workers", "0"], "workers is 0"),
        (["--root", "r", "--db", "mysql://quark:hunter2@db"], "postgresql://"),
        ([], "--root"),
    ],
)
def test_what_cannot_work_is_said_in_one_line(
    words: list[str], said: str, served: list[ServiceConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(cli, ["serve", *words])

    told = capsys.readouterr().err
    assert code == EXIT_FAILED
    assert said in told
    assert "hunter2" not in told
    assert "Traceback" not in told
    assert served == []


def test_help_names_every_flag() -> None:
    text = click.Context(serve).get_help()

    for option in OPTIONS:
        assert option.flag in text


def test_tls_files_that_cannot_be_used_are_refused_before_anything_starts(
    tmp_path: Path, served: list[ServiceConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    authority = Authority(tmp_path)
    good, key = authority.sign("good")
    _, other_key = authority.sign("other")
    words = ["serve", "--root", str(tmp_path / "root"), "--port", "0"]
    for cert, its_key, said in (
        (tmp_path / "nosuch.pem", key, "tls_cert .*nosuch.pem cannot be read: No such file"),
        (good, tmp_path, "tls_key .* cannot be read: Is a directory"),
        (good, other_key, "cannot be used: .*mismatch.*chain and its own private key"),
        (key, good, "cannot be used"),
    ):
        assert run(cli, [*words, "--tls-cert", str(cert), "--tls-key", str(its_key)]) == EXIT_FAILED
        assert re.search(said, capsys.readouterr().err, re.IGNORECASE)

    assert run(cli, [*words, "--tls-cert", str(good), "--tls-key", str(key)]) == EXIT_OK
    assert "https://" in capsys.readouterr().out
    assert len(served) == 1


def test_more_workers_than_any_machine_bears_are_refused(
    tmp_path: Path, served: list[ServiceConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["serve", "--root", str(tmp_path / "root"), "--workers", "1000000"]

    assert run(cli, words) == EXIT_FAILED
    assert "at most 256" in capsys.readouterr().err
    assert served == []
