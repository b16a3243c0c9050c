"""The commands that the documents show are typed as they stand there, and work.

They run in one folder, in the order of the document, with the script that the README shows.
Commands that go on until they are stopped are stopped once they have said where they listen.
"""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.cli import COMMAND, logged_run
from tests.test_docs import BLOCKS, ROOT

SHELL = re.compile(r"^```bash\n(.*?)^```$", re.DOTALL | re.MULTILINE)
#: What listens until it is stopped, and what has it do so quietly.
LISTENS = {"ui": ("--no-browser",), "serve": ("--port", "0")}
#: Programs that other tests try: the installers, the Makefile, the examples.
TRIED_ELSEWHERE = ("pip", "make", "python")


def shown_commands(document: str, *, root: Path) -> list[list[str]]:
    """Return the commands of a document's shell blocks as words, ``/srv`` being below ``root``."""
    text = (ROOT / document).read_text()
    lines = (line for block in SHELL.findall(text) for line in block.splitlines())
    commands = [shlex.split(line, comments=True) for line in lines]
    moved = [[word.replace("/srv/", f"{root}/srv/") for word in words] for words in commands]
    return [words for words in moved if words and words[0] not in TRIED_ELSEWHERE]


def heard_from(words: list[str]) -> str:
    """Start what listens, stop it once it has said something, and return what that was."""
    with subprocess.Popen(
        [*COMMAND, *words, *LISTENS[words[0]]], stderr=subprocess.STDOUT, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        said = process.stdout.readline().decode()
        process.send_signal(signal.SIGTERM)
        said += process.stdout.read().decode()
        assert process.wait(60) in (0, -signal.SIGTERM), said
    return said


@pytest.mark.parametrize(("document", "least"), [("README.md", 11), ("docs/tour.md", 3)])
def test_the_commands_that_are_shown_work(
    document: str, least: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    script = next(b.code for b in BLOCKS if b.document == "README.md" and "wandb" in b.code)
    Path("train.py").write_text(script)
    logged_run(tmp_path, project="readme", name="first-run")
    logged_run(tmp_path / "runs")
    Path("srv").mkdir()

    commands = shown_commands(document, root=tmp_path)
    assert len(commands) >= least
    for program, *words in commands:
        assert program == "quark", f"who tries {program}?"
        if words[0] in LISTENS:
            assert re.search(r"http://127\.0\.0\.1:\d+", heard_from(words)), words
            continue
        done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}\n{done.stderr}"
    if document == "README.md":
        assert Path("run.csv").read_text().count("\n") > 100
