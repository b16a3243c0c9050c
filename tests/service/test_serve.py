"""Before a service answers: its configuration, its root, its socket."""

from __future__ import annotations

import os
import socket
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from quark import jsonio
from quark.errors import SchemaMigrationError, SettingsError
from quark.service.config import ServiceConfig
from quark.service.config_sources import OPTIONS, load_config
from quark.service.limits import GuardLimits
from quark.service.root_folder import DEAD_AFTER_SECONDS, RootClaim, prepare_root, remember_engines
from quark.service.serving import address_of, bind

# -- configuration --------------------------------------------------------------------------------


def test_every_field_can_be_told_under_a_name_of_its_own() -> None:
    told = [(option.field, option.of_guards) for option in OPTIONS]

    assert told == [
        *((item.name, False) for item in fields(ServiceConfig) if item.name != "guards"),
        *((item.name, True) for item in fields(GuardLimits)),
    ]
    assert len({option.name for option in OPTIONS}) == len(OPTIONS)
    assert all(option.doc for option in OPTIONS if not option.of_guards)


def test_flags_come_before_the_environment_and_that_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "quark.toml"
    file.write_text(
        'root = "/from/file"\nport = 1111\nhost = "10.0.0.1"\nfsync = true\n'
        'cors_origins = ["https://a.example"]\nbody_timeout_seconds = 7\nmax_headers = 9\n'
    )
    monkeypatch.setenv("QUARK_SERVE_CONFIG", str(file))
    monkeypatch.setenv("QUARK_SERVE_PORT", "2222")
    monkeypatch.setenv("QUARK_SERVE_HOST", "10.0.0.2")
    monkeypatch.setenv("QUARK_SERVE_BEHIND_PROXY", "10.0.0.0/8, ::1")
    monkeypatch.setenv("QUARK_SERVE_METRICS_PUBLIC", "yes")
    monkeypatch.setenv("QUARK_SERVE_WORKERS", "")  # as if it were unset

    config = load_config({"host": "10.0.0.3", "port": None, "cors_origins": ()})

    assert config == ServiceConfig(
        root=Path("/from/file"),
        host="10.0.0.3",
        port=2222,
        fsync=True,
        cors_origins=("https://a.example",),
        body_timeout_seconds=7.0,
        behind_proxy=("10.0.0.0/8", "::1"),
        metrics_public=True,
        guards=GuardLimits(max_headers=9),
    )


def test_a_url_with_a_password_comes_from_a_file_and_is_shown_nowhere(tmp_path: Path) -> None:
    secret = tmp_path / "db-url"
    secret.write_text("postgresql://quark:hunter2@db/quark\n")

    config = load_config({"root": "/srv", "db_file": secret})

    assert config.db_url == "postgresql://quark:hunter2@db/quark"
    assert "hunter2" not in repr(config)
    with pytest.raises(SettingsError, match="both db and db_file"):
        load_config({"root": "/srv", "db_file": secret, "db": "postgresql://db"})


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("no-root", {}, "root is not set"),
    ("unknown", {"root": "/srv", "prot": 1}, "'prot', which is nothing"),
    ("no-number", {"root": "/srv", "port": "many"}, "port to 'many', which is no int"),
    ("half", {"root": "/srv", "workers": 1.5}, "workers to 1.5, which is no int"),
    ("no-truth", {"root": "/srv", "fsync": "perhaps"}, "which is no bool"),
    ("zero", {"root": "/srv", "workers": 0}, "workers is 0"),
    ("negative", {"root": "/srv", "merge_processes": -1}, "merge_processes is -1"),
    ("negative-reads", {"root": "/srv", "read_processes": -1}, "read_processes is -1"),
    ("half-tls", {"root": "/srv", "tls_cert": "c.pem"}, "must be given together"),
    ("retention", {"root": "/srv", "points_retention": ["team=90"]}, "needs points_url"),
    (
        "retention-days",
        {"root": "/srv", "points": "clickhouse://ch/q", "points_retention": ["team=0"]},
        "'team=0', but must be WORKSPACE=DAYS",
    ),
    ("proxy-name", {"root": "/srv", "behind_proxy": ["proxy.local"]}, "'proxy.local'"),
    ("secret-list", {"root": "/srv", "db": ["hunter2"]}, r"db to \[redacted\]"),
    ("no-file", {"root": "/srv", "db_file": "/no/such/file"}, "cannot be read"),
    ("guard", {"root": "/srv", "max_headers": 0}, "max_headers is 0"),
]


@pytest.mark.parametrize(
    ("flags", "said"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_what_cannot_be_meant_is_refused(flags: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said) as refusal:
        load_config(flags)

    assert "hunter2" not in str(refusal.value)


def test_a_file_that_is_no_toml_or_sets_something_unknown_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "quark.toml"
    for text, said in (("root = ", "cannot be read"), ('rot = "/srv"', "'rot'")):
        file.write_text(text)
        with pytest.raises(SettingsError, match=said):
            load_config({}, file)


@pytest.mark.parametrize(
    ("what", "is_private"),
    [
        ({}, True),
        ({"host": "127.8.8.8"}, True),
        ({"host": "::1"}, True),
        ({"host": "localhost"}, True),
        ({"host": "0.0.0.0"}, False),
        ({"host": "::"}, False),
        ({"host": "db.example"}, False),
        ({"host": "0.0.0.0", "behind_proxy": ("10.0.0.1",)}, True),
        ({"host": "0.0.0.0", "tls_cert": Path("c"), "tls_key": Path("k")}, True),
        ({"host": "0.0.0.0", "uds": Path("s")}, True),
        ({"host": "0.0.0.0", "allow_plain_http": True}, False),
    ],
)
def test_keys_are_private_on_this_machine_and_behind_tls_only(
    what: dict[str, Any], is_private: bool
) -> None:
    assert ServiceConfig(root=Path("/srv"), **what).is_private is is_private


# -- the root -------------------------------------------------------------------------------------


@pytest.fixture
def config(tmp_path: Path) -> ServiceConfig:
    return ServiceConfig(root=tmp_path / "deep" / "root")


def other_host(config: ServiceConfig) -> Path:
    """Leave what a service on another host leaves."""
    path = config.root / "service" / "processes" / "other.example-123.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    return path


def test_an_empty_root_is_made_and_can_be_used_again_by_others_of_this_host(
    config: ServiceConfig,
) -> None:
    prepare_root(config)
    claim = RootClaim(config.root)
    claim.beat()

    prepare_root(config)
    claim.release()
    claim.release()

    assert (config.root / "service").stat().st_mode & 0o077 == 0
    assert list((config.root / "service" / "processes").iterdir()) == []


def test_two_hosts_do_not_share_a_root_until_one_of_them_is_dead(config: ServiceConfig) -> None:
    path = other_host(config)

    with pytest.raises(SettingsError, match=r"process 123 on host 'other\.example'"):
        prepare_root(config)

    now = path.stat().st_mtime
    os.utime(path, (now, now - DEAD_AFTER_SECONDS - 5))
    prepare_root(config)
    assert not path.exists()


def test_other_engines_than_last_time_are_refused(config: ServiceConfig) -> None:
    prepare_root(config)
    remember_engines(config)
    moved = ServiceConfig(root=config.root, db_url="postgresql://quark:hunter2@db/quark")

    with pytest.raises(SettingsError, match="with db in files, and now db is in postgresql") as no:
        prepare_root(moved)

    assert "hunter2" not in str(no.value)
    (config.root / "service" / "service.json").unlink()  # as the message says
    prepare_root(moved)
    remember_engines(moved)
    assert "hunter2" not in (config.root / "service" / "service.json").read_text()


def test_a_root_of_a_newer_quark_and_one_that_is_damaged_are_refused(config: ServiceConfig) -> None:
    prepare_root(config)
    remember_engines(config)
    memory = config.root / "service" / "service.json"
    known = jsonio.loads(memory.read_bytes())

    memory.write_bytes(jsonio.dumps({**known, "format": 99}))
    with pytest.raises(SchemaMigrationError, match="Install a newer Quark"):
        prepare_root(config)
    memory.write_bytes(b"{")
    with pytest.raises(SettingsError, match="damaged"):
        prepare_root(config)


def test_a_root_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(SettingsError, match="cannot be used"):
        prepare_root(ServiceConfig(root=tmp_path / "file"))


# -- the socket -----------------------------------------------------------------------------------


def test_a_free_port_is_taken_and_one_that_is_taken_refused(tmp_path: Path) -> None:
    with bind(ServiceConfig(root=tmp_path, port=0)) as listener:
        port = listener.getsockname()[1]
        taken = ServiceConfig(root=tmp_path, port=port)

        assert address_of(taken, listener) == f"http://127.0.0.1:{port}"
        with pytest.raises(SettingsError, match=f"port {port}: Address already in use"):
            bind(taken)


def test_a_host_that_is_not_this_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot listen on 192\.0\.2\.1"):
        bind(ServiceConfig(root=tmp_path, host="192.0.2.1", port=0))


def test_a_unix_socket_is_taken_over_from_the_dead_but_not_from_the_living(tmp_path: Path) -> None:
    config = ServiceConfig(root=tmp_path, uds=tmp_path / "socket")
    with bind(config) as listener:
        assert address_of(config, listener) == f"unix:{tmp_path / 'socket'}"
        assert (tmp_path / "socket").stat().st_mode & 0o007 == 0
        with pytest.raises(SettingsError, match="Another process listens"):
            bind(config)

    with bind(config), socket.socket(socket.AF_UNIX) as client:  # what was left is dead now
        client.connect(str(tmp_path / "socket"))
