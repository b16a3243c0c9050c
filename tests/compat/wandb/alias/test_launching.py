"""``quark run`` and ``python -m quark.compat.wandb``: the same as ``python``, but for ``wandb``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from quark.compat.launching import FOLDER, launch
from quark.compat.wandb.public_api import Api

PYTHON = [sys.executable]
MODULE = [sys.executable, "-m", "quark.compat.wandb"]
COMMAND = [sys.executable, "-c", "from quark.cli.main import main; main()", "run"]

SCRIPT = """
import os, sys
print(sys.argv, __name__, sys.flags.optimize, sys.flags.utf8_mode)
print(sys.path[0], [place for place in sys.path[1:] if "alias" not in place])
print(globals().get("__file__"), __spec__ and __spec__.name, os.getpid() == os.getpgid(0))
if __name__ == "__main__":
    print(sys.stdin.read())
    words = sys.argv[1:] or ["0"]
    if words[0] == "raise":
        raise ValueError("of the script's own")
    if words[0] == "kill":
        import signal
        os.kill(os.getpid(), getattr(signal, words[1]))
    sys.exit(int(words[0]) if words[0].isdigit() else 0)
"""


def ran(command: Sequence[str], *words: str) -> tuple[int, str, str]:
    result = subprocess.run(
        [*command, *words],
        input="what is read\n" if "-" not in words else SCRIPT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return result.returncode, result.stdout, result.stderr


@pytest.mark.parametrize("command", [MODULE, COMMAND], ids=["python -m", "quark run"])
def test_a_script_cannot_tell_it_from_python(command: list[str]) -> None:
    folder = Path("pack.age")
    folder.mkdir()
    Path("script.py").write_text(SCRIPT)
    Path("script_module.py").write_text(SCRIPT)
    Path(folder, "script.py").write_text(SCRIPT)

    for words in (
        ("script.py",),
        ("script.py", "3"),
        ("script.py", "--help", "-m", "x"),
        ("script.py", "raise"),
        ("script.py", "kill", "SIGINT"),
        ("script.py", "kill", "SIGTERM"),
        (str(folder / "script.py"), "a b", ""),
        ("-m", "script_module", "--version"),
        ("-c", "import sys; print(sys.argv, sys.path[0] == '')", "-x"),
        ("-O", "script.py"),
        ("-", "5"),
        ("no_such_script.py",),
    ):
        assert ran(command, *words) == ran(PYTHON, *words), words

    options = [command[0], "-O", "-X", "utf8", *command[1:]]
    if command is MODULE:
        expected = ran([*PYTHON, "-O", "-X", "utf8"], "script.py", "4")
        assert ran(options, "script.py", "4") == expected
        assert expected[1].startswith("['script.py', '4'] __main__ 1 1")


def test_an_unmodified_script_and_its_children_log_into_one_store() -> None:
    Path("child.py").write_text("""
import wandb
with wandb.init(project="shop", name="child") as run:
    run.log({"y": 2})
""")
    Path("train.py").write_text("""
import subprocess, sys
import wandb
wandb.init(project="shop", name="parent", config={"lr": 0.1})
wandb.log({"x": 1})
wandb.finish()
subprocess.run([sys.executable, "child.py"], check=True)
""")

    code, _, said = ran(COMMAND, "train.py")

    assert code == 0, said
    runs = {run.name: run for run in Api().runs("shop")}
    assert runs["parent"].summary["x"] == 1
    assert runs["parent"].config == {"lr": 0.1}
    assert (runs["parent"].metadata or {})["program"].endswith("train.py")
    assert runs["child"].summary["y"] == 2


def test_a_command_takes_the_place_of_a_script() -> None:
    code, said, _ = ran(MODULE, "env")

    assert code == 0
    assert f"PYTHONPATH={FOLDER}{os.pathsep}" in said
    assert ran(MODULE, "sh", "-c", "exit 6")[0] == 6


@pytest.mark.wandb_parity
def test_a_process_that_was_started_so_can_still_get_the_real_package() -> None:
    Path("real.py").write_text("""
from quark.compat.wandb import uninstall
uninstall()
import subprocess, sys, wandb
print(wandb.__name__)
code = "import wandb; print(wandb.__name__)"
print(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout)
""")

    assert ran(MODULE, "real.py")[1].split() == ["wandb", "wandb"]


def test_ctrl_c_reaches_the_script_which_ends_by_it() -> None:
    Path("waits.py").write_text("print('ready', flush=True)\nimport time\ntime.sleep(60)")
    child = subprocess.Popen(
        [*COMMAND, "waits.py"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"

    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)

    assert child.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in said
    assert "quark" not in said


@pytest.mark.parametrize(("words", "code"), [((), 1), (("--help",), 0), (("-h",), 0)])
def test_without_a_script_it_says_how_it_is_used(
    words: tuple[str, ...], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert launch("quark run", words) == code

    assert "usage: quark run" in capsys.readouterr().err
    assert ran(COMMAND, *words)[0] == code


def test_a_python_that_ignores_its_environment_is_refused() -> None:
    root = os.environ["PYTHONPATH"].split(os.pathsep)[0]
    start = f"import sys; sys.path.insert(0, {root!r}); from quark.cli.main import main; main()"

    code, _, said = ran([sys.executable, "-E", "-c", start, "run"], "script.py")

    assert code == 1
    assert "-E or -I" in said
