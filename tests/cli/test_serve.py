"""``quark serve``: its flags, what it says, and what it refuses to do."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from quark.cli.main import EXIT_FAILED, EXIT_OK, cli, run
from quark.cli.serve import serve
from quark.service import serving
from quark.service.config import ServiceConfig
from quark.service.config_sources import OPTIONS


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
