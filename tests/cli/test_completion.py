"""Completion: what a real shell offers after the script was read."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from quark.catalog.model import CollectionKey, RunRef
from quark.storage.embedded import EmbeddedStore
from quark.storage.layout import store_root
from tests.catalog.building import log
from tests.support.cli import logged_run, run_cli

#: A ``quark`` to be found on the PATH, and what a shell does at the press of a key.
_QUARK = '#!/bin/sh\nexec "{python}" -c "from quark.cli.main import main; main()" "$@"\n'
_PRESS = """
source "$1"
COMP_WORDS=({words}); COMP_CWORD={at}
COMPREPLY=()
_quark_completion quark
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_commands_options_runs_projects_and_targets(
    tmp_path: Path, python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = logged_run(tmp_path, project="digits", name="tall-tree")
    logged_run(tmp_path, project="dogs", name="\x1b[31mred")
    blank_id = logged_run(tmp_path, project="blanks", name="two words", tags=("old one", "best"))
    store = EmbeddedStore(store_root(tmp_path))
    run = RunRef(run_id, "digits", "local")
    log(store, {"a": "1"}, key=CollectionKey("local", "digits", "weights"), run=run)
    store.close()
    run_cli("init", "--storage-dir", tmp_path / "second", "--target", "second").ok()
    program = tmp_path / "bin" / "quark"
    program.parent.mkdir()
    program.write_text(_QUARK.format(python=python))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    script = tmp_path / "completion.bash"
    script.write_text(run_cli("completion", "bash").ok().out)

    def offered(*words: str) -> list[str]:
        quoted = " ".join(f"'{word}'" for word in ("quark", *words))
        press = tmp_path / "press.bash"
        press.write_text(_PRESS.format(words=quoted, at=len(words)))
        done = subprocess.run(
            ["bash", press, script], capture_output=True, text=True, cwd=tmp_path, check=False
        )
        assert "Traceback" not in done.stderr
        return done.stdout.split()

    here = ("--storage-dir", str(tmp_path))
    assert "doctor" in offered("")
    assert offered("rei") == ["reindex"]
    assert offered("auth", "lo") == ["login", "logout"]
    assert offered("verify", "--q") == ["--quick"]
    assert offered("verify", *here, run_id[:6]) == [run_id]
    assert offered("verify", *here, "tall") == ["tall-tree"]
    assert offered("verify", *here, "nothing") == []
    assert offered("gc", "--target", "s") == ["second"]
    assert offered("target", "use", "") == ["second"]
    assert offered("run", "list", *here, "--project", "d") == ["digits", "dogs"]
    assert offered("run", "list", *here, "--tag", "be") == ["best"]
    assert offered("run", "tag", *here, run_id, "+be") == ["+best"]
    assert offered("metrics", "tail", *here, run_id, "l") == ["loss"]
    assert offered("run", "watch", *here, run_id, "l") == ["loss"]
    assert offered("compare", *here, run_id, "tall") == ["tall-tree"]
    assert offered("report", *here, "lat") == ["latest"]
    assert offered("artifact", "get", *here, "we") == ["weights"]
    assert offered("artifact", "ls", *here, "we") == ["weights"]
    assert offered("report", *here, "two") == ["two\\", "words"]  # one word to the shell
    assert blank_id in offered("report", *here, blank_id[:6])
    assert offered("completion", "z") == ["zsh"]
    assert (
        offered("verify", "--url", "http://127.0.0.1:1", "x") == []
    )  # says nothing, waits for nobody


def test_every_shell_has_a_script(tmp_path: Path) -> None:
    for shell, mark in (("bash", "complete -o"), ("zsh", "#compdef quark"), ("fish", "complete -")):
        assert mark in run_cli("completion", shell).ok().out
    other = run_cli("completion", "tcsh")
    assert (other.code, "'bash', 'zsh', 'fish'" in other.err) == (1, True)
