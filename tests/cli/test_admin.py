"""``quark admin``: the first key in one command, and everything after it from the shell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from quark.cli.main import EXIT_FAILED, EXIT_OK, EXIT_REFUSED, cli, run
from quark.errors import AuthenticationError
from quark.service.config import ServiceConfig
from quark.service.identity.engine import Identity
from quark.service.identity.key_text import read_key_text
from quark.service.stores import Stores
from quark.storage.documents import DocumentChange
from quark.storage.embedded import EmbeddedStore


class Shell:
    """Runs ``quark admin`` on one service's folder."""

    def __init__(self, root: Path, output: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self._output = output

    def __call__(self, *words: str, code: int = EXIT_OK) -> str:
        left = run(cli, ["admin", *words, "--root", str(self.root)])
        printed = self._output.readouterr()
        assert left == code, printed.err
        return printed.out if code == EXIT_OK else printed.err

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json"))

    def user_of(self, key: str) -> str:
        stores = Stores(ServiceConfig(root=self.root))
        try:
            return Identity(stores.control).authenticate(key).user
        finally:
            stores.close()


@pytest.fixture
def admin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path / "service", capsys)


def test_one_command_makes_the_first_key_and_prints_it_once(admin: Shell) -> None:
    key = admin("bootstrap").strip()

    assert read_key_text(key) is not None
    assert admin.user_of(key) == "admin"
    assert "administrator already: admin" in admin("bootstrap", code=EXIT_FAILED)
    assert "no administrator" in admin(
        "bootstrap", "--user", "eve", "--force-new-key", code=EXIT_REFUSED
    )
    again = admin.json("bootstrap", "--force-new-key")
    assert admin.user_of(again["user_key"]) == "admin"
    assert admin.user_of(key) == "admin"
    secrets = [text.rpartition("_")[2] for text in (key, again["user_key"])]
    listed = admin("key", "ls")
    files = [path.read_bytes() for path in admin.root.rglob("*") if path.is_file()]
    assert files
    for secret in secrets:
        assert secret not in listed
        assert not any(secret.encode() in content for content in files)


def test_workspaces_users_members_and_keys_are_ruled_from_the_shell(admin: Shell) -> None:
    admin("bootstrap", "--workspace", "team")
    assert "Workspace vision is there." in admin("workspace", "add", "vision")
    admin("user", "add", "ann", "--workspace", "vision", "--role", "viewer")
    admin("user", "add", "bob", "--service-admin")
    admin("member", "set", "vision", "bob", "member")
    assert "'ann' is a viewer" in admin(
        "key", "issue", "--user", "ann", "--workspace", "vision", code=EXIT_REFUSED
    )
    issued = admin.json(
        *("key", "issue", "--user", "ann", "--workspace", "vision", "--scope", "read"),
        *("--label", "plots", "--expires-days", "30"),
    )

    assert admin.user_of(issued["user_key"]) == "ann"
    assert [row["workspace"] for row in admin.json("workspace", "ls")] == ["team", "vision"]
    assert {row["user"]: row["service_admin"] for row in admin.json("user", "ls")} == {
        "admin": True,
        "ann": False,
        "bob": True,
    }
    assert admin.json("member", "ls", "vision") == [
        {"user": "ann", "role": "viewer"},
        {"user": "bob", "role": "member"},
    ]
    (row,) = admin.json("key", "ls", "--user", "ann")
    assert (row["label"], row["scope"], row["revoked_at"]) == ("plots", "read", None)
    assert row["last_used_at"] is not None
    assert row["expires_at"] > row["created_at"]

    assert "is revoked" in admin("key", "revoke", issued["key_id"])
    with pytest.raises(AuthenticationError, match="revoked"):
        admin.user_of(issued["user_key"])
    assert "enabled" in admin("user", "disable", "ann", "--undo")
    assert "disabled" in admin("user", "disable", "ann")
    admin("member", "rm", "vision", "bob")
    lines = [line.split() for line in admin("user", "ls").splitlines()]
    assert lines[0] == [
        "user",
        "service_admin",
        "disabled",
        "created_at",
    ]
    assert lines[2][:3] == ["ann", "no", "yes"]


def test_what_cannot_be_is_said_in_a_line_and_leaves_nothing_behind(admin: Shell) -> None:
    admin("bootstrap")
    for words, said in (
        (("workspace", "add", "../x"), "lower-case letters"),
        (("user", "add", "ann", "--workspace", "nosuch"), "no workspace 'nosuch'"),
        (("key", "revoke", "nosuch"), "no user key"),
        (("key", "issue", "--user", "x", "--workspace", "y", "--expires-days", "0"), "0"),
        (("member", "set", "a", "b", "owner"), "owner"),
    ):
        assert said in admin(*words, code=EXIT_FAILED)

    assert [user["user"] for user in admin.json("user", "ls")] == ["admin"]


def test_the_log_says_which_user_of_the_machine_it_was(admin: Shell) -> None:
    admin("bootstrap")
    stores = Stores(ServiceConfig(root=admin.root))
    entries = Identity(stores.control).audit.page().entries
    stores.close()

    assert entries
    assert all(entry.by.user.startswith("local:") for entry in entries)


def test_a_whole_key_can_be_revoked_and_its_secret_is_not_repeated(admin: Shell) -> None:
    key = admin("bootstrap").strip()

    assert "is revoked" in admin("key", "revoke", key)
    foreign = "qk_" + "0" * 12 + key[15:]
    said = admin("key", "revoke", foreign, code=EXIT_FAILED)
    assert key.rpartition("_")[2] not in said


def test_a_root_whose_records_are_elsewhere_is_not_ruled_in_its_files(admin: Shell) -> None:
    memory = admin.root / "service" / "service.json"
    memory.parent.mkdir(parents=True)
    engines = {"db": "postgresql", "points": "files", "blobs": "files"}
    memory.write_text(json.dumps({"format": 1, "engines": engines}))

    assert "give --db postgresql://" in admin("bootstrap", code=EXIT_FAILED)
    assert not (admin.root / ".quark").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("workspace", "ls"),
        ("user", "add", "ann"),
        ("key", "issue", "--user", "ann", "--workspace", "team"),
        ("gc", "--dry-run"),
        ("backup", "copy"),
    ],
    ids=" ".join,
)
def test_a_root_with_a_slip_in_it_is_refused_and_nothing_is_made_there(
    words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slip = Shell(tmp_path / "srv" / "quork", capsys)

    said = slip(*words, code=EXIT_FAILED)

    assert f"There is no service in {slip.root}" in said
    assert "quark admin bootstrap" in said
    assert not (tmp_path / "srv").exists()


def test_a_folder_that_holds_somebodys_runs_is_no_service(admin: Shell) -> None:
    store = EmbeddedStore(admin.root / ".quark")
    store.documents.apply([DocumentChange("sweep", "vision/a", {})])
    store.close()

    assert "There is no service in" in admin("workspace", "add", "vision", code=EXIT_FAILED)


def test_where_a_service_is_comes_from_flags_then_the_environment_then_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def workspaces(*words: str) -> list[str]:
        assert run(cli, ["admin", "workspace", "ls", "--json", *words]) == EXIT_OK
        return [row["workspace"] for row in json.loads(capsys.readouterr().out)]

    for name in ("flag", "variable", "file"):
        root = str(tmp_path / name)
        assert run(cli, ["admin", "bootstrap", "--root", root, "--workspace", name]) == EXIT_OK
    capsys.readouterr()
    file = tmp_path / "quark.toml"
    file.write_text(f"root = {str(tmp_path / 'file')!r}\nworkers = 2\n")

    assert workspaces("--config", str(file)) == ["file"]
    monkeypatch.setenv("QUARK_SERVE_CONFIG", str(file))
    assert workspaces() == ["file"]
    monkeypatch.setenv("QUARK_SERVE_ROOT", str(tmp_path / "variable"))
    assert workspaces() == ["variable"]
    assert workspaces("--root", str(tmp_path / "flag")) == ["flag"]


@pytest.mark.parametrize("words", [("workspace", "ls"), ("gc", "--yes"), ("backup", "copy")])
def test_a_databases_password_need_not_be_among_the_arguments_and_is_never_shown(
    words: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = "postgresql://quark:hush@127.0.0.1:9/quark?connect_timeout=1"
    (tmp_path / "url").write_text(url)
    root = tmp_path / "service"
    (root / "workspaces").mkdir(parents=True)
    told: list[tuple[str, ...]] = [("--db-file", str(tmp_path / "url")), ()]
    for more in told:
        if not more:
            monkeypatch.setenv("QUARK_SERVE_DB", url)
        assert run(cli, ["admin", *words, "--root", str(root), *more]) == EXIT_FAILED
        said = capsys.readouterr().err
        assert "127.0.0.1" in said, "it is the database that is asked"
        assert "hush" not in said
    assert sorted(path.name for path in root.iterdir()) == ["workspaces"]
