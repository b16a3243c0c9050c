"""Runs somebody's script with ``import wandb`` meaning Quark, by becoming what runs it.

``python script.py`` and ``quark run script.py`` are then the same process in everything but
``PYTHONPATH``: arguments, ``sys.path[0]``, exit code, traceback, signals, standard input. Nothing
of Quark is loaded before the script imports ``wandb``.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from quark import ui
from quark.settings import lead_python_path

#: The folder that Python finds ``wandb`` in: a module that installs the alias, and the metadata of
#: a distribution. It has to come before the folders of installed packages.
FOLDER = str(Path(__file__).parent / "wandb" / "alias" / "path")

USAGE = """usage: {program} [-m] script.py [arguments]

Runs a script as `python` would, with `import wandb` meaning quark.compat.wandb in it and in the
processes that it starts. Takes what `python` takes (-m module, -c code, -, options before them),
or a command in the place of the script, such as torchrun."""


def launch(program: str, words: Sequence[str]) -> int:
    """Become what ``words`` say; return an exit code only if that is not to be.

    Args:
        program: What the person has called, to tell how it is used.
        words: What would follow ``python`` in a command line, or a command of its own.
    """
    if not words or words[0] in ("-h", "--help"):
        ui.say(USAGE.format(program=program))
        return 0 if words else 1
    if sys.flags.ignore_environment:
        ui.say(
            "python was told to ignore its environment (-E or -I), by which a script finds the "
            "alias. Leave that option out.",
            tone="error",
        )
        return 1
    lead_python_path(FOLDER)
    sys.stdout.flush()
    sys.stderr.flush()
    command = None if os.path.exists(words[0]) else shutil.which(words[0])
    if command is not None:
        os.execv(command, list(words))
    options = interpreter_options(sys.orig_argv, sys.argv)
    os.execv(sys.executable, [sys.executable, *options, *words])


def interpreter_options(original: Sequence[str], arguments: Sequence[str]) -> list[str]:
    """Return the options that an interpreter was given for itself.

    Args:
        original: ``sys.orig_argv``: the interpreter, its options, what it runs, the arguments.
        arguments: ``sys.argv``: what it runs, in one word, and the arguments.

    >>> interpreter_options(["python", "-u", "-m", "quark.cli", "run"], ["cli.py", "run"])
    ['-u']
    >>> interpreter_options(["python", "-X", "dev", "bin/quark", "run"], ["bin/quark", "run"])
    ['-X', 'dev']
    """
    head = list(original[1 : len(original) - len(arguments) + 1])
    switch = head[-2] if len(head) > 1 else ""
    if re.fullmatch("-[a-zA-Z]*[cm]", switch):  # such as -m and -um
        return [*head[:-2], *([switch[:-1]] if len(switch) > 2 else [])]
    return head[:-1]
