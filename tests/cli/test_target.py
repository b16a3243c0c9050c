"""Targets: the same place for scripts and commands, and a file whose owner finds it as it was."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given, settings as hypothesis_settings, strategies as st

from quark.cli import config_file
from quark.errors import SettingsError
from quark.settings import Settings, config_path
from tests.support.cli import json_of, run_cli

WRITTEN = """\
# mine, and dear to me
mode = "offline"   # always
extensions = [
  "a:b",
]

# the team's
[targets.team]   # vision
persistence_url = "https://team.example.com"  # ours
user_key = 'qk_team' # until March
workspace = "vision"

# this machine
[targets."here"]
storage_dir = "/data/runs"
"""


@pytest.fixture
def file() -> Path:
    """Where the configuration is, with a folder around it."""
    path = Path(config_path())
    path.parent.mkdir(parents=True)
    return path


def place(**flags: object) -> tuple[str | None, ...]:
    chosen = Settings.load(**flags)
    return (chosen.persistence_url, chosen.user_key, chosen.workspace, chosen.storage_dir)


def test_a_target_stands_below_the_environment_and_speaks_for_the_whole_place(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text('storage_dir = "/flat"\nuser_key = "qk_flat"\ntarget = "here"\n' + WRITTEN)
    team = ("https://team.example.com", "qk_team", "vision", None)

    assert place() == (None, None, "local", "/data/runs")  # not the flat key
    assert place(target="team") == team
    assert Settings.load().mode == "offline"  # what is no place holds beside it

    monkeypatch.setenv("QUARK_TARGET", "team")
    assert place() == team
    monkeypatch.setenv("QUARK_WORKSPACE", "speech")
    monkeypatch.setenv("QUARK_USER_KEY", "qk_mine")
    assert place() == ("https://team.example.com", "qk_mine", "speech", None)
    assert place(workspace="audio")[2] == "audio"
    # Who names another service gets nothing of the target's, its key least of all.
    monkeypatch.delenv("QUARK_USER_KEY")
    monkeypatch.setenv("QUARK_PERSISTENCE_URL", "https://other.example.com")
    assert place() == ("https://other.example.com", "qk_flat", "speech", "/flat")
    assert Settings.load().target is None
    monkeypatch.setenv("QUARK_PERSISTENCE_URL", "https://team.example.com/?storage_dir=2026")
    assert place()[1] == "qk_team"
    # A flag is stronger than the environment, and takes nothing of its place.
    monkeypatch.setenv("QUARK_PERSISTENCE_URL", "https://other.example.com")
    monkeypatch.setenv("QUARK_USER_KEY", "qk_other")
    assert place(target="here") == (None, None, "local", "/data/runs")
    monkeypatch.delenv("QUARK_PERSISTENCE_URL")
    file.write_text('[targets.bare]\npersistence_url = "https://team.example.com"\n')
    assert place(target="bare")[1] == "qk_other"  # a key that is in no file


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('target = "team"', "has no [targets.team]; its targets: none. Make one with `quark init"),
        ("[targets.a]\nmode = 'offline'", "sets 'mode' in [targets.a], which is not a setting of"),
        ("[targets.a]\nuser_key = 7", "user_key in [targets.a] must be a string"),
        ("[targets.'a b']\nstorage_dir = 'x'", "target 'a b', but its name must be up to 64"),
        ("targets = 3", "sets 'targets', which must be tables [targets.NAME]"),
        ("targets.a = 3", "sets 'a' in targets, which must be a table"),
        ("[target]\na = 1", "target is {'a': 1}, but"),
        ("[quark]", "places with a name are tables [targets.NAME]"),
    ],
)
def test_a_file_that_means_nothing_is_refused_and_says_what_it_may_hold(
    file: Path, content: str, message: str
) -> None:
    file.write_text(content)

    with pytest.raises(SettingsError) as raised:
        Settings.load()

    assert message in str(raised.value)


def test_what_people_wrote_into_the_file_stays_as_it_was(file: Path) -> None:
    file.write_text(WRITTEN)
    file.chmod(0o644)

    config_file.set_target("team", {"user_key": None, "workspace": "audio"}, choose=True)
    config_file.set_target("new", {"storage_dir": 'C:\\x "1"\n'}, choose=False)
    changed = file.read_text()

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert changed == (
        WRITTEN.replace("user_key = 'qk_team' # until March\n", "# until March\n")
        .replace('"vision"\n', '"audio"\n')
        .replace("]\n\n# the team", ']\ntarget = "team"\n\n# the team')
        + '\n[targets.new]\nstorage_dir = "C:\\\\x \\"1\\"\\U0000000a"\n'
    )
    assert config_file.targets()["new"]["storage_dir"] == 'C:\\x "1"\n'

    for name in ("new", "team", "here"):
        config_file.remove_target(name)
    left = file.read_text()
    comments = [line.partition("#")[2] for line in WRITTEN.splitlines() if "#" in line]
    assert all(comment in left for comment in comments)
    assert (config_file.targets(), config_file.chosen_target()) == ({}, None)
    assert Settings.load().extensions == ("a:b",)


@pytest.mark.parametrize(
    "content",
    [
        'targets = {a = {storage_dir = "/x"}}\n',
        '[targets]\na.storage_dir = "/x"\n',
        'targets.a.storage_dir = "/x"\n',
        '[targets.a]\nstorage_dir = """\n/x"""\n',
        'target = """\na"""\n[targets.a]\nstorage_dir = "/x"\n',
        'mode = """\n[targets.a]\n"""\n',
    ],
)
def test_a_file_that_cannot_be_changed_by_the_line_is_left_and_its_owner_told_what_to_write(
    file: Path, content: str
) -> None:
    file.write_text(content)

    with pytest.raises(SettingsError, match="nothing was changed") as raised:
        config_file.set_target("a", {"storage_dir": "/y", "user_key": "qk_secret"}, choose=True)

    assert file.read_text() == content
    assert '[targets.a]\n  storage_dir = "/y"' in str(raised.value)
    assert "qk_secret" not in str(raised.value)


@given(
    st.lists(
        st.sampled_from(
            [
                "",
                "# a comment [targets.a]",
                'quiet = true # "x"',
                "[targets.a] # yes",
                'user_key = "qk_\\"1"# k',
                "storage_dir = 'x'",
                "[ targets . 'b' ]",
                'workspace="w"',
                'target = "b"',
                'extensions = ["[targets.a]",',
                "]",
            ]
        ),
        max_size=8,
    )
)
@hypothesis_settings(max_examples=60)
def test_whatever_the_file_holds_a_change_does_what_it_should_or_nothing(lines: list[str]) -> None:
    path = Path(config_path())
    path.parent.mkdir(parents=True, exist_ok=True)
    content = "\n".join(lines)
    path.write_text(content)
    try:
        before, chosen = config_file.targets(), config_file.chosen_target()
    except SettingsError:
        return  # it was refused as it is
    try:
        config_file.set_target("a", {"workspace": "new", "user_key": None}, choose=True)
    except SettingsError:
        assert path.read_text() == content
        return
    wanted = {**before, "a": {**before.get("a", {}), "workspace": "new"}}
    wanted["a"].pop("user_key", None)

    assert config_file.targets() == wanted
    assert config_file.chosen_target() == "a"
    assert path.read_text().count("# a comment") == content.count("# a comment")
    assert chosen is None or chosen in before or "b" not in before


def test_the_commands_list_choose_and_remove(file: Path, tmp_path: Path) -> None:
    assert "quark init" in run_cli("target", "ls").ok().err
    assert json_of(run_cli("target", "ls", "--json")) == []
    file.write_text(WRITTEN.replace("/data/runs", str(tmp_path)))

    refused = run_cli("target", "use", "nowhere")
    assert refused.code == 1
    assert "There is no target 'nowhere'" in refused.err
    assert "team, here" in refused.err

    used = json_of(run_cli("target", "use", "here", "--json"))
    assert used == {"target": "here", "config_path": str(file)}
    rows = json_of(run_cli("target", "ls", "--json"))
    assert [(row["name"], row["chosen"], row["has_key"], row["kind"]) for row in rows] == [
        ("team", False, True, "service"),
        ("here", True, False, "folder"),
    ]
    shown = run_cli("target", "ls", env={"QUARK_STORAGE_DIR": "/x"}).ok()
    assert "qk_team" not in shown.out
    assert "QUARK_STORAGE_DIR in the environment is stronger" in shown.err

    asked = run_cli("target", "rm", "here", stdin="n\n")
    assert (asked.code, "Remove the target here" in asked.err) == (1, True)
    removed = run_cli("target", "rm", "here", "--yes").ok()
    assert "its runs are where they were" in removed.out
    assert "No target is chosen now" in removed.err
    both = run_cli("project", "ls", "--target", "team", "--url", "https://x.example.com")
    assert (both.code, "name two places" in both.err) == (1, True)
