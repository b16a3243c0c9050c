"""Settings: where they come from, what is refused, and that the documentation says the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from quark import settings
from quark.errors import SettingsError
from quark.settings import GIB, MIB, Settings, distributed_rank, environment, world_size

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A process without any setting; returns where its configuration file would be."""
    launchers = {name for pair in settings._LAUNCHERS for name in pair}
    for name in settings.environment_snapshot():
        if name.startswith("QUARK_") or name in launchers:
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    return tmp_path / "xdg" / "quark" / "config.toml"


def write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def test_with_nothing_set_every_default_holds_and_the_store_is_the_embedded_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)

    assert Settings.load() == Settings(
        persistence_url=None,
        user_key=None,
        persistence_timeout_seconds=15.0,
        require_service=False,
        storage_dir=None,
        workspace="local",
        mode="online",
        spool_max_bytes=10 * GIB,
        segment_bytes=4 * MIB,
        memory_ring_bytes=64 * MIB,
        durability="page_cache",
        ship_interval_seconds=0.2,
        finish_timeout_seconds=30.0,
        quiet=False,
        extensions=(),
        capture_environment=True,
    )
    assert Settings.load().storage_path == tmp_path


def test_an_argument_beats_the_environment_which_beats_the_file_which_beats_the_default(
    monkeypatch: pytest.MonkeyPatch, nothing_set: Path
) -> None:
    write(nothing_set, 'workspace = "file"\nmode = "offline"\ndurability = "fsync"\n')
    monkeypatch.setenv("QUARK_WORKSPACE", "variable")
    monkeypatch.setenv("QUARK_MODE", "disabled")
    loaded = Settings.load(workspace="argument", mode=None)

    assert (loaded.workspace, loaded.mode, loaded.durability) == ("argument", "disabled", "fsync")
    assert loaded.segment_bytes == 4 * MIB


@pytest.mark.parametrize(
    ("name", "variable", "text", "expected"),
    [
        (
            "persistence_url",
            "QUARK_PERSISTENCE_URL",
            "https://q.example.com",
            "https://q.example.com",
        ),
        ("persistence_url", "QUARK_PERSISTENCE_URL", "sqlite:/data/runs", "sqlite:/data/runs"),
        ("user_key", "QUARK_USER_KEY", "qk_1", "qk_1"),
        ("persistence_timeout_seconds", "QUARK_PERSISTENCE_TIMEOUT_SECONDS", "30", 30.0),
        ("require_service", "QUARK_REQUIRE_SERVICE", "1", True),
        ("require_service", "QUARK_REQUIRE_SERVICE", "off", False),
        ("storage_dir", "QUARK_STORAGE_DIR", "/data", "/data"),
        ("workspace", "QUARK_WORKSPACE", "team a", "team a"),
        ("mode", "QUARK_MODE", "offline", "offline"),
        ("spool_max_bytes", "QUARK_SPOOL_MAX_BYTES", "8388608", 8 * MIB),
        ("segment_bytes", "QUARK_SEGMENT_BYTES", "65536", 65536),
        ("durability", "QUARK_DURABILITY", "fsync", "fsync"),
        ("quiet", "QUARK_QUIET", "TRUE", True),
        ("on_alert", "QUARK_ON_ALERT", "stop", "stop"),
        ("live_rules", "QUARK_LIVE_RULES", "0", False),
        ("wandb_mirror", "QUARK_WANDB_MIRROR", "1", True),
        ("extensions", "QUARK_EXTENSIONS", "a.b:C, d:e ,", ("a.b:C", "d:e")),
        ("extensions", "QUARK_EXTENSIONS", "", ()),
        ("mode", "QUARK_MODE", "", "online"),
    ],
)
def test_each_variable_sets_its_setting_and_an_empty_one_sets_nothing(
    monkeypatch: pytest.MonkeyPatch, name: str, variable: str, text: str, expected: object
) -> None:
    monkeypatch.setenv(variable, text)

    assert getattr(Settings.load(), name) == expected
    assert settings._FIELDS[name].metadata["variable"] == variable


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("QUARK_SEGMENT_BYTES", "4MB", "QUARK_SEGMENT_BYTES is '4MB', but must be a whole number"),
        ("QUARK_SEGMENT_BYTES", "1e6", "must be a whole number"),
        ("QUARK_SEGMENT_BYTES", "1024", "segment_bytes is 1024, but must be at least 65536"),
        ("QUARK_SPOOL_MAX_BYTES", "65536", "be at least segment_bytes, which is 4194304"),
        ("QUARK_PERSISTENCE_TIMEOUT_SECONDS", "soon", "must be a number"),
        ("QUARK_PERSISTENCE_TIMEOUT_SECONDS", "nan", "must be a finite number"),
        ("QUARK_PERSISTENCE_TIMEOUT_SECONDS", "0", "must be above 0"),
        ("QUARK_REQUIRE_SERVICE", "maybe", "but must be 1, true, yes, on or 0, false, no, off"),
        ("QUARK_MODE", "Online", "must be one of 'online', 'offline', 'disabled'"),
        ("QUARK_DURABILITY", "raid", "must be one of 'page_cache', 'fsync'"),
        ("QUARK_ON_ALERT", "explode", "must be one of 'warn', 'stop', 'record'"),
        ("QUARK_WORKSPACE", "a/b", "without '/'"),
        ("QUARK_STORAGE_DIR", "  ", "not be blank"),
        ("QUARK_PERSISTENCE_URL", "quark.example.com", "must be a URL such as"),
        ("QUARK_PERSISTENCE_URL", "https:///x", "must name a host"),
        ("QUARK_EXTENSIONS", "a.b", "hold names like 'package.module:attribute', not 'a.b'"),
        ("QUARK_USER_KEY", "qk_1\n", "as an HTTP header needs"),
    ],
)
def test_a_bad_variable_is_refused_with_its_name_its_value_and_the_rule(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, message: str
) -> None:
    monkeypatch.setenv(variable, text)

    with pytest.raises(SettingsError) as raised:
        Settings.load()

    assert message in str(raised.value)
    assert variable in str(raised.value)
    if variable != "QUARK_USER_KEY":
        assert text in str(raised.value) or repr(text) in str(raised.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"quiet": 1}, "quiet is 1, but must be True or False"),
        ({"segment_bytes": True}, "must be a whole number"),
        ({"segment_bytes": 70000.0}, "must be a whole number"),
        ({"memory_ring_bytes": 1}, "memory_ring_bytes is 1, but must be at least 65536"),
        ({"ship_interval_seconds": 0}, "must be above 0"),
        ({"ship_interval_seconds": "1"}, "must be a finite number"),
        ({"finish_timeout_seconds": -1}, "must be at least 0"),
        ({"workspace": None}, "workspace is None, but must be a string"),
        ({"extensions": "a:b"}, "must be a tuple of strings"),
        ({"storage_dir": 3}, "must be a string"),
        ({"colour": "red"}, "Setting 'colour' is not known. Settings are persistence_url"),
    ],
)
def test_a_bad_argument_is_refused_and_never_adjusted(values: dict[str, Any], message: str) -> None:
    with pytest.raises((SettingsError, TypeError)) as raised:
        Settings.load(**values) if "colour" in values else Settings(**values)

    assert isinstance(raised.value, SettingsError)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('colour = "red"', "sets 'colour', which is not a setting"),
        ("[quark]\nmode = 'offline'", "sets 'quark', which is not a setting"),
        ("mode = ", "is not valid TOML"),
        ('quiet = "yes"', "quiet is 'yes', but must be True or False"),
        ("extensions = [1]", "must be a tuple of strings"),
    ],
)
def test_a_bad_file_is_refused_with_its_path_or_key(
    nothing_set: Path, content: str, message: str
) -> None:
    write(nothing_set, content)

    with pytest.raises(SettingsError) as raised:
        Settings.load()

    assert message in str(raised.value)
    assert str(nothing_set) in str(raised.value) or "the argument" in str(raised.value)


def test_a_file_that_cannot_be_read_is_refused_and_a_good_one_is_taken(
    monkeypatch: pytest.MonkeyPatch, nothing_set: Path, tmp_path: Path
) -> None:
    write(nothing_set, 'extensions = ["a:b"]\nsegment_bytes = 131072\nfinish_timeout_seconds = 5\n')
    taken = Settings.load()
    assert (taken.extensions, taken.segment_bytes) == (("a:b",), 131072)
    assert taken.finish_timeout_seconds == 5

    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert settings.config_path() == str(tmp_path / ".config" / "quark" / "config.toml")

    (tmp_path / ".config" / "quark" / "config.toml").mkdir(parents=True)
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        Settings.load()


def test_the_key_and_a_password_in_a_url_are_never_shown() -> None:
    shown = repr(
        Settings(user_key="qk_verysecret", persistence_url="postgresql://bob:hunter2@db/q")
    )
    assert "verysecret" not in shown
    assert "hunter2" not in shown
    assert "postgresql://[redacted]@db/q" in shown

    for values in ({"persistence_url": "https://bob:hunter2@quark"}, {"user_key": "hunter2 "}):
        with pytest.raises(SettingsError) as raised:
            Settings(**values)  # type: ignore[arg-type]
        assert "hunter2" not in str(raised.value)


def test_sessions_are_followed_by_the_extensions_named_and_then_by_those_not_switched_off() -> None:
    live = "quark.live.extension:LiveRules"
    both = Settings(extensions=("a:b",)).session_extensions

    assert both[:2] == ("a:b", live)
    assert live not in Settings(live_rules=False).session_extensions
    assert Settings(mode="disabled", extensions=("a:b",)).session_extensions == ("a:b",)


def test_paths_and_lists_are_taken_as_arguments(tmp_path: Path) -> None:
    loaded = Settings.load(storage_dir=tmp_path / "x" / ".." / "y", extensions=["a:b"])

    assert loaded.storage_path == tmp_path / "y"
    assert loaded.extensions == ("a:b",)


@pytest.mark.parametrize(
    ("variables", "rank", "size"),
    [
        ({}, 0, 1),
        ({"RANK": "3", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "SLURM_PROCID": "0"}, 3, 8),
        ({"OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_SIZE": "4", "SLURM_PROCID": "0"}, 2, 4),
        ({"SLURM_PROCID": "5", "SLURM_STEP_NUM_TASKS": "16", "LOCAL_RANK": "1"}, 5, 16),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "16"}, 0, 1),
        ({"LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}, 1, 2),
        ({"RANK": "two", "WORLD_SIZE": "0", "PMI_RANK": "1", "PMI_SIZE": "2"}, 1, 2),
        ({"RANK": "-1", "WORLD_SIZE": ""}, 0, 1),
        ({"RANK": "²"}, 0, 1),
    ],
)
def test_rank_and_world_size_come_from_the_launcher_that_is_closest(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], rank: int, size: int
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert (distributed_rank(), world_size()) == (rank, size)


def test_variables_are_given_by_prefix_and_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("OTHER_MODE", "x")

    assert "OTHER_MODE" not in environment(("WANDB_",))
    assert environment(("WANDB_",))["WANDB_MODE"] == "offline"
    assert settings.environment_snapshot()["OTHER_MODE"] == "x"


def test_the_import_is_light_and_the_toml_reader_is_loaded_only_for_a_file() -> None:
    code = (
        "import sys, quark.settings as s; s.Settings.load(); "
        "print(sorted({'tomllib', 'numpy', 'orjson', 'subprocess', 'socket'} & set(sys.modules)))"
    )
    command = [sys.executable, "-S", "-c", code]
    answer = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == "[]"
